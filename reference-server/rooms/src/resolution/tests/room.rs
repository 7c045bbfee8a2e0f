//! A room for tests whose history can fork. Events have ids that say what they are.

use std::collections::{HashMap, HashSet};

use protocol::room_version::{References, RoomIdFormat};
use protocol::{Object, RoomVersion};
use serde_json::{Value, json};

use crate::authorize::{Rule, auth_event_keys};
use crate::event::Pdu;
use crate::resolution::{EventStore, Resolved, resolve};
use crate::state::{StateLookup, StateMap};

/// The creator, whose level is 100.
pub(super) const ALICE: &str = "@alice:a.org";
/// A moderator, whose level is 50.
pub(super) const MOD: &str = "@mod:a.org";
/// A member.
pub(super) const BOB: &str = "@bob:b.org";
/// A stranger.
pub(super) const EVE: &str = "@eve:b.org";

/// Every event of a room, on whichever fork.
pub(super) struct Room {
    pub(super) version: &'static RoomVersion,
    pub(super) events: HashMap<String, Pdu>,
    pub(super) rejected: HashSet<String>,
    now_ms: i64,
}

impl EventStore for Room {
    fn event(&self, event_id: &str) -> Option<Pdu> {
        self.events.get(event_id).cloned()
    }

    fn is_rejected(&self, event_id: &str) -> bool {
        self.rejected.contains(event_id)
    }
}

/// A line of history: the state that it has led to, and how deep it is.
#[derive(Clone, Default)]
pub(super) struct Fork {
    pub(super) state: StateMap,
    depth: u64,
    last: Option<String>,
}

impl Fork {
    pub(super) fn id_at(&self, event_type: &str, state_key: &str) -> Option<&str> {
        self.state.find(event_type, state_key).map(Pdu::event_id)
    }
}

/// An event to be sent. What is not given follows from the fork.
pub(super) struct Draft<'a> {
    id: &'a str,
    sender: &'a str,
    event_type: &'a str,
    state_key: &'a str,
    content: Value,
    timestamp_ms: Option<i64>,
    auth_events: Option<Vec<&'a str>>,
    depth: Option<u64>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        id: &'a str,
        sender: &'a str,
        event_type: &'a str,
        state_key: &'a str,
        content: Value,
    ) -> Self {
        Self {
            id,
            sender,
            event_type,
            state_key,
            content,
            timestamp_ms: None,
            auth_events: None,
            depth: None,
        }
    }

    pub(super) fn at(self, timestamp_ms: i64) -> Self {
        Self { timestamp_ms: Some(timestamp_ms), ..self }
    }

    pub(super) fn resting_on(self, auth_events: &[&'a str]) -> Self {
        Self { auth_events: Some(auth_events.to_vec()), ..self }
    }

    pub(super) fn deep(self, depth: u64) -> Self {
        Self { depth: Some(depth), ..self }
    }
}

pub(super) fn member<'a>(id: &'a str, sender: &'a str, target: &'a str, membership: &str) -> Draft<'a> {
    Draft::new(id, sender, "m.room.member", target, json!({"membership": membership}))
}

pub(super) fn topic<'a>(id: &'a str, sender: &'a str) -> Draft<'a> {
    Draft::new(id, sender, "m.room.topic", "", json!({"topic": id}))
}

pub(super) fn join_rules<'a>(id: &'a str, sender: &'a str, rule: &str) -> Draft<'a> {
    Draft::new(id, sender, "m.room.join_rules", "", json!({"join_rule": rule}))
}

impl Room {
    /// Alice, the moderator and Bob in a public room: the events `create`, `alice`, `levels`, `rules`, `mod`, `bob`.
    pub(super) fn new(version: &'static RoomVersion) -> (Self, Fork) {
        let mut room =
            Self { version, events: HashMap::new(), rejected: HashSet::new(), now_ms: 1_700_000_000_000 };
        let mut fork = Fork::default();
        let mut content = json!({"room_version": version.id});
        if version.creator_in_content {
            content["creator"] = json!(ALICE);
        }
        room.send(&mut fork, Draft::new("create", ALICE, "m.room.create", "", content));
        room.send(&mut fork, member("alice", ALICE, ALICE, "join"));
        let levels = room.levels("levels", ALICE, &[(MOD, 50)]);
        room.send(&mut fork, levels);
        room.send(&mut fork, join_rules("rules", ALICE, "public"));
        room.send(&mut fork, member("mod", MOD, MOD, "join"));
        room.send(&mut fork, member("bob", BOB, BOB, "join"));
        (room, fork)
    }

    /// Power levels in which the creator has 100, unless she needs none.
    pub(super) fn levels<'a>(&self, id: &'a str, sender: &'a str, users: &[(&str, i64)]) -> Draft<'a> {
        let mut content = json!({"users": {}});
        if !self.version.privileged_creators {
            content["users"][ALICE] = json!(100);
        }
        for (user_id, level) in users {
            content["users"][*user_id] = json!(level);
        }
        Draft::new(id, sender, "m.room.power_levels", "", content)
    }

    /// Puts an event on a fork and into the store, without judging it.
    pub(super) fn send(&mut self, fork: &mut Fork, draft: Draft<'_>) -> Pdu {
        self.now_ms += 1000;
        let object = self.object(fork, &draft);
        let event = Pdu::with_id(format!("${}", draft.id), object, self.version).unwrap();
        fork.state.insert(&event);
        fork.depth = event.depth();
        fork.last = Some(event.event_id().to_owned());
        self.events.insert(event.event_id().to_owned(), event.clone());
        event
    }

    /// Puts a message into the store and leaves the fork as it is.
    pub(super) fn send_message(&mut self, fork: &Fork, id: &str, sender: &str) -> Pdu {
        let mut object = self.object(fork, &Draft::new(id, sender, "m.room.message", "", json!({})));
        object.remove("state_key");
        let event = Pdu::with_id(format!("${id}"), object, self.version).unwrap();
        self.events.insert(event.event_id().to_owned(), event.clone());
        event
    }

    fn object(&self, fork: &Fork, draft: &Draft<'_>) -> Object {
        let object = json!({
            "type": draft.event_type,
            "state_key": draft.state_key,
            "sender": draft.sender,
            "content": draft.content,
            "origin_server_ts": draft.timestamp_ms.unwrap_or(self.now_ms),
            "depth": draft.depth.unwrap_or(fork.depth + 1),
            "prev_events": fork.last.iter().map(|id| self.reference(id)).collect::<Vec<_>>(),
            "auth_events": self.auth_events(fork, draft),
        });
        let mut object = object.as_object().unwrap().clone();
        if self.version.room_id == RoomIdFormat::Domain {
            object.insert("room_id".to_owned(), json!("!room:a.org"));
        } else if draft.event_type != "m.room.create" {
            object.insert("room_id".to_owned(), json!("!create"));
        }
        object
    }

    fn auth_events(&self, fork: &Fork, draft: &Draft<'_>) -> Vec<Value> {
        if let Some(ids) = &draft.auth_events {
            return ids.iter().map(|id| self.reference(&format!("${id}"))).collect();
        }
        let content = draft.content.as_object().unwrap();
        auth_event_keys(self.version, draft.event_type, draft.sender, Some(draft.state_key), content)
            .iter()
            .filter_map(|(event_type, state_key)| fork.id_at(event_type, state_key))
            .map(|id| self.reference(id))
            .collect()
    }

    fn reference(&self, event_id: &str) -> Value {
        match self.version.references {
            References::Ids => json!(event_id),
            References::IdsAndHashes => json!([event_id, {}]),
        }
    }

    pub(super) fn resolve(&self, forks: &[&Fork]) -> Resolved {
        let states: Vec<StateMap> = forks.iter().map(|fork| fork.state.clone()).collect();
        resolve(self.version, &states, self).unwrap()
    }
}

/// The id at a place, without its sigil.
pub(super) fn id_at<'a>(state: &'a StateMap, event_type: &str, state_key: &str) -> Option<&'a str> {
    state.find(event_type, state_key)?.event_id().strip_prefix('$')
}

/// What was rejected and why.
pub(super) fn rejected(resolved: &Resolved) -> Vec<(&str, Rule)> {
    resolved.rejected().map(|(event, rejection)| (&event.event_id()[1..], rejection.rule)).collect()
}

/// The ids of what was judged, in that order.
pub(super) fn judged(resolved: &Resolved) -> Vec<&str> {
    resolved.judged.iter().map(|judged| &judged.event.event_id()[1..]).collect()
}

/// Versions that have the second algorithm in either form.
pub(super) fn since_version_2() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().skip(1)
}
