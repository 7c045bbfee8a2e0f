//! Where a peer listens: it takes transactions, and answers what a server asks of those who have sent it events.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet, time::Instant};
use tokio_rustls::TlsAcceptor;

use super::{Archive, Ears, Peer, Place, peer::now_ms};
use crate::sync::Event;

/// More than any request between servers that follow the text.
const LONGEST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A listener and its connections; they end with it.
#[derive(Debug)]
pub(super) struct Door(tokio::task::JoinHandle<()>);

/// Who stands behind it.
struct House {
    peer: Arc<Peer>,
    archive: Arc<Archive>,
    ears: Arc<Ears>,
}

impl Door {
    pub(super) fn open(
        place: &Place,
        peer: Arc<Peer>,
        archive: Arc<Archive>,
        ears: Arc<Ears>,
    ) -> io::Result<Self> {
        let listener = place.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (acceptor, house) =
            (TlsAcceptor::from(place.tls.clone()), Arc::new(House { peer, archive, ears }));
        Ok(Door(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(converse(stream, acceptor.clone(), house.clone()));
            }
        })))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, house: Arc<House>) {
    let _ = stream.set_nodelay(true);
    // Whoever breaks off loses his own connection.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let house = house.clone();
        async move { Ok::<_, Infallible>(house.answer(request).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl House {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST_BODY_BYTES).collect().await else {
            return reply(
                StatusCode::PAYLOAD_TOO_LARGE,
                &json!({"errcode": "M_TOO_LARGE", "error": "too long"}),
            );
        };
        let path = head.uri.path().to_owned();
        let query = head.uri.query().unwrap_or_default();
        match self.found(&head.method, &path, query, &body.to_bytes()) {
            Some(found) => reply(StatusCode::OK, &found),
            None => reply(
                StatusCode::NOT_FOUND,
                &json!({"errcode": "M_NOT_FOUND", "error": "there is none here"}),
            ),
        }
    }

    fn found(&self, method: &Method, path: &str, query: &str, body: &[u8]) -> Option<Value> {
        let segments: Vec<String> = path
            .trim_start_matches("/_matrix/")
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let wrapped = |pdus: Vec<Value>| json!({"origin": self.peer.name(), "origin_server_ts": now_ms(), "pdus": pdus});
        match (method, segments.as_slice()) {
            (&Method::PUT, ["federation", "v1", "send", _]) => self.transaction(body),
            (&Method::GET, ["key", "v2", "server", ..]) => Some(self.peer.keys()),
            (&Method::GET, ["federation", "v1", "version"]) => {
                Some(json!({"server": {"name": "determinant-load", "version": "1"}}))
            }
            (&Method::GET, ["federation", "v1", "event", id]) => {
                self.archive.event(id).map(|event| wrapped(vec![event]))
            }
            (&Method::GET, ["federation", "v1", "state_ids", room]) => {
                self.archive.state_ids(room, &parameters(query, "event_id").pop()?)
            }
            (&Method::GET, ["federation", "v1", "state", room]) => {
                self.archive.state(room, &parameters(query, "event_id").pop()?)
            }
            (&Method::GET, ["federation", "v1", "event_auth", _, id]) => {
                Some(json!({"auth_chain": self.archive.auth_chain(id)}))
            }
            (&Method::GET, ["federation", "v1", "backfill", _]) => {
                let most = parameters(query, "limit").pop()?.parse().ok()?;
                Some(wrapped(self.archive.backwards(parameters(query, "v"), most)))
            }
            (&Method::POST, ["federation", "v1", "get_missing_events", _]) => self.missing(body),
            (&Method::POST, ["federation", "v1", "user", "keys", "query"]) => {
                Some(json!({"device_keys": {}}))
            }
            (&Method::POST, ["federation", "v1", "user", "keys", "claim"]) => {
                Some(json!({"one_time_keys": {}}))
            }
            (&Method::GET, ["federation", "v1", "user", "devices", user]) => {
                Some(json!({"user_id": user, "stream_id": 1, "devices": []}))
            }
            (&Method::GET, ["federation", "v1", "query", "profile"]) => Some(json!({})),
            _ => None,
        }
    }

    /// `server-server-api/#transactions`: hears what the run has marked, and finds nothing wrong.
    fn transaction(&self, body: &[u8]) -> Option<Value> {
        #[derive(Deserialize)]
        struct Transaction<'a> {
            #[serde(borrow, default)]
            pdus: Vec<Event<'a>>,
        }
        let at = Instant::now();
        let transaction: Transaction<'_> = serde_json::from_slice(body).ok()?;
        let Some(hearing) = self.ears.hearing() else { return Some(json!({"pdus": {}})) };
        hearing.recorder.count("transactions received by servers", 1);
        hearing.recorder.count("events received by servers", transaction.pdus.len() as u64);
        for event in &transaction.pdus {
            let number =
                event.content.mark.strip_prefix(&*hearing.run).and_then(|number| number.parse().ok());
            if let Some(number) = number {
                hearing.ledger.seen(number, self.peer.number, at);
            }
        }
        Some(json!({"pdus": {}}))
    }

    fn missing(&self, body: &[u8]) -> Option<Value> {
        #[derive(Deserialize)]
        struct Missing {
            #[serde(default)]
            earliest_events: Vec<String>,
            latest_events: Vec<String>,
            #[serde(default)]
            limit: Option<usize>,
        }
        let asked: Missing = serde_json::from_slice(body).ok()?;
        // The text's own limit where none is given.
        let most = asked.limit.unwrap_or(10);
        Some(json!({"events": self.archive.between(&asked.earliest_events, &asked.latest_events, most)}))
    }
}

/// All values of a parameter that may be repeated.
fn parameters(query: &str, name: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(found, _)| found == name).map(|(_, value)| value.into_owned()).collect()
}

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
