//! Any JSON as events: no judge panics, and the two of them agree.
//!
//! The input is a JSON array. Its events get the ids `$0`, `$1` and so on, by which they may refer to each other in
//! every room version; one with a `rejected` that is true counts as rejected on receipt. The last is judged.

use std::collections::{BTreeMap, BTreeSet};

use protocol::event::{Counts, check_format};
use protocol::room_version::{References, RoomIdFormat};
use protocol::{Object, RoomVersion, json};
use serde_json::{Value, json as value};
use vectors::question::{Authorize, Pool, Resolve, Text};
use vectors::{Answer, Question};

/// More events than a fuzzer needs to make trouble; beyond, the oracle is slow.
const MAX_EVENTS: usize = 24;

/// Checks one input.
///
/// # Panics
/// When a judge does, or when they differ.
pub fn check(input: &[u8]) {
    let Some((version, input)) = crate::split(input) else { return };
    let Ok(Value::Array(entries)) = json::read(input) else { return };
    if entries.is_empty() || entries.len() > MAX_EVENTS {
        return;
    }
    let room = Room::new(version, entries);
    room.agree(&room.by_auth_events());
    room.agree(&room.by_state());
    room.agree(&room.resolution());
}

/// The events of an input.
struct Room {
    version: &'static RoomVersion,
    events: BTreeMap<String, Text>,
    rejected: BTreeSet<String>,
    /// The ids of state events by their key, in the order of the input.
    state: BTreeMap<(String, String), Vec<String>>,
    judged: String,
    /// Whether every event has the format of its room version and refers to earlier ones only.
    is_whole: bool,
}

impl Room {
    fn new(version: &'static RoomVersion, entries: Vec<Value>) -> Self {
        let mut room = Self {
            version,
            events: BTreeMap::new(),
            rejected: BTreeSet::new(),
            state: BTreeMap::new(),
            judged: format!("${}", entries.len() - 1),
            is_whole: true,
        };
        entries.into_iter().enumerate().for_each(|(index, entry)| room.add(format!("${index}"), entry));
        room
    }

    fn add(&mut self, id: String, mut entry: Value) {
        if let Value::Object(pdu) = &mut entry {
            if pdu.remove("rejected") == Some(Value::Bool(true)) {
                self.rejected.insert(id.clone());
            }
            let rests_on_known = self.rests_on_known(pdu);
            refer(self.version, pdu);
            self.is_whole &= rests_on_known && is_well_formed(self.version, pdu);
            let string = |name: &str| pdu.get(name).and_then(Value::as_str).map(str::to_owned);
            if let (Some(event_type), Some(state_key), true) =
                (string("type"), string("state_key"), id != self.judged)
            {
                self.state.entry((event_type, state_key)).or_default().push(id.clone());
            }
        }
        self.events.insert(id, Text::Utf8(entry.to_string()));
    }

    /// Whether all `auth_events` are events that came before.
    fn rests_on_known(&self, pdu: &Object) -> bool {
        let is_known = |id: &Value| id.as_str().is_some_and(|id| self.events.contains_key(id));
        pdu.get("auth_events").and_then(Value::as_array).is_some_and(|ids| ids.iter().all(is_known))
    }

    fn by_auth_events(&self) -> Question {
        self.authorize(None)
    }

    /// Judged by a state that has the last event of every key.
    fn by_state(&self) -> Question {
        self.authorize(Some(self.state.values().filter_map(|ids| ids.last().cloned()).collect()))
    }

    fn authorize(&self, state: Option<BTreeSet<String>>) -> Question {
        let mut events = self.events.clone();
        let event = events.remove(&self.judged).unwrap_or_else(|| Text::from(""));
        Question::Authorize(Authorize {
            room_version: self.version.id.to_owned(),
            event_id: self.judged.clone(),
            event,
            events: Pool::Texts(events),
            rejected: self.rejected.clone(),
            state,
            keys: None,
        })
    }

    /// One state with the first event of every key, one with the last.
    fn resolution(&self) -> Question {
        let first = self.state.values().filter_map(|ids| ids.first().cloned()).collect();
        let last = self.state.values().filter_map(|ids| ids.last().cloned()).collect();
        Question::Resolve(Resolve {
            room_version: self.version.id.to_owned(),
            events: Pool::Texts(self.events.clone()),
            rejected: self.rejected.clone(),
            state_sets: vec![first, last],
        })
    }

    /// Requires that the judges decide alike, if the events are such as reach them: those that lack the format of an
    /// event are dropped, and those that rest on unknown ones wait. What a judge refuses to judge is not compared either.
    fn agree(&self, question: &Question) {
        let (expected, given) = (vectors::expected::answer(question), rooms_adapter::answer(question));
        if !self.is_whole || expected.refused.is_some() || given.refused.is_some() {
            return;
        }
        let decision = |answer: &Answer| (answer.allowed, answer.state.clone());
        let what = || value!({"question": question, "oracle": expected, "rooms": given});
        assert_eq!(decision(&expected), decision(&given), "the judges differ: {}", what());
    }
}

/// Writes references in the form of the room version, so that one input makes sense in all of them.
fn refer(version: &RoomVersion, pdu: &mut Object) {
    if version.references != References::IdsAndHashes {
        return;
    }
    for property in ["auth_events", "prev_events"] {
        let entries = pdu.get_mut(property).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten().filter(|entry| entry.is_string()) {
            *entry = value!([entry.clone(), {"sha256": ""}]);
        }
    }
}

/// Whether an event has the format of its room version, but for its ids, which are short here.
fn is_well_formed(version: &RoomVersion, pdu: &Object) -> bool {
    let mut pdu = pdu.clone();
    pdu.insert("event_id".to_owned(), value!("$0:a.example"));
    if version.room_id == RoomIdFormat::CreateEvent && pdu.get("room_id").is_some_and(Value::is_string) {
        pdu.insert("room_id".to_owned(), value!(format!("!{}", "0".repeat(43))));
    }
    check_format(&pdu, version, Counts::Unlimited).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fuzzer would find nothing if what it varies were never compared.
    #[test]
    fn a_room_is_compared_in_every_version() {
        for version in RoomVersion::ALL {
            let room = Room::new(version, events(version));
            assert!(room.is_whole, "version {}", version.id);
            for question in [room.by_auth_events(), room.by_state()] {
                assert_eq!(
                    vectors::expected::answer(&question).allowed,
                    Some(true),
                    "version {}",
                    version.id
                );
            }
            let resolved = vectors::expected::answer(&room.resolution()).state.expect("states are resolved");
            assert_eq!(resolved.len(), room.state.len(), "version {}", version.id);
            room.agree(&room.resolution());
        }
    }

    /// Alice makes a room, joins it and says what it is about.
    fn events(version: &RoomVersion) -> Vec<Value> {
        let create_is_implied = version.room_id == RoomIdFormat::CreateEvent;
        let event = |event_type: &str, state_key: &str, content: Value, rests_on: &[&str]| {
            let auth_events: Vec<_> =
                rests_on.iter().filter(|id| !create_is_implied || **id != "$0").collect();
            let room_id = if create_is_implied { "!0" } else { "!room:a.example" };
            let mut event = value!({
                "type": event_type, "state_key": state_key, "content": content, "sender": "@alice:a.example",
                "room_id": room_id, "depth": 1, "origin_server_ts": 1, "hashes": {"sha256": ""},
                "signatures": {"a.example": {"ed25519:1": ""}}, "auth_events": auth_events,
                "prev_events": rests_on.last().map_or(value!([]), |id| value!([id])),
            });
            if create_is_implied && event_type == "m.room.create" {
                event.as_object_mut().map(|event| event.remove("room_id"));
            }
            event
        };
        let creation = value!({"creator": "@alice:a.example", "room_version": version.id});
        let join = value!({"membership": "join"});
        vec![
            event("m.room.create", "", creation, &[]),
            event("m.room.member", "@alice:a.example", join, &["$0"]),
            event("m.room.topic", "", value!({"topic": "first"}), &["$0", "$1"]),
            event("m.room.topic", "", value!({"topic": "second"}), &["$0", "$1"]),
            event("m.room.topic", "", value!({"topic": "third"}), &["$0", "$1"]),
        ]
    }
}
