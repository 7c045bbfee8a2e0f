//! The server at the other end: its addresses, and TLS where its URL asks for it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::HeaderValue;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Url;

use super::Problem;

/// Where requests go. Its name is resolved once, before the run.
pub struct Server {
    url: Url,
    authority: HeaderValue,
    addresses: Vec<SocketAddr>,
    next: AtomicUsize,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection to it.
#[derive(Debug)]
pub enum Stream {
    /// In the clear.
    Plain(TcpStream),
    /// By TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why no server can be reached at a URL.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The URL is none of a server.
    #[error("{0} is no http or https URL of a server")]
    Url(Url),
    /// The name has no address.
    #[error("{url} cannot be resolved: {source}")]
    Unresolved {
        /// The URL.
        url: Url,
        /// What the system said.
        source: io::Error,
    },
    /// The certificates that the server is verified with are unusable.
    #[error("the certificates {0}")]
    Certificates(String),
}

impl Server {
    /// Resolves the name of a URL. Certificates are verified with those of the file, and with those of the system.
    ///
    /// # Errors
    /// When the URL is none of a server, its name has no address, or the certificates are unusable.
    pub async fn resolve(url: &Url, certificates: Option<&Path>) -> Result<Self, Unreachable> {
        let unusable = |file: &Path, error: &dyn fmt::Display| {
            Unreachable::Certificates(format!("in {}: {error}", file.display()))
        };
        let read = |file: &Path| {
            let own: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
            own.map_err(|error| unusable(file, &error))
        };
        Self::resolve_with(url, certificates.map_or_else(|| Ok(Vec::new()), read)?).await
    }

    /// The same with certificates that are given as PEM.
    ///
    /// # Errors
    /// As above.
    pub async fn resolve_trusting(url: &Url, certificates: &str) -> Result<Self, Unreachable> {
        let own = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect::<Result<_, _>>();
        let own = own.map_err(|error| Unreachable::Certificates(format!("that were given: {error}")))?;
        Self::resolve_with(url, own).await
    }

    async fn resolve_with(url: &Url, own: Vec<CertificateDer<'static>>) -> Result<Self, Unreachable> {
        let wrong = || Unreachable::Url(url.clone());
        let host = url.host_str().ok_or_else(wrong)?;
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        let unresolved = |source| Unreachable::Unresolved { url: url.clone(), source };
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host((bare.as_str(), port)).await.map_err(unresolved)?.collect();
        if addresses.is_empty() {
            return Err(unresolved(io::Error::other("it has no address")));
        }
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some((connector(own)?, ServerName::try_from(bare).map_err(|_| wrong())?)),
            _ => return Err(wrong()),
        };
        let authority = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let authority = HeaderValue::from_str(&authority).map_err(|_| wrong())?;
        Ok(Server { url: url.clone(), authority, addresses, next: AtomicUsize::new(0), tls })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether every address of it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.addresses.iter().all(|address| address.ip().is_loopback())
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.addresses.first().map(SocketAddr::port)
    }

    pub(super) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Connects to the next of its addresses, and to the others where that one does not answer.
    pub(super) async fn connect(&self) -> Result<Stream, Problem> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut failed = Problem::Refused;
        for turn in 0..self.addresses.len() {
            let address = self.addresses[(first + turn) % self.addresses.len()];
            match TcpStream::connect(address).await {
                Ok(stream) => return self.secure(stream).await,
                Err(error) => failed = Problem::of_connecting(&error),
            }
        }
        Err(failed)
    }

    async fn secure(&self, stream: TcpStream) -> Result<Stream, Problem> {
        stream.set_nodelay(true).map_err(|error| Problem::of_connecting(&error))?;
        let Some((connector, name)) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let secured = connector.connect(name.clone(), stream).await;
        Ok(Stream::Tls(Box::new(secured.map_err(|error| Problem::of_connecting(&error))?)))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

fn connector(own: Vec<CertificateDer<'static>>) -> Result<TlsConnector, Unreachable> {
    use rustls_platform_verifier::Verifier;
    let unusable = |what: String| Unreachable::Certificates(what);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(own, provider.clone())
        .map_err(|error| unusable(format!("of the system: {error}")))?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(format!("of this program: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
