//! One request to one address, with everything that can be told of the connection: a certificate that nobody trusts is noted,
//! and the conversation goes on, so that what is behind it is examined as well.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use url::Url;

use super::names::Names;
use crate::{RunError, wire::in_words};

/// How long one request may take, from connecting to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// None of the documents that are asked for comes near this.
const LONGEST_BODY_BYTES: usize = 1024 * 1024;
/// More redirections than this are a loop.
const MOST_REDIRECTIONS: usize = 5;
/// The origin of a web client that asks from elsewhere.
const ORIGIN: &str = "https://client.example";

/// Where a request goes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Whether it is reached by TLS.
    pub(super) secure: bool,
    /// The host whose certificate is expected.
    pub(super) host: String,
    /// The `Host` header.
    pub(super) called: String,
}

/// What a server showed of itself before the first request.
#[derive(Clone, Debug)]
pub(super) struct Papers {
    /// The certificates, its own one first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Whether they are good for the expected host.
    pub(super) trust: Result<(), rustls::Error>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) json: Option<Value>,
    /// The beginning of the body, for people.
    pub(super) excerpt: String,
    /// None without TLS.
    pub(super) papers: Option<Papers>,
    /// The middle between request and answer, by this machine's clock.
    pub(super) when: OffsetDateTime,
}

impl Answer {
    /// A header as text; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the body is declared as JSON.
    pub(super) fn is_declared_json(&self) -> bool {
        let media_type = self.header("content-type").split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/json")
    }

    /// The status and the beginning of the body, on one line.
    pub(super) fn words(&self) -> String {
        match self.excerpt.as_str() {
            "" => format!("{}, no body", self.status.as_u16()),
            excerpt => format!("{} {excerpt}", self.status.as_u16()),
        }
    }
}

/// Asks.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) names: Names,
    provider: Arc<CryptoProvider>,
    judge: Arc<Verifier>,
}

impl Visitor {
    /// Trusts the authorities of the system, and those of a file.
    pub(super) fn new(names: Names, authorities: Option<&Path>) -> Result<Self, RunError> {
        let read = |file: &Path| {
            let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
            all.map_err(|error| RunError::Usage(format!("the certificates in {}: {error}", file.display())))
        };
        let own = authorities.map_or_else(|| Ok(Vec::new()), read)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let judge = Verifier::new_with_extra_roots(own, provider.clone())
            .map_err(|error| RunError::Fault(format!("no certificates of the system: {error}")))?;
        Ok(Visitor { names, provider, judge: Arc::new(judge) })
    }

    /// Asks for a document wherever it is, and follows where it was moved to; gives the URL at the end as well.
    pub(super) async fn get(&self, url: &Url) -> Result<(Answer, Url), String> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTIONS {
            let answer = self.ask_at(&url, Method::GET, &[]).await?;
            let moved = if answer.status.is_redirection() { answer.header("location") } else { "" };
            if moved.is_empty() {
                return Ok((answer, url));
            }
            url = url.join(moved).map_err(|error| format!("it moved to {moved}: {error}"))?;
        }
        Err(format!("{url} is redirected more than {MOST_REDIRECTIONS} times"))
    }

    /// Asks once, at the first address that answers.
    pub(super) async fn ask_at(
        &self,
        url: &Url,
        method: Method,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, String> {
        let host = url.host_str().ok_or_else(|| format!("{url} has no host"))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| format!("{url} has no port"))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("{url} is no https URL, but of {other}")),
        };
        let called = url.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        let place = Place { secure, called, host };
        let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut last = format!("{url} has no address");
        for address in self.names.addresses(&place.host, port).await? {
            match self.ask(&place, address, method.clone(), &target, headers).await {
                Ok(answer) => return Ok(answer),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// Asks one address.
    pub(super) async fn ask(
        &self,
        place: &Place,
        address: SocketAddr,
        method: Method,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, String> {
        let late = |_| format!("{address} gave no answer within {} s", PATIENCE.as_secs());
        let exchange = async {
            let stream = TcpStream::connect(address).await;
            let stream = stream.map_err(|error| format!("no connection to {address}: {error}"))?;
            if !place.secure {
                return converse(stream, place, method, target, headers, None).await;
            }
            let (stream, papers) = self.secure(stream, place, address).await?;
            converse(stream, place, method, target, headers, Some(papers)).await
        };
        tokio::time::timeout(PATIENCE, exchange).await.map_err(late)?
    }

    async fn secure(
        &self,
        stream: TcpStream,
        place: &Place,
        address: SocketAddr,
    ) -> Result<(impl AsyncRead + AsyncWrite + Unpin + Send + use<>, Papers), String> {
        let noting = Arc::new(Noting { judge: self.judge.clone(), verdict: Mutex::new(None) });
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("no TLS here: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(noting.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(place.host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| format!("no certificate can be for {}: {error}", place.host))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let stream = stream.map_err(|error| format!("no TLS at {address}: {}", in_words(&error)))?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let verdict = noting.verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
        let unseen = || Err(rustls::Error::General("no certificate was shown".to_owned()));
        Ok((stream, Papers { chain, trust: verdict.unwrap_or_else(unseen) }))
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: &Place,
    method: Method,
    target: &str,
    headers: &[(&'static str, &str)],
    papers: Option<Papers>,
) -> Result<Answer, String> {
    let broken = |error: hyper::Error| format!("no HTTP at {}: {}", place.called, in_words(&error));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, &place.called)
        .header(header::USER_AGENT, concat!("determinant/", env!("CARGO_PKG_VERSION")))
        .header(header::ORIGIN, ORIGIN);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let (began, since) = (OffsetDateTime::now_utc(), Instant::now());
    let response = sender.send_request(request).await.map_err(broken)?;
    let when = began + since.elapsed() / 2;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST_BODY_BYTES).collect().await;
    connection.abort();
    let body = body.map_err(|error| format!("the answer of {} broke off: {error}", place.called))?.to_bytes();
    let json = serde_json::from_slice(&body).ok();
    let text = String::from_utf8_lossy(&body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let excerpt = match line.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    Ok(Answer { status: head.status, headers: head.headers, json, excerpt, papers, when })
}

/// Judges a certificate as anybody would, and lets the conversation go on whatever came of it. Nothing secret is ever sent.
#[derive(Debug)]
struct Noting {
    judge: Arc<Verifier>,
    verdict: Mutex<Option<Result<(), rustls::Error>>>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged =
            self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(judged.map(drop));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
