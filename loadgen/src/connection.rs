//! One HTTP/1.1 connection of one user, driven by the user's own task: no pool, no second task, no lock.

mod problem;
mod server;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

pub use problem::Problem;
pub use server::{Server, Stream};

/// Bodies that are sent.
type Sent = Full<Bytes>;

/// A way to the server that carries one request at a time. The connection is made when it is first needed, and anew when
/// the server has closed it.
#[derive(Debug)]
pub struct Lane {
    server: Arc<Server>,
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    sender: http1::SendRequest<Sent>,
    driver: http1::Connection<TokioIo<Stream>, Sent>,
}

/// What the server answered, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

impl Lane {
    /// A lane to this server, not connected yet.
    #[must_use]
    pub fn new(server: Arc<Server>) -> Self {
        Lane { server, open: None }
    }

    /// The server at its end.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Puts a request and waits for a success, at most for so long.
    ///
    /// # Errors
    /// When there is none: no connection, no answer in time, or a status that is none of success.
    pub async fn success(&mut self, request: Request<Sent>, within: Duration) -> Result<Bytes, Problem> {
        let answer = self.exchange(request, within).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(Problem::of_answer(&answer)) }
    }

    /// Puts a request and waits for the answer, at most for so long.
    ///
    /// # Errors
    /// When there is none.
    pub async fn exchange(&mut self, request: Request<Sent>, within: Duration) -> Result<Answer, Problem> {
        let exchanged = tokio::time::timeout(within, self.exchange_at_leisure(request)).await;
        let exchanged = exchanged.unwrap_or(Err(Problem::TimedOut));
        if exchanged.is_err() {
            // Whatever still comes on it would be taken for the answer to another request.
            self.open = None;
        }
        exchanged
    }

    async fn exchange_at_leisure(&mut self, mut request: Request<Sent>) -> Result<Answer, Problem> {
        let host = self.server.authority().clone();
        request.headers_mut().insert(header::HOST, host);
        let mut open = match self.living().await {
            Some(open) => open,
            None => Box::new(Open::connect(&self.server).await?),
        };
        let response = open.drive_with(|sender| sender.send_request(request)).await?;
        let (head, body) = response.into_parts();
        let body = open.drive(collect(body)).await?;
        let stays = head
            .headers
            .get(header::CONNECTION)
            .is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"close"));
        if stays {
            self.open = Some(open);
        }
        Ok(Answer { status: head.status, body })
    }

    /// The connection of the last request, if the server has left it open.
    async fn living(&mut self) -> Option<Box<Open>> {
        let mut open = self.open.take()?;
        open.is_alive().await.then_some(open)
    }
}

impl Open {
    async fn connect(server: &Server) -> Result<Self, Problem> {
        let stream = server.connect().await?;
        let (sender, driver) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Problem::of_hyper(&error))?;
        Ok(Open { sender, driver })
    }

    /// Whether the server has left the connection open since the last answer.
    async fn is_alive(&mut self) -> bool {
        let ended = poll_fn(|context| Poll::Ready(Pin::new(&mut self.driver).poll(context).is_ready())).await;
        !ended && self.sender.is_ready()
    }

    async fn drive_with<T, F>(
        &mut self,
        start: impl FnOnce(&mut http1::SendRequest<Sent>) -> F,
    ) -> Result<T, Problem>
    where
        F: Future<Output = hyper::Result<T>>,
    {
        let future = start(&mut self.sender);
        driven(&mut self.driver, async { future.await.map_err(|error| Problem::of_hyper(&error)) }).await
    }

    async fn drive<T>(&mut self, future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        driven(&mut self.driver, future).await
    }
}

/// Drives the connection until the future on top of it is done.
async fn driven<T>(
    driver: &mut http1::Connection<TokioIo<Stream>, Sent>,
    future: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let mut future = pin!(future);
    let mut ended = false;
    poll_fn(|context| {
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            // The end of the connection reaches the future, which is asked once more.
            if ended || Pin::new(&mut *driver).poll(context).is_pending() {
                return future.as_mut().poll(context);
            }
            ended = true;
        }
    })
    .await
}

async fn collect(mut body: hyper::body::Incoming) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::of_hyper(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        // Nearly all bodies come in one piece, which is not copied.
        match (first.is_empty(), whole.is_empty()) {
            (true, true) => first = data,
            (_, true) => {
                whole.extend_from_slice(&first);
                whole.extend_from_slice(&data);
            }
            (_, false) => whole.extend_from_slice(&data),
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}
