//! Connections that do not get on: nothing is said, a TLS handshake stays unfinished, a request comes byte by byte.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout},
};
use url::Url;

use crate::target::Target;

/// How long there is between two bytes.
const PAUSE: Duration = Duration::from_millis(500);

/// Connections that stall until they are told to end.
pub(super) struct Stalling {
    connections: JoinSet<f64>,
    end: Arc<Notify>,
    until: Instant,
}

/// Opens so many connections, which stall for at least that long.
pub(super) fn begin(target: &Target, count: usize, at_least: Duration) -> Stalling {
    let end = Arc::new(Notify::new());
    let mut connections = JoinSet::new();
    let instance = target.instances.first();
    let clients = instance.map(|instance| instance.client.clone());
    let servers = instance.and_then(|instance| instance.federation.clone()).or_else(|| clients.clone());
    for number in 0..count {
        let (url, bytes) = match number % 4 {
            0 => (servers.clone(), Vec::new()),
            1 => (servers.clone(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(100)),
            2 => (clients.clone(), b"GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\n".repeat(20)),
            _ => (
                clients.clone(),
                b"PUT /_matrix/federation/v1/send/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{"
                    .repeat(10),
            ),
        };
        let end = Arc::clone(&end);
        if let Some(url) = url {
            connections.spawn(async move { stall(&url, &bytes, &end).await });
        }
    }
    Stalling { connections, end, until: Instant::now() + at_least }
}

impl Stalling {
    /// Ends them when their time is over; gives for how many seconds they stalled, all added up.
    pub(super) async fn end(mut self) -> f64 {
        tokio::time::sleep_until(self.until).await;
        let mut seconds = 0.0;
        while !self.connections.is_empty() {
            self.end.notify_waiters();
            // One that was between two waits has missed it, and hears of it the next time.
            if let Ok(Some(Ok(stalled))) = timeout(PAUSE, self.connections.join_next()).await {
                seconds += stalled;
            }
        }
        seconds
    }
}

/// Stalls one connection until all are to end; where the server closes it, another is opened.
async fn stall(url: &Url, bytes: &[u8], end: &Notify) -> f64 {
    let mut seconds = 0.0;
    let address =
        (url.host_str().unwrap_or("localhost").to_owned(), url.port_or_known_default().unwrap_or(443));
    loop {
        let Ok(mut connection) = TcpStream::connect(address.clone()).await else {
            if timeout(PAUSE, end.notified()).await.is_ok() {
                return seconds;
            }
            continue;
        };
        let begun = Instant::now();
        let mut left = bytes.iter();
        loop {
            if timeout(PAUSE, end.notified()).await.is_ok() {
                return seconds + begun.elapsed().as_secs_f64();
            }
            if let Some(byte) = left.next()
                && connection.write_all(&[*byte]).await.is_err()
            {
                break;
            }
        }
        seconds += begun.elapsed().as_secs_f64();
    }
}
