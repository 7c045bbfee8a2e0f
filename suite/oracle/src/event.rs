//! Events as the rules see them, and the state that they make up (server-server-api/#pdus).

use std::collections::{BTreeMap, BTreeSet};

use protocol::event::EventError;
use protocol::room_version::{References, RoomIdFormat};
use protocol::{Object, RoomVersion};
use serde_json::Value;

/// The state of a room: event ids by `(event_type, state_key)` (server-server-api/#room-state-resolution).
pub type StateMap = BTreeMap<(String, String), String>;

/// An event with its id. What the rules look at in every event has been read out; the rest is the JSON as it
/// came.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    id: String,
    pdu: Object,
    event_type: String,
    sender: String,
    room_id: Option<String>,
    state_key: Option<String>,
    auth_events: Vec<String>,
    prev_events: Vec<String>,
    depth: i64,
    origin_server_ts: i64,
}

/// An event that cannot be judged, because a property that every event has is missing or of the wrong type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {id} cannot be judged: {property:?} must be {expected}; check its format first")]
pub struct MalformedEvent {
    /// The event's id.
    pub id: String,
    /// The property.
    pub property: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

impl Event {
    /// Reads an event of a room version. The id is taken as given, and only the types of the properties that
    /// the rules need are checked; `protocol::event::check_format` knows the whole format.
    pub fn new(version: &RoomVersion, id: impl Into<String>, pdu: Object) -> Result<Self, MalformedEvent> {
        let reader = Reader { id: &id.into(), pdu: &pdu };
        Ok(Self {
            id: reader.id.to_owned(),
            event_type: reader.string("type")?,
            sender: reader.string("sender")?,
            room_id: reader.optional_string("room_id")?,
            state_key: reader.optional_string("state_key")?,
            auth_events: reader.references("auth_events", version)?,
            prev_events: reader.references("prev_events", version)?,
            depth: reader.integer("depth")?,
            origin_server_ts: reader.integer("origin_server_ts")?,
            pdu,
        })
    }

    /// The id of an event as its room version computes it, for [`Event::new`].
    ///
    /// # Errors
    /// When the event lacks its `event_id` (room versions 1 and 2) or has no canonical form.
    pub fn id_of(version: &RoomVersion, pdu: &Object) -> Result<String, EventError> {
        protocol::event::event_id(pdu, version)
    }

    /// The event id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The event as it came.
    pub fn pdu(&self) -> &Object {
        &self.pdu
    }

    /// The `type`.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The `sender`.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The `room_id`, which create events do not have since room version 12.
    pub fn room_id(&self) -> Option<&str> {
        self.room_id.as_deref()
    }

    /// The `state_key`, if this is a state event.
    pub fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    /// The key under which a state event stands in the state.
    pub fn key(&self) -> Option<(String, String)> {
        Some((self.event_type.clone(), self.state_key.clone()?))
    }

    /// The ids in `auth_events`, in their order.
    pub fn auth_events(&self) -> &[String] {
        &self.auth_events
    }

    /// The ids in `prev_events`, in their order.
    pub fn prev_events(&self) -> &[String] {
        &self.prev_events
    }

    /// The `depth`.
    pub fn depth(&self) -> i64 {
        self.depth
    }

    /// The `origin_server_ts`, in milliseconds since the epoch.
    pub fn origin_server_ts(&self) -> i64 {
        self.origin_server_ts
    }

    /// A property of the `content`, whatever its type.
    pub fn content(&self, property: &str) -> Option<&Value> {
        self.pdu.get("content")?.get(property)
    }

    /// A property of the `content`, if it is a string.
    pub fn content_string(&self, property: &str) -> Option<&str> {
        self.content(property)?.as_str()
    }

    /// Whether this is a create event, which has an empty state key (client-server-api/#mroomcreate).
    pub fn is_create(&self) -> bool {
        self.event_type() == "m.room.create" && self.state_key() == Some("")
    }

    /// The id of the create event that the room id implies, where the room version makes one of the other
    /// (rooms/v12/#authorisation-rules, rule 2).
    pub fn implied_create_event(&self, version: &RoomVersion) -> Option<String> {
        let hash = self.room_id()?.strip_prefix('!')?;
        (version.room_id == RoomIdFormat::CreateEvent).then(|| format!("${hash}"))
    }
}

/// Any number of events by id, and which of them were rejected.
#[derive(Clone, Debug, Default)]
pub struct Events {
    by_id: BTreeMap<String, Event>,
    rejected: BTreeSet<String>,
}

impl Events {
    /// Adds an event, replacing one with the same id.
    pub fn insert(&mut self, event: Event) {
        self.by_id.insert(event.id.clone(), event);
    }

    /// Remembers that an event was rejected (server-server-api/#rejection).
    pub fn reject(&mut self, id: &str) {
        self.rejected.insert(id.to_owned());
    }

    /// The event with that id.
    pub fn get(&self, id: &str) -> Option<&Event> {
        self.by_id.get(id)
    }

    /// Whether the event was rejected.
    pub fn is_rejected(&self, id: &str) -> bool {
        self.rejected.contains(id)
    }

    /// All events, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.by_id.values()
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let by_id = events.into_iter().map(|event| (event.id.clone(), event)).collect();
        Self { by_id, rejected: BTreeSet::new() }
    }
}

/// Reads typed properties of an event.
struct Reader<'a> {
    id: &'a str,
    pdu: &'a Object,
}

impl Reader<'_> {
    fn string(&self, property: &'static str) -> Result<String, MalformedEvent> {
        self.optional_string(property)?.ok_or_else(|| self.malformed(property, "a string"))
    }

    fn optional_string(&self, property: &'static str) -> Result<Option<String>, MalformedEvent> {
        match self.pdu.get(property) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.malformed(property, "a string")),
        }
    }

    fn integer(&self, property: &'static str) -> Result<i64, MalformedEvent> {
        let value = self.pdu.get(property).and_then(Value::as_i64);
        value.ok_or_else(|| self.malformed(property, "an integer of 64 bits"))
    }

    /// Ids, or pairs of an id and hashes in room versions 1 and 2 (rooms/v3/#event-format).
    fn references(
        &self,
        property: &'static str,
        version: &RoomVersion,
    ) -> Result<Vec<String>, MalformedEvent> {
        let expected = match version.references {
            References::Ids => "a list of event ids",
            References::IdsAndHashes => "a list of pairs of an event id and its hashes",
        };
        let read = |entry: &Value| match version.references {
            References::Ids => entry.as_str().map(str::to_owned),
            References::IdsAndHashes => entry.get(0)?.as_str().map(str::to_owned),
        };
        let entries = self.pdu.get(property).and_then(Value::as_array);
        let ids = entries.and_then(|entries| entries.iter().map(read).collect());
        ids.ok_or_else(|| self.malformed(property, expected))
    }

    fn malformed(&self, property: &'static str, expected: &'static str) -> MalformedEvent {
        MalformedEvent { id: self.id.to_owned(), property, expected }
    }
}
