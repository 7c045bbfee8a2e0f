//! Two parties and the ways by which each reaches the server.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::{Broken, broken, content, relay::Credentials};
use crate::{
    client::{Traffic, now},
    connection::Lane,
    homes::Home,
    recorder::Moments,
    request,
    switchboard::Call,
};

/// Somebody in a call.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) user: u32,
    pub(super) party_id: String,
}

/// A call between two.
pub(super) struct Line<'l> {
    pub(super) traffic: &'l Traffic,
    pub(super) room: &'l str,
    pub(super) number: u64,
    pub(super) caller: (Party, &'l mut Lane),
    pub(super) callee: (Party, &'l mut Lane),
}

/// One of the two, about to send.
pub(super) struct End<'e> {
    traffic: &'e Traffic,
    room: &'e str,
    number: u64,
    party: &'e Party,
    lane: &'e mut Lane,
}

impl Line<'_> {
    /// From now on, events of the call are kept.
    pub(super) fn open(&self, call_id: &str) -> Arc<Call> {
        self.traffic.watch.switchboard.open(call_id)
    }

    /// Caller and callee.
    pub(super) fn ends(&mut self) -> (End<'_>, End<'_>) {
        let (traffic, room, number) = (self.traffic, self.room, self.number);
        let caller = End { traffic, room, number, party: &self.caller.0, lane: self.caller.1 };
        let callee = End { traffic, room, number, party: &self.callee.0, lane: self.callee.1 };
        (caller, callee)
    }
}

impl<'e> End<'e> {
    /// What every event of a call says of it.
    pub(super) fn id<'i>(&'i self, call_id: &'i str) -> content::Id<'i> {
        content::Id { call_id, party_id: &self.party.party_id }
    }

    /// The full user id.
    pub(super) fn user_id(&self) -> &'e str {
        &self.traffic.watch.population.users[self.party.user as usize].id
    }

    /// Sends an event of the call; `select-answer` stands for `m.call.select_answer`.
    pub(super) async fn send(&mut self, event: &str, content: Value, moments: Moments) -> Result<(), Broken> {
        let traffic = self.traffic;
        let recorder = &traffic.watch.recorder;
        let operation = recorder.operation(event);
        recorder.started(operation, moments.due, 1);
        let sent = traffic.events_sent.fetch_add(1, Ordering::Relaxed);
        let transaction = format!("{}{}-call-{sent}", traffic.watch.run, self.number);
        let path = format!(
            "/_matrix/client/v3/rooms/{}/send/m.call.{}/{transaction}",
            self.room,
            event.replace('-', "_")
        );
        let bearer = &traffic.watch.population.users[self.party.user as usize].bearer;
        let came = self.lane.success(request::put(&path, Some(bearer), &content), traffic.within).await;
        recorder.ended(operation, moments, came.as_ref().map(|_| ()));
        came.map(drop).map_err(|problem| broken(event, &problem))
    }

    /// Gathers candidates for so long, and sends them in one batch with the one that ends them.
    pub(super) async fn candidates(mut self, call_id: &str, after: Duration) -> Result<(), Broken> {
        tokio::time::sleep(after).await;
        let content = content::candidates(self.id(call_id));
        self.send("candidates", content, now()).await
    }

    /// Asks for credentials of a relay. A server may have none to give.
    pub(super) async fn turn_credentials(self) {
        let traffic = self.traffic;
        let recorder = &traffic.watch.recorder;
        let (operation, moments) = (recorder.operation("turn-credentials"), now());
        recorder.started(operation, moments.due, 1);
        let bearer = &traffic.watch.population.users[self.party.user as usize].bearer;
        let ask = request::get("/_matrix/client/v3/voip/turnServer", Some(bearer));
        let came = self.lane.success(ask, traffic.within).await;
        recorder.ended(operation, moments, came.as_ref().map(|_| ()));
        let Ok(body) = came else { return };
        let credentials = Credentials::read(&body);
        match credentials {
            Some(credentials) if traffic.calls.relay => {
                credentials.are_tried(recorder, &traffic.homes.at(Home::Here).server, traffic.within).await;
            }
            Some(_) => {}
            None => recorder.count("answers without credentials of a relay", 1),
        }
    }
}
