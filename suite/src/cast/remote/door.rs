//! Where a remote listens: HTTP/1.1 over TLS on loopback, for as long as its owner lives; some neighbours go without TLS.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Limited, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::reply::{Delivery, Reply};

/// More than any request of the specification; what is longer is not read.
const LONGEST_BODY_BYTES: usize = 16 * 1024 * 1024;
/// How much of an endless body goes out before a peer that reads it all is given up.
const ENDLESS_BYTES: usize = 256 * 1024 * 1024;

/// A listener and its connections; they end with it.
#[derive(Debug)]
pub(in crate::cast) struct Door(tokio::task::JoinHandle<()>);

/// A request as it came in.
pub(in crate::cast) struct Visit {
    pub(in crate::cast) method: Method,
    pub(in crate::cast) target: String,
    pub(in crate::cast) headers: HeaderMap,
    pub(in crate::cast) body: Bytes,
    pub(in crate::cast) reached: Reached,
}

/// How somebody came to a door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The address at which it was reached.
    pub address: Option<SocketAddr>,
    /// The name that was asked for in the TLS handshake.
    pub server_name: Option<String>,
}

impl Door {
    /// Opens the listener, without TLS where there is no configuration of it; every request is handed to `answer`.
    pub(in crate::cast) fn open<A, F>(
        listener: TcpListener,
        config: Option<ServerConfig>,
        answer: A,
    ) -> io::Result<Self>
    where
        A: Fn(Visit) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let acceptor = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        Ok(Door(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(serve(stream, acceptor.clone(), answer.clone()));
            }
        })))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A peer that breaks the protocol, or does not trust the certificate, ends its own connection.
async fn serve<A, F>(stream: TcpStream, acceptor: Option<TlsAcceptor>, answer: A)
where
    A: Fn(Visit) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let mut reached = Reached { address: stream.local_addr().ok(), server_name: None };
    match acceptor {
        None => converse(stream, reached, answer).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                reached.server_name = stream.get_ref().1.server_name().map(str::to_owned);
                converse(stream, reached, answer).await;
            }
        }
    }
}

async fn converse<S, A, F>(stream: S, reached: Reached, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Visit) -> F + Clone,
    F: Future<Output = Reply>,
{
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (answer, reached) = (answer.clone(), reached.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, LONGEST_BODY_BYTES).collect().await.map_err(io::Error::other)?;
            let target = head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
            let (method, headers, body) = (head.method, head.headers, body.to_bytes());
            let visit = Visit { method, target, headers, body, reached };
            deliver(answer(visit).await).await
        }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An error ends the connection without an answer.
async fn deliver(reply: Reply) -> io::Result<http::Response<BoxBody<Bytes, io::Error>>> {
    if let Some(mut ready) = reply.ready {
        let _ = ready.wait_for(|ready| *ready).await;
    }
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let body = match reply.delivery {
        Delivery::Nothing => return Err(io::Error::other("no answer on purpose")),
        Delivery::Whole => {
            http_body_util::Full::new(reply.body).map_err(|never: Infallible| match never {}).boxed()
        }
        Delivery::Half => {
            response = response.header("content-length", reply.body.len());
            half(&reply.body)
        }
        Delivery::Endless => endless(),
    };
    response.body(body).map_err(io::Error::other)
}

fn half(body: &Bytes) -> BoxBody<Bytes, io::Error> {
    let first = body.slice(..body.len() / 2);
    // The pause lets the first half leave before the connection does.
    let end = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(io::Error::other("broken off on purpose"))
    };
    BodyExt::boxed(StreamBody::new(stream::iter([Ok(Frame::data(first))]).chain(stream::once(end))))
}

fn endless() -> BoxBody<Bytes, io::Error> {
    const CHUNK: &[u8] = &[b' '; 64 * 1024];
    let chunk = || Ok(Frame::data(Bytes::from_static(CHUNK)));
    let chunks = std::iter::repeat_with(chunk).take(ENDLESS_BYTES / CHUNK.len());
    BodyExt::boxed(StreamBody::new(stream::iter(chunks)))
}
