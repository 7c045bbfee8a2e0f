//! One state, set up entry by entry without asking the rules, and events put before it.

use protocol::room_version::{References, RoomIdFormat};
use protocol::{Object, RoomVersion};
use serde_json::{Value, json};

use super::{ALICE, BOB};
use crate::{AuthState, Decision, Event, Events, StateMap, decide, select_auth_events};

/// A state in which Alice, who made the room, and Bob are joined; Bob has level 50, and anybody may join.
pub(super) struct Scene {
    pub(super) version: &'static RoomVersion,
    pub(super) events: Events,
    pub(super) state: StateMap,
    /// Whether the servers that must have signed did.
    pub(super) signed: bool,
}

impl Scene {
    pub(super) fn new(version: &'static RoomVersion) -> Self {
        let mut scene = Self { version, events: Events::default(), state: StateMap::new(), signed: true };
        scene.put(create_pdu(version), "C");
        scene.member(ALICE, "join").member(BOB, "join").join_rule("public").levels(json!({}));
        scene
    }

    /// Replaces the power levels; Bob has 50 and Alice, where she is not above all levels, 100.
    pub(super) fn levels(&mut self, content: Value) -> &mut Self {
        let mut content = content;
        content["users"][BOB] = json!(50);
        if !self.version.privileged_creators {
            content["users"][ALICE] = json!(100);
        }
        self.set(ALICE, "m.room.power_levels", "", content)
    }

    pub(super) fn member(&mut self, user_id: &str, membership: &str) -> &mut Self {
        self.set(user_id, "m.room.member", user_id, json!({"membership": membership}))
    }

    pub(super) fn join_rule(&mut self, join_rule: &str) -> &mut Self {
        self.set(ALICE, "m.room.join_rules", "", json!({"join_rule": join_rule}))
    }

    /// Puts an event into the state.
    pub(super) fn set(
        &mut self,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> &mut Self {
        let event = self.event(sender, event_type, Some(state_key), content);
        let id = format!("{event_type}/{state_key}");
        self.put(event.pdu().clone(), &id);
        self
    }

    pub(super) fn forget(&mut self, event_type: &str, state_key: &str) -> &mut Self {
        self.state.remove(&(event_type.to_owned(), state_key.to_owned()));
        self
    }

    /// The content of the power levels, changed.
    pub(super) fn changed_levels(&self, change: impl FnOnce(&mut Value)) -> Value {
        let id = &self.state[&("m.room.power_levels".to_owned(), String::new())];
        let mut content = self.events.get(id).unwrap().pdu()["content"].clone();
        change(&mut content);
        content
    }

    /// A well-made event that follows some message.
    pub(super) fn event(
        &self,
        sender: &str,
        event_type: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Event {
        let mut pdu = object(json!({
            "type": event_type, "sender": sender, "content": content, "depth": 9, "origin_server_ts": 9,
            "room_id": room_id(self.version), "prev_events": [], "auth_events": [],
        }));
        if let Some(state_key) = state_key {
            pdu.insert("state_key".to_owned(), json!(state_key));
        }
        refer(self.version, &mut pdu, "prev_events", &[id(self.version, "M")]);
        let draft = Event::new(self.version, id(self.version, "E"), pdu.clone()).unwrap();
        refer(self.version, &mut pdu, "auth_events", &select_auth_events(self.version, &draft, &self.state));
        Event::new(self.version, id(self.version, "E"), pdu).unwrap()
    }

    pub(super) fn membership(&self, sender: &str, target: &str, membership: &str) -> Event {
        self.event(sender, "m.room.member", Some(target), json!({"membership": membership}))
    }

    pub(super) fn message(&self, sender: &str) -> Event {
        self.event(sender, "m.room.message", None, json!({"body": "hello"}))
    }

    /// The event with another JSON.
    pub(super) fn altered(&self, event: &Event, alter: impl FnOnce(&mut Object)) -> Event {
        let mut pdu = event.pdu().clone();
        alter(&mut pdu);
        Event::new(self.version, event.id(), pdu).unwrap()
    }

    /// The create event of the room, altered.
    pub(super) fn create(&self, alter: impl FnOnce(&mut Object)) -> Event {
        let mut pdu = create_pdu(self.version);
        alter(&mut pdu);
        Event::new(self.version, id(self.version, "C"), pdu).unwrap()
    }

    /// Replaces the create event of the state.
    pub(super) fn replace_create(&mut self, alter: impl FnOnce(&mut Object)) -> &mut Self {
        let create = self.create(alter);
        self.put(create.pdu().clone(), "C");
        self
    }

    pub(super) fn decide(&self, event: &Event) -> Decision {
        decide(self.version, event, self)
    }

    fn put(&mut self, pdu: Object, name: &str) {
        let event = Event::new(self.version, id(self.version, name), pdu).unwrap();
        self.state.insert(event.key().unwrap(), event.id().to_owned());
        self.events.insert(event);
    }
}

impl AuthState for Scene {
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Event> {
        let id = self.state.get(&(event_type.to_owned(), state_key.to_owned()))?;
        self.events.get(id)
    }

    fn is_signed_by(&self, _event: &Event, _server_name: &str) -> bool {
        self.signed
    }
}

/// The id of a named event: readable, and with a domain where the room version wants one.
pub(super) fn id(version: &RoomVersion, name: &str) -> String {
    match version.references {
        References::IdsAndHashes => format!("${name}:a.example"),
        References::Ids => format!("${name}"),
    }
}

pub(super) fn room_id(version: &RoomVersion) -> &'static str {
    match version.room_id {
        RoomIdFormat::Domain => "!room:a.example",
        RoomIdFormat::CreateEvent => "!C",
    }
}

/// Writes references to events in the form of the room version.
pub(super) fn refer(version: &RoomVersion, pdu: &mut Object, property: &str, ids: &[String]) {
    let reference = |id: &String| match version.references {
        References::IdsAndHashes => json!([id, {"sha256": "x"}]),
        References::Ids => json!(id),
    };
    pdu.insert(property.to_owned(), ids.iter().map(reference).collect());
}

/// Alice makes the room.
pub(super) fn create_pdu(version: &RoomVersion) -> Object {
    let mut pdu = object(json!({
        "type": "m.room.create", "state_key": "", "sender": ALICE, "content": {"room_version": version.id},
        "depth": 1, "origin_server_ts": 1, "prev_events": [], "auth_events": [],
    }));
    if version.creator_in_content {
        pdu["content"]["creator"] = json!(ALICE);
    }
    if version.room_id == RoomIdFormat::Domain {
        pdu.insert("room_id".to_owned(), json!(room_id(version)));
    }
    pdu
}

pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}
