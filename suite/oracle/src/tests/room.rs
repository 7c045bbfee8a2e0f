//! Rooms with forks, written down event by event. Every event has a short name and follows the one before it,
//! unless [`Room::after`] says otherwise; the state before it and its auth events are worked out.

use std::collections::BTreeMap;

use protocol::RoomVersion;
use protocol::room_version::StateResolution;
use serde_json::{Value, json};

use super::scene::{create_pdu, id, object, refer, room_id};
use super::{ALICE, BOB, CAROL};
use crate::{Event, History, Receipt, Resolution, StateMap, resolve, select_auth_events};

pub(super) struct Room {
    pub(super) version: &'static RoomVersion,
    pub(super) history: History,
    tip: Vec<String>,
    /// Milliseconds.
    clock: i64,
    depth: Option<i64>,
    receipts: BTreeMap<String, Receipt>,
}

/// The room versions with a resolution algorithm.
pub(super) fn versions(algorithm: StateResolution) -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().filter(move |version| version.state_resolution == algorithm)
}

impl Room {
    /// Alice's room, which has nothing but its create event `C`.
    pub(super) fn new(version: &'static RoomVersion) -> Self {
        let mut history = History::new(version);
        let create = Event::new(version, id(version, "C"), create_pdu(version)).unwrap();
        assert_eq!(history.receive(create).unwrap(), Receipt::Accepted);
        let tip = vec!["C".to_owned()];
        Self { version, history, tip, clock: 1_000, depth: None, receipts: BTreeMap::new() }
    }

    /// A public room of Alice, who is above all, Bob, who has level 50, and Carol: C ← A ← P ← J ← B ← D.
    pub(super) fn plain(version: &'static RoomVersion) -> Self {
        Self::new(version)
            .member("A", ALICE, ALICE, "join")
            .levels("P", ALICE, json!({BOB: 50}))
            .join_rule("J", ALICE, "public")
            .member("B", BOB, BOB, "join")
            .member("D", CAROL, CAROL, "join")
    }

    /// The next event follows these.
    pub(super) fn after<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.tip = names.map(str::to_owned).to_vec();
        self
    }

    /// The next event is sent at this time, in milliseconds, and later ones after it.
    pub(super) fn at(mut self, clock: i64) -> Self {
        self.clock = clock;
        self
    }

    /// The next event claims this depth.
    pub(super) fn deep(mut self, depth: i64) -> Self {
        self.depth = Some(depth);
        self
    }

    pub(super) fn member(self, name: &str, sender: &str, target: &str, membership: &str) -> Self {
        self.state(name, sender, "m.room.member", target, json!({"membership": membership}))
    }

    pub(super) fn join_rule(self, name: &str, sender: &str, join_rule: &str) -> Self {
        self.state(name, sender, "m.room.join_rules", "", json!({"join_rule": join_rule}))
    }

    /// Power levels in which Alice keeps 100, where she needs it.
    pub(super) fn levels(self, name: &str, sender: &str, users: Value) -> Self {
        let mut users = users;
        if !self.version.privileged_creators {
            users[ALICE] = json!(100);
        }
        self.state(name, sender, "m.room.power_levels", "", json!({"users": users}))
    }

    pub(super) fn topic(self, name: &str, sender: &str) -> Self {
        self.state(name, sender, "m.room.topic", "", json!({"topic": name}))
    }

    /// Sends a state event, which the rules must not reject.
    pub(super) fn state(
        mut self,
        name: &str,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> Self {
        let receipt = self.send(name, sender, event_type, state_key, content);
        assert!(!matches!(receipt, Receipt::Rejected { .. }), "{name}: {receipt:?}");
        self
    }

    /// Sends a state event, whatever becomes of it.
    pub(super) fn send(
        &mut self,
        name: &str,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> Receipt {
        let event = self.draft(name, sender, event_type, state_key, content);
        let receipt = self.history.receive(event).unwrap();
        self.receipts.insert(name.to_owned(), receipt.clone());
        self.tip = vec![name.to_owned()];
        self.clock += 1_000;
        self.depth = None;
        receipt
    }

    pub(super) fn receipt(&self, name: &str) -> &Receipt {
        &self.receipts[name]
    }

    pub(super) fn id(&self, name: &str) -> String {
        id(self.version, name)
    }

    /// The state after an event.
    pub(super) fn state_after(&self, name: &str) -> StateMap {
        self.history.state_after(&self.id(name)).unwrap().clone()
    }

    /// The states after these events, resolved.
    pub(super) fn merge<const N: usize>(&self, names: [&str; N]) -> Merged {
        self.resolve(&names.map(|name| self.state_after(name)))
    }

    pub(super) fn resolve(&self, state_sets: &[StateMap]) -> Merged {
        Merged(resolve(self.version, state_sets, self.history.events()).unwrap())
    }

    /// An event that follows the tip, with the auth events that it should have.
    fn draft(&self, name: &str, sender: &str, event_type: &str, state_key: &str, content: Value) -> Event {
        let parents: Vec<String> = self.tip.iter().map(|name| self.id(name)).collect();
        let depths = parents.iter().filter_map(|id| self.history.events().get(id)).map(Event::depth);
        let depth = self.depth.or_else(|| depths.max().map(|depth| depth + 1));
        let mut pdu = object(json!({
            "type": event_type, "state_key": state_key, "sender": sender, "content": content, "auth_events": [],
            "room_id": room_id(self.version), "depth": depth, "origin_server_ts": self.clock,
        }));
        refer(self.version, &mut pdu, "prev_events", &parents);
        let draft = Event::new(self.version, self.id(name), pdu.clone()).unwrap();
        let before = self.history.state_before(&draft).unwrap().state;
        refer(self.version, &mut pdu, "auth_events", &select_auth_events(self.version, &draft, &before));
        Event::new(self.version, self.id(name), pdu).unwrap()
    }
}

/// A resolution, read by the short names of events.
pub(super) struct Merged(pub(super) Resolution);

impl Merged {
    /// The name of the event at `(event_type, state_key)`, or a dash.
    pub(super) fn get(&self, event_type: &str, state_key: &str) -> &str {
        self.0.state.get(&(event_type.to_owned(), state_key.to_owned())).map_or("-", |id| name(id))
    }

    pub(super) fn topic(&self) -> &str {
        self.get("m.room.topic", "")
    }

    pub(super) fn levels(&self) -> &str {
        self.get("m.room.power_levels", "")
    }

    pub(super) fn join_rule(&self) -> &str {
        self.get("m.room.join_rules", "")
    }

    pub(super) fn member(&self, user_id: &str) -> &str {
        self.get("m.room.member", user_id)
    }

    /// The rejected events, each with its rule's number.
    pub(super) fn rejected(&self) -> Vec<(&str, crate::Rule)> {
        self.0.rejected().map(|(id, rejection)| (name(id), rejection.name)).collect()
    }

    /// The power events, in order.
    pub(super) fn power_events(&self) -> String {
        names(self.0.power_events.iter().map(|event| event.event_id.as_str()))
    }

    /// The remaining events, in order.
    pub(super) fn remaining_events(&self) -> String {
        names(self.0.remaining_events.iter().map(|event| event.event_id.as_str()))
    }

    pub(super) fn mainline(&self) -> String {
        names(self.0.mainline.iter().map(String::as_str))
    }
}

/// The short names of events, in order.
pub(super) fn names<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    ids.into_iter().map(name).collect::<Vec<_>>().join(" ")
}

fn name(id: &str) -> &str {
    id.trim_start_matches('$').split(':').next().unwrap_or_default()
}
