//! A stub of a homeserver: enough for a population, and as unreliable as it is told to be.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch};

/// How the stub behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Well,
    /// It takes requests and never answers.
    Hanging,
    /// It closes connections instead of answering.
    Resetting,
    /// It answers everything but the simplest question with this status.
    Refusing(u16),
    /// It answers with something that is no HTTP.
    Raving,
}

/// A running stub. It ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Stub {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How many requests it was asked, those aside that make a population.
    pub(crate) asked: Arc<AtomicU64>,
    mood: Arc<watch::Sender<Mood>>,
}

impl Stub {
    /// Starts it. Its mood changes to this one after so many messages.
    pub(crate) async fn start(mood_after: Option<(u64, Mood)>) -> Stub {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let stub = Stub {
            address: listener.local_addr().expect("an address"),
            asked: Arc::default(),
            mood: Arc::new(watch::Sender::new(Mood::Well)),
        };
        let serving = stub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stub = serving.clone();
                tokio::spawn(async move {
                    let mut raving = stub.mood.subscribe();
                    let answering = stub.clone();
                    let answer = service_fn(move |request| answering.clone().answer(request, mood_after));
                    let (reader, writer) = stream.into_split();
                    let stream = tokio::io::join(reader, writer);
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                    tokio::pin!(connection);
                    tokio::select! {
                        _ = &mut connection => {}
                        // Whoever raves or resets does not wait for the end of an answer.
                        _ = raving.wait_for(|mood| *mood == Mood::Resetting) => {}
                    }
                });
            }
        });
        stub
    }

    /// The URL of it.
    pub(crate) fn url(&self) -> url::Url {
        format!("http://{}/", self.address).parse().expect("a URL")
    }

    async fn answer(
        self,
        request: Request<Incoming>,
        mood_after: Option<(u64, Mood)>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        if path.contains("/send/") {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some((_, mood)) = mood_after.filter(|(after, _)| asked == *after) {
                self.mood.send_replace(mood);
            }
        }
        let mood = *self.mood.borrow();
        let is_simple = path.ends_with("/versions");
        match mood {
            Mood::Hanging | Mood::Resetting => std::future::pending().await,
            Mood::Refusing(status) if !is_simple => Ok(refusal(status)),
            Mood::Raving if !is_simple => Ok(json("this is no JSON".to_owned())),
            _ => Ok(json(self.well(&path, request.uri().query().unwrap_or_default()).await)),
        }
    }

    /// What a homeserver answers, in as few bytes as will do.
    async fn well(&self, path: &str, query: &str) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        if path.ends_with("/register") {
            format!(r#"{{"user_id":"@u{number}:stub","access_token":"t{number}","device_id":"D"}}"#)
        } else if path.ends_with("/createRoom") {
            format!(r#"{{"room_id":"!r{number}:stub"}}"#)
        } else if path.ends_with("/joined_rooms") {
            r#"{"joined_rooms":[]}"#.to_owned()
        } else if path.contains("/join/") {
            r#"{"room_id":"!r:stub"}"#.to_owned()
        } else if path.ends_with("/sync") {
            let holds = query.split('&').find_map(|pair| pair.strip_prefix("timeout="));
            let holds = holds.and_then(|holds| holds.parse().ok()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(holds)).await;
            r#"{"next_batch":"s1"}"#.to_owned()
        } else if path.ends_with("/versions") {
            r#"{"versions":["v1.19"]}"#.to_owned()
        } else {
            format!(r#"{{"event_id":"$e{number}"}}"#)
        }
    }
}

fn json(body: String) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from(body)))
}

fn refusal(status: u16) -> Response<Full<Bytes>> {
    let mut response =
        json(r#"{"errcode":"M_LIMIT_EXCEEDED","error":"not now","retry_after_ms":100}"#.to_owned());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}
