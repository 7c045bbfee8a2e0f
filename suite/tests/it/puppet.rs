//! A homeserver without a mind of its own: it answers what a test tells it to, byte by byte.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What goes over the wire in answer to a request line.
pub(crate) type Script = dyn Fn(&str) -> Reply + Send + Sync;

/// One answer.
pub(crate) enum Reply {
    /// A whole answer with a JSON body.
    Json(u16, Value),
    /// These bytes, and then the connection is closed.
    Raw(Vec<u8>),
    /// A head, and then a body without an end.
    Endless,
    /// Nothing, for as long as the client waits.
    Silence,
}

/// A running puppet. Its connections end with it.
pub(crate) struct Puppet {
    pub(crate) url: url::Url,
    task: JoinHandle<()>,
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Puppet {
    /// A puppet that answers by the script.
    pub(crate) async fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
        let script: Arc<Script> = Arc::new(script);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, script.clone()));
            }
        });
        Puppet { url, task }
    }

    /// A puppet that does just what the suite needs before its first test.
    pub(crate) async fn obliging() -> Self {
        Self::start(obliging).await
    }
}

/// The answers of a server on which the suite can begin and build its stage.
pub(crate) fn obliging(request: &str) -> Reply {
    let path = request.split(' ').nth(1).unwrap_or_default();
    match path.split('?').next().unwrap_or_default() {
        "/_matrix/client/versions" => Reply::Json(200, json!({"versions": ["v1.1", "v1.11"]})),
        "/_matrix/client/v3/register" => Reply::Json(
            200,
            json!({"user_id": "@puppet:localhost", "access_token": "token", "device_id": "DEVICE"}),
        ),
        "/_matrix/client/v3/capabilities" => Reply::Json(
            200,
            json!({"capabilities": {"m.room_versions": {"default": "11", "available": {"11": "stable"}}}}),
        ),
        "/_matrix/client/v3/createRoom" => Reply::Json(200, json!({"room_id": "!room:localhost"})),
        "/_matrix/client/v3/sync" => Reply::Json(200, json!({"next_batch": "1"})),
        "/_matrix/client/v3/logout" => Reply::Json(200, json!({})),
        path if path.contains("/send/m.room.message/") => Reply::Json(200, json!({"event_id": "$event"})),
        _ => Reply::Json(
            404,
            json!({"errcode": "M_UNRECOGNIZED", "error": "the puppet knows no such endpoint"}),
        ),
    }
}

async fn converse(mut stream: TcpStream, script: Arc<Script>) {
    while let Some(request) = read_request(&mut stream).await {
        let closed = match script(&request) {
            Reply::Json(status, body) => {
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.is_err()
            }
            Reply::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                true
            }
            Reply::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await;
                while stream.write_all(&[b' '; 64 * 1024]).await.is_ok() {}
                true
            }
            Reply::Silence => std::future::pending().await,
        };
        if closed {
            return;
        }
    }
}

/// Reads one request and gives its request line.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break String::from_utf8_lossy(&bytes[..end]).into_owned();
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let wanted = head.len() + 4 + length.unwrap_or(0);
    while bytes.len() < wanted {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    head.lines().next().map(str::to_owned)
}
