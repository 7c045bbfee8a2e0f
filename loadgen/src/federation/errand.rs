//! What peers are to send in a run, signed before it begins.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use protocol::Object;
use serde_json::{Value, json};

use super::{
    Federation, Peer, Places, Shape,
    dag::Tip,
    joining::Shared,
    peer::{Event, now_ms},
};
use crate::{
    connection::Problem,
    engine::{Slot, mixed, owner_of},
    message,
    operation::Operation,
    population::Population,
    profile::Profile,
    request,
};

/// How many events a peer asks for at once.
const PAGE: u32 = 30;

/// Requests that are ready to be sent, by the numbers of their slots.
pub(crate) type Errands = HashMap<u64, Errand>;

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) request: Request<Full<Bytes>>,
    /// The room in the population that it is about.
    pub(crate) room: u32,
    /// What the answer has to hold.
    pub(crate) expects: Expects,
}

/// What an answer has to hold, so that it counts as a success.
#[derive(Clone, Debug)]
pub(crate) enum Expects {
    /// A result for a transaction that names no error of these events.
    Taken(Vec<String>),
    /// Something under this name, which is a list or an object.
    Holding(&'static str),
}

/// What is to be signed.
#[derive(Debug)]
pub(crate) struct Plan<'p> {
    pub(crate) profile: &'p Profile,
    pub(crate) population: &'p Population,
    pub(crate) slots: &'p [Slot],
    /// What the marks of the run begin with.
    pub(crate) run: &'p str,
}

/// Signs what peers send at these slots. Those who join sign when they have been answered.
///
/// # Errors
/// When a peer has no room in which it could do what it is to do.
pub(crate) fn sign_ahead(federation: &Federation, plan: &Plan<'_>) -> Result<Errands, Problem> {
    let kinds: Vec<Vec<usize>> =
        plan.profile.actions.iter().map(|action| plan.profile.kinds(action)).collect();
    let shape = plan.profile.servers.as_ref().map_or(Shape::Linear, |servers| servers.shape);
    let begun_ms = now_ms();
    let mut errands = Errands::new();
    let mut rooms_of: HashMap<(u32, usize), Places> = HashMap::new();
    for slot in plan.slots {
        let action = &plan.profile.actions[slot.action];
        if !action.operation.is_signed_ahead() {
            continue;
        }
        let peer = owner_of(slot.number, federation.peers.len());
        let Some(peer) = federation.peers.get(peer) else { continue };
        let rooms = rooms_of
            .entry((peer.number, slot.action))
            .or_insert_with(|| federation.rooms_of(peer.number, &kinds[slot.action], plan.population));
        let chosen = usize::try_from(mixed(slot.number ^ mixed(1))).unwrap_or_default() % rooms.len().max(1);
        let Some((room, shared)) = rooms.get(chosen) else { continue };
        let at_ms = begun_ms + u64::try_from(slot.due.as_millis()).unwrap_or_default();
        let writer = Writer { federation, peer, shared, shape, at_ms, number: slot.number };
        let (request, expects) = writer.write(action.operation, action.events, action.bytes, plan.run)?;
        errands.insert(slot.number, Errand { request, room: *room, expects });
    }
    Ok(errands)
}

impl Expects {
    /// # Errors
    /// When the answer does not hold it.
    pub(crate) fn check(&self, body: &[u8]) -> Result<(), Problem> {
        let answer: Value =
            serde_json::from_slice(body).map_err(|error| Problem::Malformed(error.to_string()))?;
        match self {
            Expects::Taken(events) => {
                let error = events.iter().find_map(|id| answer["pdus"][id]["error"].as_str());
                error
                    .map_or(Ok(()), |error| Err(Problem::Incomplete(format!("an event is refused: {error}"))))
            }
            Expects::Holding(name) => {
                let is_there = match &answer[*name] {
                    Value::Array(list) => !list.is_empty(),
                    Value::Object(object) => !object.is_empty(),
                    _ => false,
                };
                is_there.then_some(()).ok_or_else(|| Problem::Incomplete(format!("nothing at {name}")))
            }
        }
    }
}

/// One peer at one slot, with the room that it is about.
struct Writer<'w> {
    federation: &'w Federation,
    peer: &'w Arc<Peer>,
    shared: &'w Shared,
    shape: Shape,
    at_ms: u64,
    number: u64,
}

impl Writer<'_> {
    fn write(
        &self,
        operation: Operation,
        events: u32,
        bytes: Option<usize>,
        run: &str,
    ) -> Result<(Request<Full<Bytes>>, Expects), Problem> {
        match operation {
            Operation::ServerSend => self.messages(events, bytes, run),
            Operation::ServerTyping => self.notice(run, "m.typing", self.typing()?),
            Operation::ServerReceipt => self.notice(run, "m.receipt", self.receipt()?),
            Operation::StateIds => self.ask("state_ids", &format!("event_id={}", self.past()), "pdu_ids"),
            Operation::Backfill => self.ask("backfill", &format!("v={}&limit={PAGE}", self.past()), "pdus"),
            Operation::MissingEvents => self.missing_events(),
            _ => self.keys(),
        }
    }

    /// Several messages in one transaction; the last one is marked.
    fn messages(
        &self,
        events: u32,
        bytes: Option<usize>,
        run: &str,
    ) -> Result<(Request<Full<Bytes>>, Expects), Problem> {
        let mark = format!("{run}{}", self.number);
        let mut sent = Vec::new();
        for place in 1..=events {
            let content = message::text(
                mixed(self.number ^ mixed(u64::from(place))),
                bytes,
                (place == events).then_some(&*mark),
            );
            sent.push(self.place(content)?);
        }
        let pdus: Vec<Value> = sent.iter().map(|event| Value::Object(event.json.clone())).collect();
        let ids = sent.into_iter().map(|event| event.id).collect();
        Ok((self.transaction(run, &json!(pdus), &json!([]))?, Expects::Taken(ids)))
    }

    /// Signs a message and places it in the graph.
    fn place(&self, content: Value) -> Result<Event, Problem> {
        let Shared { version, .. } = self.shared;
        let speaker = self.shared.speaker(self.peer.number).ok_or_else(outside)?;
        let mut dag = self.shared.dag();
        let before = dag.before(self.shape, self.peer.number, self.shared.peers());
        let depth = before.iter().map(|tip| tip.depth).max().unwrap_or_default() + 1;
        let event = json!({
            "type": "m.room.message",
            "room_id": self.shared.id,
            "sender": speaker.user,
            "content": content,
            "origin_server_ts": self.at_ms,
            "depth": depth,
            "prev_events": before.iter().map(|tip| &tip.id).collect::<Vec<_>>(),
            "auth_events": speaker.auth_events,
        });
        let event: Object = event.as_object().cloned().unwrap_or_default();
        let event = self.peer.sign(event, version)?;
        self.federation.archive.keep(&event);
        dag.place(self.shape, self.peer.number, &before, Tip { id: event.id.clone(), depth });
        Ok(event)
    }

    fn typing(&self) -> Result<Value, Problem> {
        let speaker = self.shared.speaker(self.peer.number).ok_or_else(outside)?;
        Ok(json!({"room_id": self.shared.id, "user_id": speaker.user, "typing": true}))
    }

    fn receipt(&self) -> Result<Value, Problem> {
        let speaker = self.shared.speaker(self.peer.number).ok_or_else(outside)?;
        let read = json!({"data": {"ts": self.at_ms}, "event_ids": [self.shared.dag().last().id]});
        Ok(json!({&self.shared.id: {"m.read": {&speaker.user: read}}}))
    }

    /// An ephemeral data unit in a transaction of its own.
    fn notice(
        &self,
        run: &str,
        kind: &str,
        content: Value,
    ) -> Result<(Request<Full<Bytes>>, Expects), Problem> {
        let edus = json!([{"edu_type": kind, "content": content}]);
        Ok((self.transaction(run, &json!([]), &edus)?, Expects::Taken(Vec::new())))
    }

    fn transaction(&self, run: &str, pdus: &Value, edus: &Value) -> Result<Request<Full<Bytes>>, Problem> {
        let path = format!("/_matrix/federation/v1/send/{run}{}", self.number);
        let body = json!({
            "origin": self.peer.name(), "origin_server_ts": self.at_ms, "pdus": pdus, "edus": edus,
        });
        self.peer.request(Method::PUT, &path, Some(&body))
    }

    fn ask(
        &self,
        what: &str,
        query: &str,
        expected: &'static str,
    ) -> Result<(Request<Full<Bytes>>, Expects), Problem> {
        let path = format!("/_matrix/federation/v1/{what}/{}?{query}", self.shared.segment);
        Ok((self.peer.request(Method::GET, &path, None)?, Expects::Holding(expected)))
    }

    fn missing_events(&self) -> Result<(Request<Full<Bytes>>, Expects), Problem> {
        let path = format!("/_matrix/federation/v1/get_missing_events/{}", self.shared.segment);
        let latest = self.shared.past.first().ok_or_else(outside)?;
        let earliest = self.shared.past.last().ok_or_else(outside)?;
        let body = json!({"earliest_events": [earliest], "latest_events": [latest], "limit": PAGE});
        Ok((self.peer.request(Method::POST, &path, Some(&body))?, Expects::Holding("events")))
    }

    fn keys(&self) -> Result<(Request<Full<Bytes>>, Expects), Problem> {
        let body = json!({"device_keys": {&self.shared.resident: []}});
        let path = "/_matrix/federation/v1/user/keys/query";
        Ok((self.peer.request(Method::POST, path, Some(&body))?, Expects::Holding("device_keys")))
    }

    /// An event from before the run, another one each time: a server may remember what it answered about one.
    fn past(&self) -> String {
        let chosen = usize::try_from(mixed(self.number ^ mixed(5))).unwrap_or_default();
        let past = &self.shared.past;
        request::segment(past.get(chosen % past.len().max(1)).map_or("", String::as_str))
    }
}

fn outside() -> Problem {
    Problem::Incomplete("a server is not in the room that it is to write to".to_owned())
}
