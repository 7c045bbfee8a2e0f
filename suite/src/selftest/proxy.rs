//! A proxy on the loopback interface that stands before a server and commits one fault in what it answers.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fixtures::catalogue::{Api, Catalogue, Operation};
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use url::Url;

use super::mutant::{Change, Mutant, Passing};
use crate::wire::in_words;

/// A running proxy. It ends, with its connections, when it is dropped.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) url: Url,
    passage: Arc<Passage>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Stands before the server at `upstream` and passes everything on unchanged until it is armed.
    pub(crate) async fn start(upstream: Url) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let url = Url::parse(&format!("http://{address}/")).map_err(std::io::Error::other)?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(4))
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?;
        let passage = Arc::new(Passage { upstream, http, fault: Mutex::default() });
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, passage.clone()));
        Ok(Proxy { url, passage, _listening: listening })
    }

    /// From now on this fault is committed, and none that was before.
    pub(crate) fn arm(&self, mutant: Mutant) {
        let fault = Committed { mutant, count: AtomicUsize::new(0), first_answers: Mutex::default() };
        *self.passage.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(fault));
    }

    /// From now on no fault is committed.
    pub(crate) fn disarm(&self) {
        *self.passage.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many responses the fault has changed.
    pub(crate) fn committed(&self) -> usize {
        self.passage.fault().map_or(0, |fault| fault.count.load(Ordering::Relaxed))
    }
}

async fn listen(listener: TcpListener, passage: Arc<Passage>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Answers are small and waited for: never hold one back to fill a packet.
        let _ = stream.set_nodelay(true);
        connections.spawn(converse(stream, passage.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, passage: Arc<Passage>) {
    let service = service_fn(|request: Request<Incoming>| {
        let passage = passage.clone();
        async move { Ok::<_, Infallible>(passage.pass(request).await) }
    });
    // A client that goes away ends its conversation; there is nobody to tell.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

struct Passage {
    upstream: Url,
    http: reqwest::Client,
    fault: Mutex<Option<Arc<Committed>>>,
}

/// The fault that is committed now.
struct Committed {
    mutant: Mutant,
    count: AtomicUsize,
    first_answers: Mutex<HashMap<String, Passing>>,
}

impl Passage {
    fn fault(&self) -> Option<Arc<Committed>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn pass(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let fault = self.fault();
        let (parts, body) = request.into_parts();
        let mut passing = match self.forward(&parts, body).await {
            Ok(passing) => passing,
            // What the server does not answer, the proxy does not either, as far as HTTP lets it.
            Err(words) => return reply(StatusCode::BAD_GATEWAY, Bytes::from(words)),
        };
        let operation = Catalogue::v1_19()
            .route(Api::ClientServer, parts.method.as_str(), parts.uri.path())
            .map(|route| route.operation);
        if let (Some(operation), Some(fault)) = (operation, fault)
            && fault.commit(operation, &parts, &mut passing, started).await
        {
            fault.count.fetch_add(1, Ordering::Relaxed);
        }
        let mut response = reply(passing.status, passing.body);
        *response.headers_mut() = passing.headers;
        response
    }

    async fn forward(&self, parts: &Parts, body: Incoming) -> Result<Passing, String> {
        let body = body.collect().await.map_err(|error| in_words(&error))?.to_bytes();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.upstream.as_str().trim_end_matches('/'));
        let mut headers = parts.headers.clone();
        for of_the_connection in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(of_the_connection);
        }
        let request = self.http.request(parts.method.clone(), url).headers(headers).body(body);
        let answer = request.send().await.map_err(|error| in_words(&error))?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        for of_the_connection in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(of_the_connection);
        }
        let body = answer.bytes().await.map_err(|error| in_words(&error))?;
        Ok(Passing { status, headers, body })
    }
}

impl Committed {
    /// Commits the fault, if it is one of this response. Gives whether the client gets something else, or later.
    async fn commit(
        &self,
        operation: &Operation,
        request: &Parts,
        response: &mut Passing,
        started: Instant,
    ) -> bool {
        if !self.mutant.concerns(operation, response.status) {
            return false;
        }
        match self.mutant.change {
            Change::Stale => self.replay(likeness(request, &["timeout"]), response),
            Change::StalePage => self.replay(likeness(request, &["from", "limit"]), response),
            Change::Late => {
                let until = started + time_allowed(request);
                let is_late = Instant::now() < until;
                tokio::time::sleep_until(until).await;
                is_late
            }
            _ => self.mutant.commit(response),
        }
    }

    /// Answers as the first request like this one was answered.
    fn replay(&self, likeness: String, response: &mut Passing) -> bool {
        let mut first_answers = self.first_answers.lock().unwrap_or_else(PoisonError::into_inner);
        let first = first_answers.entry(likeness).or_insert_with(|| response.clone());
        let differs = first.body != response.body;
        *response = first.clone();
        differs
    }
}

/// Who asks what, apart from these query parameters.
fn likeness(request: &Parts, apart_from: &[&str]) -> String {
    let query = request.uri.query().unwrap_or_default();
    let kept =
        query.split('&').filter(|pair| !apart_from.contains(&pair.split('=').next().unwrap_or_default()));
    let who = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    format!("{who} {} {}", request.uri.path(), kept.collect::<Vec<_>>().join("&"))
}

/// How long the caller of a long poll is ready to wait.
fn time_allowed(request: &Parts) -> Duration {
    let query = request.uri.query().unwrap_or_default();
    let timeout = query.split('&').find_map(|pair| pair.strip_prefix("timeout=")?.parse().ok());
    Duration::from_millis(timeout.unwrap_or(0))
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that counts: its n-th answer is `{"next_batch": "n", "rooms": {}}`.
    async fn counting() -> Url {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            for count in 1.. {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let body = json!({"next_batch": count.to_string(), "rooms": {}}).to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        url.parse().expect("a URL")
    }

    fn in_sync(change: Change, place: &str) -> Mutant {
        let operation = Catalogue::v1_19().operation("sync").expect("the operation");
        let body = json!({"next_batch": "1", "rooms": {}});
        let schema = Catalogue::v1_19().response_schema(operation, 200).expect("its schema");
        let sights = super::super::place::sights(&body, &schema);
        let place = sights.into_iter().map(|sight| sight.place).find(|known| known.to_string() == place);
        Mutant { operation, status: 200, place: place.expect("a place of the body"), change }
    }

    async fn asked(proxy: &Proxy, target: &str) -> (u16, Option<String>, Value) {
        let url = proxy.url.join(target).expect("a URL");
        let answer = reqwest::get(url).await.expect("an answer");
        let kind =
            answer.headers().get("content-type").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        (status, kind, serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON"))
    }

    const SYNC: &str = "_matrix/client/v3/sync";

    #[tokio::test]
    async fn a_fault_is_on_the_wire_once_the_proxy_is_armed_and_nowhere_else() {
        let mutant = in_sync(Change::Altered, "/next_batch");
        let proxy = Proxy::start(counting().await).await.expect("a proxy");
        assert_eq!(asked(&proxy, SYNC).await.2["next_batch"], "1");
        proxy.arm(mutant);
        assert_eq!(asked(&proxy, SYNC).await.2["next_batch"], "3");
        assert_eq!(asked(&proxy, "_matrix/client/v3/capabilities").await.2["next_batch"], "3");
        assert_eq!(proxy.committed(), 1);
    }

    #[tokio::test]
    async fn status_headers_and_fields_are_changed_alone() {
        let whole = Some("application/json".to_owned());
        for (change, place, expected) in [
            (Change::Status(400), "", (400, whole.clone(), json!({"next_batch": "1", "rooms": {}}))),
            (Change::WithoutHeader("content-type"), "", (200, None, json!({"next_batch": "1", "rooms": {}}))),
            (Change::Dropped, "/next_batch", (200, whole.clone(), json!({"rooms": {}}))),
            (Change::Retyped, "/rooms", (200, whole.clone(), json!({"next_batch": "1", "rooms": []}))),
        ] {
            let proxy = Proxy::start(counting().await).await.expect("a proxy");
            proxy.arm(in_sync(change, place));
            assert_eq!(asked(&proxy, SYNC).await, expected);
        }
    }

    #[tokio::test]
    async fn a_stale_answer_is_the_first_to_that_request() {
        let proxy = Proxy::start(counting().await).await.expect("a proxy");
        proxy.arm(in_sync(Change::Stale, ""));
        let mut tokens = Vec::new();
        for target in [SYNC, "_matrix/client/v3/sync?since=1", SYNC, "_matrix/client/v3/sync?timeout=3"] {
            tokens.push(asked(&proxy, target).await.2["next_batch"].clone());
        }
        assert_eq!(tokens, ["1", "2", "1", "1"]);
        assert_eq!(proxy.committed(), 2);
    }

    #[tokio::test]
    async fn a_late_answer_takes_all_the_time_that_it_may() {
        let proxy = Proxy::start(counting().await).await.expect("a proxy");
        proxy.arm(in_sync(Change::Late, ""));
        let started = Instant::now();
        asked(&proxy, "_matrix/client/v3/sync?timeout=200").await;
        assert!(started.elapsed() >= Duration::from_millis(200));
        assert_eq!(proxy.committed(), 1);
    }
}
