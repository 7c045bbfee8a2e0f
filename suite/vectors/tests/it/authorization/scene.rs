//! A room on stage: events that lead up to the one that is judged, each accepted when it happens.

mod next;
mod past;

use oracle::{AuthEvent, Decision, Event, StateMap, StateOf, decide, decide_by_auth_events};
use protocol::event::reference_hash;
use protocol::identifiers::server_name_of;
use protocol::room_version::EventIdFormat;
use protocol::{Object, RoomVersion, base64};
use serde_json::{Value, json};
use vectors::question::{Authorize, Keys};
use vectors::{Draft, Question, Room};

/// Made the room; has level 100, or that of creators.
pub(super) const ALICE: &str = "@alice:a.example";
/// Is on Alice's server, and not in the room.
pub(super) const ANNA: &str = "@anna:a.example";
/// Joined the room and has level 50.
pub(super) const BOB: &str = "@bob:b.example";
/// Never was in the room.
pub(super) const CAROL: &str = "@carol:c.example";
/// Never was in the room either.
pub(super) const DAVE: &str = "@dave:d.example";

/// When rooms begin, in milliseconds since the epoch.
const BEGINNING_TS: i64 = 1_700_000_000_000;
/// How much later every event is than the one before it, in milliseconds.
const PAUSE_MS: i64 = 1000;

/// How far the beginning of an ordinary room has come.
#[derive(Clone, Copy)]
pub(super) enum Beginning {
    /// There is only the create event.
    Created,
    /// Alice is joined.
    Founded,
    /// Anybody may join, and Bob did; there are no power levels.
    Joined,
}

/// A room, its current state, and the event that comes next.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    room: Room,
    founder: &'static str,
    state: StateMap,
    last: Vec<String>,
    /// The events with which the room began.
    beginning: Vec<String>,
    happened: i64,
    by_state: bool,
    keys: Option<Keys>,
}

impl Scene {
    /// A room that Alice made, that anybody may join, and in which Bob has level 50.
    pub(super) fn ordinary(version: &'static RoomVersion) -> Self {
        Self::open(version, ALICE, BOB, |_| {})
    }

    /// A room that anybody may join, with one member besides its founder.
    pub(super) fn open(
        version: &'static RoomVersion,
        founder: &'static str,
        member: &'static str,
        alter_create: impl FnOnce(&mut Object),
    ) -> Self {
        let mut scene = Self::unmade(version, founder);
        scene.begins(scene.creates(alter_create));
        scene.begins(scene.joins(founder));
        scene.begins(scene.sets(founder, "m.room.join_rules", "", json!({"join_rule": "public"})));
        scene.begins(scene.joins(member));
        let mut users = json!({member: 50});
        if !version.privileged_creators {
            users[founder] = json!(100);
        }
        scene.begins(scene.sets(founder, "m.room.power_levels", "", json!({"users": users})));
        scene
    }

    /// A room without any event.
    pub(super) fn unmade(version: &'static RoomVersion, founder: &'static str) -> Self {
        Self {
            room: Room::new(version, server_name_of(founder).unwrap()),
            founder,
            state: StateMap::new(),
            last: Vec::new(),
            beginning: Vec::new(),
            happened: 0,
            by_state: false,
            keys: None,
        }
    }

    /// Replaces the room by one whose create event is altered; the member is [`ANNA`] of the founder's server.
    pub(super) fn made_with(&mut self, alter_create: impl FnOnce(&mut Object)) -> &mut Self {
        *self = Self::open(self.version(), ALICE, ANNA, alter_create);
        self
    }

    /// Replaces the room by one that has only a create event, whose content is altered.
    pub(super) fn created_with(&mut self, alter: impl FnOnce(&mut Object)) -> &mut Self {
        *self = Self::unmade(self.version(), ALICE);
        self.begins(self.creates(alter));
        self
    }

    /// Goes back to the beginning of the room.
    pub(super) fn only(&mut self, beginning: Beginning) -> &mut Self {
        let length = match beginning {
            Beginning::Created => 1,
            Beginning::Founded => 2,
            Beginning::Joined => 4,
        };
        self.state.clear();
        self.happened = 0;
        let begun: Vec<String> = self.beginning.iter().take(length).cloned().collect();
        begun.into_iter().for_each(|id| self.enters(id));
        self
    }

    pub(super) fn version(&self) -> &'static RoomVersion {
        self.room.version()
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// The id of the create event.
    pub(super) fn create_event(&self) -> String {
        self.beginning[0].clone()
    }

    /// The ids of the latest events.
    pub(super) fn last(&self) -> Vec<String> {
        self.last.clone()
    }

    /// The id of the event at `(event_type, state_key)` of the current state.
    pub(super) fn current(&self, event_type: &str, state_key: &str) -> String {
        self.state[&(event_type.to_owned(), state_key.to_owned())].clone()
    }

    /// Takes an event out of the current state, so that coming events do not refer to it.
    pub(super) fn without(&mut self, event_type: &str, state_key: &str) -> &mut Self {
        self.state.remove(&(event_type.to_owned(), state_key.to_owned()));
        self
    }

    /// Another room, known to the same servers: [`BOB`] made it and [`ALICE`] is a member.
    pub(super) fn other_room(&mut self) -> Self {
        let other = Self::open(self.version(), BOB, ALICE, |_| {});
        for id in &other.beginning {
            let event = other.room.events().get(id).unwrap();
            self.room.take("", event.pdu().clone());
        }
        other
    }

    /// Takes the current state of another room for that of this one.
    pub(super) fn confused_with(&mut self, other: &Self) -> &mut Self {
        self.state.clone_from(&other.state);
        self
    }

    /// Lets the coming event be judged by the current state, instead of by its auth events.
    pub(super) fn by_state(&mut self) -> &mut Self {
        self.by_state = true;
        self
    }

    /// Gives the judge the public keys of servers, by which signatures are to be checked.
    pub(super) fn with_keys(&mut self, keys: Keys) -> &mut Self {
        self.keys = Some(keys);
        self
    }

    /// Makes an event that must be accepted, and goes on from it. Gives its id.
    pub(super) fn happens(&mut self, draft: Draft<'static>) -> String {
        let id = self.make(draft);
        let decision = self.decide_by_auth_events(&id);
        assert!(matches!(decision, Decision::Allow { .. }), "{decision:?}: {:?}", self.room.text(&id));
        self.enters(id.clone());
        id
    }

    /// Makes an event that must be rejected, and takes note of that. Gives its id.
    pub(super) fn is_rejected(&mut self, draft: Draft<'static>) -> String {
        let id = self.make(draft);
        let decision = self.decide_by_auth_events(&id);
        assert!(matches!(decision, Decision::Reject(_)), "{decision:?}: {:?}", self.room.text(&id));
        self.room.reject(&id);
        id
    }

    /// Makes the event that is to be judged. Gives its id.
    pub(super) fn make(&mut self, draft: Draft<'static>) -> String {
        let mut draft = draft;
        if self.version().event_id == EventIdFormat::Domain && !draft.with.contains_key("event_id") {
            let event_id = self.event_id_of(&draft);
            draft.with.insert("event_id".to_owned(), json!(event_id));
        }
        self.room.make(draft)
    }

    /// The question whether an event is allowed.
    pub(super) fn asks(&self, event_id: &str) -> Question {
        let mut question = self.room.ask_authorize(event_id, self.by_state.then_some(&self.state));
        if let Question::Authorize(Authorize { keys, .. }) = &mut question {
            keys.clone_from(&self.keys);
        }
        question
    }

    /// What the oracle says of an event, with every signature that is present taken for valid.
    pub(super) fn decides(&self, event_id: &str) -> Decision {
        if !self.by_state {
            return self.decide_by_auth_events(event_id);
        }
        let event = self.room.events().get(event_id).unwrap();
        decide(self.version(), event, &StateOf { state: &self.state, events: self.room.events() })
    }

    fn decide_by_auth_events(&self, event_id: &str) -> Decision {
        let events = self.room.events();
        let event = events.get(event_id).unwrap();
        let entry =
            |id: &String| AuthEvent { event: events.get(id).unwrap(), rejected: events.is_rejected(id) };
        let auth_events: Vec<AuthEvent<'_>> = event.auth_events().iter().map(entry).collect();
        let create = event.implied_create_event(self.version()).filter(|id| !events.is_rejected(id));
        let create = create.and_then(|id| events.get(&id));
        decide_by_auth_events(self.version(), event, &auth_events, create, None)
    }

    fn begins(&mut self, draft: Draft<'static>) {
        let id = self.happens(draft);
        self.beginning.push(id);
    }

    /// Goes on from an event.
    fn enters(&mut self, id: String) {
        if let Some(key) = self.room.events().get(&id).and_then(Event::key) {
            self.state.insert(key, id.clone());
        }
        self.happened += 1;
        self.last = vec![id];
    }

    /// An id for an event of room versions 1 and 2, where senders choose: a part of its hash, so that the same event
    /// has the same id in every scene, and no other has it.
    fn event_id_of(&self, draft: &Draft<'static>) -> String {
        let mut rehearsal = self.room.clone();
        let id = rehearsal.make(draft.clone());
        let hash = reference_hash(rehearsal.events().get(&id).unwrap().pdu(), self.version()).unwrap();
        let localpart = &base64::encode_url_safe(hash)[..12];
        format!("${localpart}:{}", server_name_of(draft.sender).unwrap())
    }
}

/// The properties of a JSON object.
pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}
