//! Rooms with forks, written down event by event. Every event has a short name and follows the one before it, unless
//! [`Script::after`] says otherwise; the state before it, its auth events and its id are worked out.

use std::collections::BTreeMap;

use oracle::{Event, History, Receipt, StateMap};
use protocol::event::content_hash;
use protocol::identifiers::server_name_of;
use protocol::room_version::EventIdFormat;
use protocol::{Object, RoomVersion};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use vectors::{Draft, Room};

use super::merge::Merge;

pub(super) const ALICE: &str = "@alice:a.example";
pub(super) const BOB: &str = "@bob:b.example";
pub(super) const CAROL: &str = "@carol:c.example";
pub(super) const DAVE: &str = "@dave:d.example";

/// A room as far as it is written.
#[derive(Clone)]
pub(super) struct Script {
    room: Room,
    history: History,
    ids: BTreeMap<String, String>,
    tip: Vec<String>,
    /// Milliseconds since the epoch.
    clock: i64,
    next: Next,
}

/// What was asked for the next event alone.
#[derive(Clone, Default)]
struct Next {
    depth: Option<i64>,
    id: Option<Wish>,
    auth_events: Option<Vec<String>>,
    is_rejected: bool,
}

/// Where the id of an event shall lie.
#[derive(Clone)]
struct Wish {
    order: fn(&str) -> Vec<u8>,
    is_below: bool,
    other: String,
}

impl Script {
    /// A room without events.
    pub(super) fn empty(version: &'static RoomVersion) -> Self {
        Self {
            room: Room::new(version, "a.example"),
            history: History::new(version),
            ids: BTreeMap::new(),
            tip: Vec::new(),
            clock: 1_000,
            next: Next::default(),
        }
    }

    /// Alice's room: `create` ← `alice`.
    pub(super) fn new(version: &'static RoomVersion) -> Self {
        Self::empty(version).create("create", json!({})).join("alice", ALICE)
    }

    /// A public room of Alice, who is above all, Bob, who has level 50, and Carol:
    /// `create` ← `alice` ← `levels` ← `rule` ← `bob` ← `carol`.
    pub(super) fn plain(version: &'static RoomVersion) -> Self {
        Self::new(version)
            .levels("levels", ALICE, json!({BOB: 50}))
            .join_rule("rule", ALICE, "public")
            .join("bob", BOB)
            .join("carol", CAROL)
    }

    /// The next event follows these.
    #[track_caller]
    pub(super) fn after<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.tip = names.map(|name| self.id(name)).to_vec();
        self
    }

    /// The next event is sent at this time, and later ones after it.
    pub(super) fn at(mut self, clock_ms: i64) -> Self {
        self.clock = clock_ms;
        self
    }

    /// The next event claims this depth.
    pub(super) fn deep(mut self, depth: i64) -> Self {
        self.next.depth = Some(depth);
        self
    }

    /// The next event is given an id that is less than the other event's.
    #[track_caller]
    pub(super) fn id_below(self, other: &str) -> Self {
        self.wish(|id| id.as_bytes().to_vec(), true, other)
    }

    /// The next event is given an id that is greater than the other event's.
    #[track_caller]
    pub(super) fn id_above(self, other: &str) -> Self {
        self.wish(|id| id.as_bytes().to_vec(), false, other)
    }

    /// The next event is given an id whose SHA-1 is less than that of the other event's.
    #[track_caller]
    pub(super) fn sha1_below(self, other: &str) -> Self {
        self.wish(sha1, true, other)
    }

    /// The next event is given an id whose SHA-1 is greater than that of the other event's.
    #[track_caller]
    pub(super) fn sha1_above(self, other: &str) -> Self {
        self.wish(sha1, false, other)
    }

    /// The next event has these auth events instead of those that it should have.
    #[track_caller]
    pub(super) fn authorized_by(mut self, names: &[&str]) -> Self {
        self.next.auth_events = Some(names.iter().map(|name| self.id(name)).collect());
        self
    }

    /// The next event is rejected on receipt; all others are not.
    pub(super) fn rejected(mut self) -> Self {
        self.next.is_rejected = true;
        self
    }

    /// The server that resolves has rejected this event, whatever other servers did.
    #[track_caller]
    pub(super) fn reject(mut self, name: &str) -> Self {
        self.room.reject(&self.id(name));
        self
    }

    pub(super) fn create(self, name: &str, content: Value) -> Self {
        let version = self.version();
        let mut content = content;
        content["room_version"] = json!(version.id);
        if version.creator_in_content {
            content["creator"] = json!(ALICE);
        }
        self.state(name, ALICE, "m.room.create", "", content)
    }

    pub(super) fn member(self, name: &str, sender: &str, target: &str, membership: &str) -> Self {
        self.state(name, sender, "m.room.member", target, json!({"membership": membership}))
    }

    pub(super) fn join(self, name: &str, user_id: &str) -> Self {
        self.member(name, user_id, user_id, "join")
    }

    pub(super) fn ban(self, name: &str, sender: &str, target: &str) -> Self {
        self.member(name, sender, target, "ban")
    }

    pub(super) fn kick(self, name: &str, sender: &str, target: &str) -> Self {
        self.member(name, sender, target, "leave")
    }

    /// A join of somebody who is joined already, to tell a new display name.
    pub(super) fn rename(self, name: &str, user_id: &str) -> Self {
        let content = json!({"membership": "join", "displayname": name});
        self.state(name, user_id, "m.room.member", user_id, content)
    }

    pub(super) fn join_rule(self, name: &str, sender: &str, join_rule: &str) -> Self {
        self.state(name, sender, "m.room.join_rules", "", json!({"join_rule": join_rule}))
    }

    /// Power levels of users, in which Alice keeps 100 where she needs it.
    pub(super) fn levels(self, name: &str, sender: &str, users: Value) -> Self {
        self.levels_with(name, sender, users, json!({}))
    }

    /// Power levels of users, and other properties.
    pub(super) fn levels_with(self, name: &str, sender: &str, users: Value, others: Value) -> Self {
        let mut content = others;
        content["users"] = users;
        if !self.version().privileged_creators {
            content["users"][ALICE] = json!(100);
        }
        self.state(name, sender, "m.room.power_levels", "", content)
    }

    pub(super) fn topic(self, name: &str, sender: &str) -> Self {
        self.state(name, sender, "m.room.topic", "", json!({"topic": name}))
    }

    /// A state event of any type.
    #[track_caller]
    pub(super) fn state(
        mut self,
        name: &str,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> Self {
        let next = std::mem::take(&mut self.next);
        let mut draft = Draft {
            name,
            sender,
            event_type,
            state_key: Some(state_key),
            content,
            prev_events: self.tip.clone(),
            depth: next.depth,
            origin_server_ts: self.clock,
            ..Draft::default()
        };
        draft.auth_events =
            next.auth_events.unwrap_or_else(|| self.room.auth_events_of(&draft, &self.state_at_tip()));
        let id = self.make(draft, next.id);
        let event = self.room.events().get(&id).cloned().unwrap();
        let receipt = self.history.receive(event).unwrap();
        let is_rejected = matches!(receipt, Receipt::Rejected { .. });
        assert_eq!(is_rejected, next.is_rejected, "{name}: {receipt:?}");
        if is_rejected {
            self.room.reject(&id);
        }
        assert!(self.ids.insert(name.to_owned(), id.clone()).is_none(), "two events are called {name}");
        self.tip = vec![id];
        self.clock = self.clock.saturating_add(1_000);
        self
    }

    /// The version of the room.
    pub(super) fn version(&self) -> &'static RoomVersion {
        self.room.version()
    }

    /// The events and the questions about them.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// The id of a named event.
    #[track_caller]
    pub(super) fn id(&self, name: &str) -> String {
        self.ids.get(name).unwrap_or_else(|| panic!("no event is called {name}")).clone()
    }

    /// The state after an event.
    #[track_caller]
    pub(super) fn state_after(&self, name: &str) -> StateMap {
        self.history.state_after(&self.id(name)).unwrap().clone()
    }

    /// The state after an event, in which these events stand too, whatever stood in their place: the state that a
    /// server is told by another one.
    #[track_caller]
    pub(super) fn state_with<const N: usize>(&self, name: &str, others: [&str; N]) -> StateMap {
        let mut state = self.state_after(name);
        for other in others.map(|other| self.id(other)) {
            state.insert(self.room.events().get(&other).and_then(Event::key).unwrap(), other);
        }
        state
    }

    /// The state after an event, without what stands in the place of these events.
    #[track_caller]
    pub(super) fn state_without<const N: usize>(&self, name: &str, others: [&str; N]) -> StateMap {
        let mut state = self.state_after(name);
        for other in others {
            state.remove(&self.room.events().get(&self.id(other)).and_then(Event::key).unwrap());
        }
        state
    }

    /// The states after these events, resolved.
    #[track_caller]
    pub(super) fn merge<const N: usize>(self, names: [&str; N]) -> Merge {
        let state_sets = names.map(|name| self.state_after(name));
        self.resolve(state_sets)
    }

    /// Any states, resolved.
    pub(super) fn resolve<const N: usize>(self, state_sets: [StateMap; N]) -> Merge {
        Merge::new(self, state_sets.to_vec())
    }

    #[track_caller]
    fn wish(mut self, order: fn(&str) -> Vec<u8>, is_below: bool, other: &str) -> Self {
        self.next.id = Some(Wish { order, is_below, other: self.id(other) });
        self
    }

    fn state_at_tip(&self) -> StateMap {
        let states: Vec<StateMap> =
            self.tip.iter().map(|id| self.history.state_after(id).unwrap().clone()).collect();
        oracle::resolve(self.version(), &states, self.history.events()).unwrap().state
    }

    /// Makes an event. Ids are hashes, so what is wished of one is found by counting in the content.
    fn make(&mut self, mut draft: Draft<'_>, wish: Option<Wish>) -> String {
        let mut attempts = 0_u64;
        loop {
            if self.version().event_id == EventIdFormat::Domain {
                draft.with = self.event_id_property(&draft);
            }
            let Some(wish) = &wish else { return self.room.make(draft) };
            let mut room = self.room.clone();
            let id = room.make(draft.clone());
            if wish.is_granted_by(&id) {
                self.room = room;
                return id;
            }
            attempts += 1;
            draft.content["attempt"] = json!(attempts);
        }
    }

    /// An `event_id` that follows from the event, as it does by itself since room version 3.
    fn event_id_property(&self, draft: &Draft<'_>) -> Object {
        let all = json!({
            "type": draft.event_type, "state_key": draft.state_key, "sender": draft.sender, "content": draft.content,
            "prev_events": draft.prev_events, "auth_events": draft.auth_events, "depth": draft.depth,
            "origin_server_ts": draft.origin_server_ts,
        });
        let hash = content_hash(all.as_object().unwrap(), self.version()).unwrap();
        let localpart: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let server_name = server_name_of(draft.sender).unwrap();
        Object::from_iter([("event_id".to_owned(), json!(format!("${localpart}:{server_name}")))])
    }
}

impl Wish {
    fn is_granted_by(&self, id: &str) -> bool {
        let (this, other) = ((self.order)(id), (self.order)(&self.other));
        if self.is_below { this < other } else { this > other }
    }
}

/// The SHA-1 of an event id, compared byte by byte.
pub(super) fn sha1(event_id: &str) -> Vec<u8> {
    Sha1::digest(event_id.as_bytes()).to_vec()
}
