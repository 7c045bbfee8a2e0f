//! An event as servers store and exchange it, with its id and the properties that judging it needs.

mod client;
mod template;

use std::fmt;
use std::sync::Arc;

use protocol::event::EventError;
use protocol::room_version::{References, RoomIdFormat};
use protocol::{Object, RoomVersion, base64, event, redaction};
use serde_json::{Value, json};

pub use template::{BuildError, Place, Template};

/// A persistent data unit: the event itself, unchanged. Cloning is cheap.
#[derive(Clone)]
pub struct Pdu(Arc<Inner>);

struct Inner {
    version: &'static RoomVersion,
    /// Shared with whoever keeps ids of events.
    event_id: Arc<str>,
    room_id: String,
    event_type: String,
    state_key: Option<String>,
    sender: String,
    origin_server_ts: i64,
    depth: u64,
    prev_events: Vec<String>,
    auth_events: Vec<String>,
    object: Object,
}

/// An object that cannot be taken for an event at all. Events that passed [`check`](super::check) can.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A property is missing or has the wrong type.
    #[error("event has no usable {0:?}")]
    Property(&'static str),
    /// The event id cannot be told.
    #[error(transparent)]
    Id(#[from] EventError),
}

impl Pdu {
    /// Takes an object for an event, computing its id where the room version does not spell it out.
    pub fn parse(object: Object, version: &'static RoomVersion) -> Result<Self, Malformed> {
        let event_id = event::event_id(&object, version)?;
        Self::with_id(event_id, object, version)
    }

    /// Takes an object for the event of a known id, as after reading it from storage.
    pub fn with_id(
        event_id: String,
        object: Object,
        version: &'static RoomVersion,
    ) -> Result<Self, Malformed> {
        let event_type = string(&object, "type")?;
        let room_id = match version.room_id {
            RoomIdFormat::CreateEvent if event_type == "m.room.create" => room_id_of_create(&event_id),
            _ => string(&object, "room_id")?,
        };
        Ok(Self(Arc::new(Inner {
            version,
            room_id,
            event_type,
            state_key: object.get("state_key").and_then(Value::as_str).map(str::to_owned),
            sender: string(&object, "sender")?,
            origin_server_ts: object.get("origin_server_ts").and_then(Value::as_i64).unwrap_or_default(),
            depth: object.get("depth").and_then(Value::as_u64).unwrap_or_default(),
            prev_events: references(&object, "prev_events", version)?,
            auth_events: references(&object, "auth_events", version)?,
            event_id: event_id.into(),
            object,
        })))
    }

    /// The version of the event's room.
    pub fn version(&self) -> &'static RoomVersion {
        self.0.version
    }

    /// The event id.
    pub fn event_id(&self) -> &str {
        &self.0.event_id
    }

    /// The event id, to be kept without a copy.
    pub(crate) fn shared_event_id(&self) -> &Arc<str> {
        &self.0.event_id
    }

    /// The room id, also where a create event does not carry it.
    pub fn room_id(&self) -> &str {
        &self.0.room_id
    }

    /// The type.
    pub fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// The state key, which only state events have.
    pub fn state_key(&self) -> Option<&str> {
        self.0.state_key.as_deref()
    }

    /// Whether this is the state event of that type and key.
    pub fn is_state(&self, event_type: &str, state_key: &str) -> bool {
        self.event_type() == event_type && self.state_key() == Some(state_key)
    }

    /// The user who sent the event.
    pub fn sender(&self) -> &str {
        &self.0.sender
    }

    /// When the sender's server says that it made the event, in milliseconds since the epoch.
    pub fn origin_server_ts(&self) -> i64 {
        self.0.origin_server_ts
    }

    /// One more than the greatest depth among the previous events.
    pub fn depth(&self) -> u64 {
        self.0.depth
    }

    /// The ids of the previous events.
    pub fn prev_events(&self) -> &[String] {
        &self.0.prev_events
    }

    /// The ids of the auth events.
    pub fn auth_events(&self) -> &[String] {
        &self.0.auth_events
    }

    /// The whole event in the format that servers exchange.
    pub fn object(&self) -> &Object {
        &self.0.object
    }

    /// A property of the content.
    pub fn content(&self, name: &str) -> Option<&Value> {
        self.0.object.get("content")?.get(name)
    }

    /// A property of the content that is a string.
    pub fn content_str(&self, name: &str) -> Option<&str> {
        self.content(name)?.as_str()
    }

    /// The event that this one redacts, if it is a redaction.
    pub fn redacts(&self) -> Option<&str> {
        if self.event_type() != "m.room.redaction" {
            return None;
        }
        if self.version().redacts_in_content {
            self.content_str("redacts")
        } else {
            self.object().get("redacts")?.as_str()
        }
    }

    /// What a redaction leaves of the event; the id stays.
    pub fn redacted(&self) -> Self {
        let inner = &self.0;
        Self(Arc::new(Inner {
            version: inner.version,
            event_id: inner.event_id.clone(),
            room_id: inner.room_id.clone(),
            event_type: inner.event_type.clone(),
            state_key: inner.state_key.clone(),
            sender: inner.sender.clone(),
            origin_server_ts: inner.origin_server_ts,
            depth: inner.depth,
            prev_events: inner.prev_events.clone(),
            auth_events: inner.auth_events.clone(),
            object: redaction::redact(&inner.object, &inner.version.redaction),
        }))
    }

    /// How another event refers to this one in `prev_events` or `auth_events`.
    pub fn reference(&self) -> Result<Value, protocol::canonical_json::Error> {
        Ok(match self.version().references {
            References::Ids => json!(self.event_id()),
            References::IdsAndHashes => {
                let hash = event::reference_hash(self.object(), self.version())?;
                json!([self.event_id(), {"sha256": base64::encode(hash)}])
            }
        })
    }
}

impl fmt::Debug for Pdu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pdu({} {} {:?})", self.event_id(), self.event_type(), self.state_key())
    }
}

/// The room id that a create event implies since room version 12 (appendices/#room-ids).
pub fn room_id_of_create(event_id: &str) -> String {
    format!("!{}", event_id.trim_start_matches('$'))
}

fn string(object: &Object, name: &'static str) -> Result<String, Malformed> {
    object.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(Malformed::Property(name))
}

fn references(object: &Object, name: &'static str, version: &RoomVersion) -> Result<Vec<String>, Malformed> {
    let entries = object.get(name).and_then(Value::as_array).ok_or(Malformed::Property(name))?;
    let id_of = |entry: &Value| match version.references {
        References::Ids => entry.as_str().map(str::to_owned),
        References::IdsAndHashes => entry.get(0).and_then(Value::as_str).map(str::to_owned),
    };
    entries.iter().map(|entry| id_of(entry).ok_or(Malformed::Property(name))).collect()
}
