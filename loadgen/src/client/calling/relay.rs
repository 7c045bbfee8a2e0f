//! Relays for calls: whether the credentials that a homeserver gives out open one (`client-server-api/#voice-over-ip`).

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use turn::Allocation;

use crate::{client::now, connection::Problem, connection::Server, recorder::Recorder};

/// What a homeserver answers who was asked for credentials.
#[derive(Debug, Deserialize)]
pub(super) struct Credentials {
    username: String,
    password: String,
    uris: Vec<String>,
}

impl Credentials {
    /// Nothing where the answer holds none: a server may have no relay to offer.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Asks the first TURN server that speaks UDP for a relay, and gives it back; counts as `turn-allocation`.
    pub(super) async fn are_tried(&self, recorder: &Recorder, server: &Server, within: Duration) {
        let (operation, moments) = (recorder.operation("turn-allocation"), now());
        recorder.started(operation, moments.due, 1);
        let came = self.allocate(server, within).await;
        recorder.ended(operation, moments, came.as_ref().map(|_| ()));
    }

    async fn allocate(&self, server: &Server, within: Duration) -> Result<(), Problem> {
        let place = self.uris.iter().find_map(|uri| turn::udp_place(uri));
        let place = place.ok_or_else(|| Problem::Incomplete("no TURN server speaks UDP".to_owned()))?;
        let address = resolved(place).await?;
        // Whoever owns the homeserver has said so; whoever it sends its users to is another matter.
        if server.is_loopback() && !address.ip().is_loopback() {
            return Err(Problem::Unconnected(format!("the TURN server {address} is not on this machine")));
        }
        match turn::allocate(address, &self.username, &self.password, within).await {
            Ok(Allocation::Granted { .. }) => Ok(()),
            Ok(Allocation::Refused { code, reason }) => {
                Err(Problem::Status { status: code, errcode: reason.replace(' ', "-"), retry_after_ms: None })
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(Problem::TimedOut),
            Err(error) => Err(Problem::Malformed(error.to_string())),
        }
    }
}

async fn resolved((host, port): (&str, u16)) -> Result<SocketAddr, Problem> {
    let unknown = |error: std::io::Error| Problem::Unconnected(format!("{host}: {error}"));
    let mut addresses = tokio::net::lookup_host((host, port)).await.map_err(unknown)?;
    addresses.next().ok_or_else(|| Problem::Unconnected(format!("{host} has no address")))
}
