//! What peers do: the errands that were signed ahead, and joins.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::{Turn, nowhere};
use crate::{
    connection::Problem,
    federation::{Errand, Event, Peer, Proposal},
    ledger::Sent,
    operation::Operation,
    recorder::Moments,
};

impl Turn<'_> {
    /// Sends what is ready.
    pub(super) async fn errand(&mut self) {
        let Some(Errand { request, room, expects }) = self.traffic.errand(self.number) else {
            return self.fails(&nowhere());
        };
        let Some(peer) = self.peer() else { return self.fails(&nowhere()) };
        self.owe_residents(room);
        self.recorder().started(self.deed.measured, self.moments.due, 1);
        let within = self.traffic.within;
        let came = if self.deed.action.operation.is_transaction() {
            match tokio::time::timeout(within, peer.outbox.lock()).await {
                Ok(mut outbox) => {
                    self.moments.begun = Instant::now();
                    outbox.send(request, within).await
                }
                Err(_) => Err(Problem::TimedOut),
            }
        } else {
            self.lane.success(request, within).await
        };
        let came = came.and_then(|body| expects.check(&body));
        self.recorder().ended(self.deed.measured, self.moments, came.as_ref().map(|_| ()));
        match came {
            Ok(()) => self.traffic.watch.ledger.acknowledged(self.number),
            Err(_) => self.traffic.watch.ledger.failed(self.number),
        }
    }

    /// What a peer sends is owed to everybody in the room who is online.
    fn owe_residents(&self, room: u32) {
        let Some(operation) = self.deed.delivery else { return };
        let receivers = self.population().rooms[room as usize].watchers.clone();
        let sent = Sent { operation, moments: self.moments, room: Some(room), sender: u32::MAX, receivers };
        self.traffic.watch.ledger.sends(self.number, &sent);
    }

    /// A new user of a peer joins a room that the peer is not in, and leaves it.
    pub(super) async fn server_join(&mut self) {
        let (Some(lobby), Some(peer)) = (self.lobby(|_| true), self.peer()) else {
            return self.fails(&nowhere());
        };
        let room = lobby.segment.clone();
        let user = peer.user(&format!("joins-{}", self.mark()));
        self.recorder().started(self.deed.measured, self.moments.due, 1);
        let joined = self.enter(&peer, &room, &user).await;
        self.recorder().ended(self.deed.measured, self.moments, joined.as_ref().map(|_| ()));
        if joined.is_ok() {
            // Whatever comes of it is in the series of its requests.
            let leave = ["make_leave", "send_leave"];
            let _: Result<Value, Problem> = self.handshake(&peer, leave, &room, &user).await;
        }
    }

    async fn enter(&mut self, peer: &Arc<Peer>, room: &str, user: &str) -> Result<(), Problem> {
        #[derive(Deserialize)]
        struct Told {
            state: Vec<Value>,
        }
        let told: Told = self.handshake(peer, ["make_join", "send_join"], room, user).await?;
        let is_creation = |event: &Value| event["type"] == "m.room.create";
        let lacks = || Problem::Incomplete("the state without its create event".to_owned());
        told.state.iter().any(is_creation).then_some(()).ok_or_else(lacks)
    }

    /// Asks for an event, completes it beside the thread that keeps the schedule, and hands it in.
    async fn handshake<T: DeserializeOwned>(
        &mut self,
        peer: &Arc<Peer>,
        [make, send]: [&'static str; 2],
        room: &str,
        user: &str,
    ) -> Result<T, Problem> {
        let proposal: Proposal = self.asked(make, peer.proposal(make, room, user)?).await?;
        let signing = peer.clone();
        let signed = tokio::task::spawn_blocking(move || signing.complete(proposal)).await;
        let (event, _): (Event, _) = signed.map_err(|error| Problem::Malformed(error.to_string()))??;
        self.asked(send, peer.handing_in(send, room, &event)?).await
    }

    /// A step of a handshake: it is due when it is begun, and has a series of its own.
    async fn asked<T: DeserializeOwned>(
        &mut self,
        step: &str,
        request: http::Request<http_body_util::Full<bytes::Bytes>>,
    ) -> Result<T, Problem> {
        let operation = self.recorder().operation(&step.replace('_', "-"));
        let now = Instant::now();
        self.recorder().started(operation, now, 1);
        let came = self.lane.success(request, self.traffic.within).await;
        self.recorder().ended(operation, Moments { due: now, begun: now }, came.as_ref().map(|_| ()));
        serde_json::from_slice(&came?).map_err(|error| Problem::Malformed(format!("{step}: {error}")))
    }

    fn peer(&self) -> Option<Arc<Peer>> {
        self.traffic.federation.as_ref()?.peers.get(self.place as usize).cloned()
    }

    /// What a user sends is owed to the peers in the room.
    pub(super) fn owe_peers(&self, room: u32) {
        let servers = &self.population().rooms[room as usize].servers;
        let is_message = matches!(self.deed.action.operation, Operation::Send | Operation::SendEncrypted);
        if let Some(outward) =
            self.traffic.watch.outward.as_ref().filter(|_| is_message && !servers.is_empty())
        {
            let operation = self.recorder().operation("delivery-outbound");
            let sent = Sent {
                operation,
                moments: self.moments,
                room: None,
                sender: u32::MAX,
                receivers: servers.clone(),
            };
            outward.sends(self.number, &sent);
        }
    }
}
