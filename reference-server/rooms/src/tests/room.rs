//! A room for tests: some members, some state, and verdicts on the next event.

use protocol::RoomVersion;
use protocol::keys::{KeyRing, SigningKey};
use serde_json::{Value, json};

use crate::authorize::{AuthEvent, Rejection, Rule, authorize, check_auth_events};
use crate::event::{Pdu, Place, Template};
use crate::state::{StateLookup, StateMap};

/// The creator.
pub(super) const ALICE: &str = "@alice:a.org";
/// A moderator.
pub(super) const MOD: &str = "@mod:a.org";
/// Somebody else, of another server.
pub(super) const BOB: &str = "@bob:b.org";
/// Yet somebody else.
pub(super) const EVE: &str = "@eve:b.org";

/// Sender, type, state key and content of an event.
pub(super) type Said<'a> = (&'a str, &'a str, Option<&'a str>, Value);

pub(super) struct Room {
    pub(super) version: &'static RoomVersion,
    pub(super) state: StateMap,
    pub(super) last: Vec<Pdu>,
    pub(super) room_id: Option<String>,
}

impl Room {
    /// A room in which nothing is yet.
    pub(super) fn empty(version: &'static RoomVersion) -> Self {
        let room_id = version.create_in_auth_events.then(|| "!room:a.org".to_owned());
        Self { version, state: StateMap::default(), last: Vec::new(), room_id }
    }

    /// A room of the creator, a moderator, default levels and no join rule.
    pub(super) fn new(version: &'static RoomVersion) -> Self {
        let mut room = Self::empty(version);
        room.given((ALICE, "m.room.create", Some(""), create_content(version)));
        room.given((ALICE, "m.room.member", Some(ALICE), json!({"membership": "join"})));
        room.given((MOD, "m.room.member", Some(MOD), json!({"membership": "join"})));
        room.given((ALICE, "m.room.power_levels", Some(""), levels(version, json!({}))));
        room
    }

    /// Adds an event without asking whether it is allowed.
    pub(super) fn given(&mut self, said: Said<'_>) -> Pdu {
        let event = self.build(said);
        self.add(event)
    }

    /// Adds an event that must be allowed.
    pub(super) fn send(&mut self, said: Said<'_>) -> Pdu {
        let event = self.build(said);
        let verdict = judge_wholly(&event, &self.state);
        assert_eq!(verdict, Ok(()), "{event:?} in room version {}", self.version.id);
        self.add(event)
    }

    pub(super) fn build(&self, (sender, event_type, state_key, content): Said<'_>) -> Pdu {
        let template = Template {
            event_type: event_type.to_owned(),
            state_key: state_key.map(str::to_owned),
            sender: sender.to_owned(),
            content: content.as_object().unwrap().clone(),
        };
        let place = Place {
            version: self.version,
            room_id: self.room_id.as_deref(),
            prev_events: &self.last,
            state: &self.state,
            origin_server_ts: 1_700_000_000_000,
        };
        let server_name = sender.split_once(':').unwrap().1;
        template.build(&place, server_name, &key(server_name)).unwrap()
    }

    /// The rule that rejects an event, if one does.
    pub(super) fn verdict(&self, said: Said<'_>) -> Option<Rule> {
        judge_wholly(&self.build(said), &self.state).err().map(|rejection| rejection.rule)
    }

    pub(super) fn add(&mut self, event: Pdu) -> Pdu {
        if event.event_type() == "m.room.create" {
            self.room_id = Some(event.room_id().to_owned());
        }
        self.state.insert(&event);
        self.last = vec![event.clone()];
        event
    }
}

/// Judges an event by its auth events and by the state.
pub(super) fn judge_wholly(event: &Pdu, state: &StateMap) -> Result<(), Rejection> {
    let named: Vec<_> = event
        .auth_events()
        .iter()
        .filter_map(|id| state.iter().find(|event| event.event_id() == id))
        .collect();
    assert_eq!(named.len(), event.auth_events().len());
    let auth_events: Vec<_> = named.iter().map(|event| AuthEvent { event, rejected: false }).collect();
    check_auth_events(event, &auth_events)?;

    // Since room version 12 the room id stands for the create event.
    let implied = state.create().filter(|_| !event.version().create_in_auth_events);
    let by_auth_events: StateMap = named.into_iter().chain(implied).cloned().collect();
    let by_state = authorize(event, state);
    assert_eq!(authorize(event, &by_auth_events), by_state, "auth events and state judge {event:?} alike");
    by_state
}

/// Runs a scenario in every room version.
///
/// `expected` lists from which version on which rule rejects the event; below the first it is not tried.
pub(super) fn in_every_version(
    setup: impl Fn(&mut Room),
    said: impl Fn(&Room) -> Said<'static>,
    expected: &[(usize, Option<Rule>)],
) {
    for (index, version) in RoomVersion::ALL.into_iter().enumerate() {
        let Some((_, expected)) = expected.iter().rev().find(|(from, _)| index + 1 >= *from) else {
            continue;
        };
        let mut room = Room::new(version);
        setup(&mut room);
        assert_eq!(room.verdict(said(&room)), *expected, "room version {}", version.id);
    }
}

pub(super) fn create_content(version: &RoomVersion) -> Value {
    let mut content = json!({"room_version": version.id});
    if version.creator_in_content {
        content["creator"] = json!(ALICE);
    }
    content
}

/// Levels in which the moderator has 50 and, where she may be named, the creator 100.
pub(super) fn levels(version: &RoomVersion, changes: Value) -> Value {
    let mut content = json!({"users": {MOD: 50}});
    if !version.privileged_creators {
        content["users"][ALICE] = json!(100);
    }
    for (name, value) in changes.as_object().unwrap() {
        match (content.get_mut(name).and_then(Value::as_object_mut), value.as_object()) {
            (Some(present), Some(added)) => present.extend(added.clone()),
            _ => content[name] = value.clone(),
        }
    }
    content
}

/// The signing key of a server; any seed that tells servers apart will do.
pub(super) fn key(server_name: &str) -> SigningKey {
    SigningKey::from_seed("1", &[server_name.as_bytes()[0]; 32]).unwrap()
}

pub(super) fn key_ring() -> KeyRing {
    let mut keys = KeyRing::default();
    for server_name in ["a.org", "b.org"] {
        let key = key(server_name);
        keys.trust(server_name, key.id().clone(), key.verify_key());
    }
    keys
}
