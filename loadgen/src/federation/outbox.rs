//! What a scripted server sends, one transaction after the other (`server-server-api/#transactions`).

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::Instant;

use crate::connection::{Lane, Problem};

/// The transactions of one peer. One that was not answered with success is sent again, as it is, before there is another.
#[derive(Debug)]
pub(crate) struct Outbox {
    lane: Lane,
    unanswered: Option<Unanswered>,
}

#[derive(Debug)]
struct Unanswered {
    transaction: Request<Full<Bytes>>,
    /// The server wants to be left alone until then.
    not_before: Instant,
}

impl Outbox {
    pub(super) fn new(lane: Lane) -> Self {
        Outbox { lane, unanswered: None }
    }

    /// Sends a transaction, once the one before has been answered; both together may take so long.
    ///
    /// # Errors
    /// When it got no success; it is sent again before the next one. When the one before still gets none, this one is not sent at
    /// all: what it holds, the server can ask for.
    pub(crate) async fn send(
        &mut self,
        transaction: Request<Full<Bytes>>,
        within: Duration,
    ) -> Result<Bytes, Problem> {
        let until = Instant::now() + within;
        if let Some(Unanswered { transaction, not_before }) = self.unanswered.take() {
            if not_before >= until {
                self.unanswered = Some(Unanswered { transaction, not_before });
                return Err(Problem::TimedOut);
            }
            tokio::time::sleep_until(not_before).await;
            self.attempt(transaction, until).await?;
        }
        self.attempt(transaction, until).await
    }

    async fn attempt(&mut self, transaction: Request<Full<Bytes>>, until: Instant) -> Result<Bytes, Problem> {
        let within = until.saturating_duration_since(Instant::now());
        let came = self.lane.success(transaction.clone(), within).await;
        if let Err(problem) = &came {
            let not_before = Instant::now() + problem.pause();
            self.unanswered = Some(Unanswered { transaction, not_before });
        }
        came
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Method;
    use rstest::rstest;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::mpsc,
    };

    use super::*;
    use crate::{connection::Server, request};

    /// Answers one request after the other with these statuses, then with 200; 0 is no answer at all. Tells the paths.
    async fn server(statuses: &'static [u16]) -> (Outbox, mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (told, paths) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut statuses = statuses.iter().copied().chain(std::iter::repeat(200));
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                while let Some(path) = asked(&mut stream).await {
                    told.send(path).expect("the test listens");
                    match statuses.next().unwrap_or_default() {
                        0 => break,
                        status => {
                            let body = "{\"retry_after_ms\":20}";
                            let length = body.len();
                            let answer =
                                format!("HTTP/1.1 {status} _\r\ncontent-length: {length}\r\n\r\n{body}");
                            stream.write_all(answer.as_bytes()).await.expect("it listens");
                        }
                    }
                }
                kept.push(stream);
            }
        });
        let server = Server::resolve(&url.parse().expect("a URL"), None).await.expect("a server");
        (Outbox::new(Lane::new(Arc::new(server))), paths)
    }

    async fn asked(stream: &mut TcpStream) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        String::from_utf8_lossy(&head).split(' ').nth(1).map(str::to_owned)
    }

    #[rstest]
    #[case::taken(&[200], &["/1", "/2"], true)]
    #[case::refused(&[500], &["/1", "/1", "/2"], false)]
    #[case::limited(&[429], &["/1", "/1", "/2"], false)]
    #[case::silent(&[0], &["/1", "/1", "/2"], false)]
    #[case::refused_twice(&[500, 500], &["/1", "/1", "/1", "/3"], false)]
    #[tokio::test]
    async fn the_next_one_waits_for_an_answer(
        #[case] statuses: &'static [u16],
        #[case] expected: &[&str],
        #[case] is_taken: bool,
    ) {
        let (mut outbox, mut paths) = server(statuses).await;
        let within = Duration::from_millis(300);
        for number in 1.. {
            let transaction = request::build(Method::PUT, &format!("/{number}"), None, None, Bytes::new());
            let came = outbox.send(transaction, within).await;
            if number == 1 {
                assert_eq!(came.is_ok(), is_taken);
            } else if came.is_ok() {
                break;
            }
        }
        let mut came = Vec::new();
        while let Ok(path) = paths.try_recv() {
            came.push(path);
        }
        assert_eq!(came, expected);
    }
}
