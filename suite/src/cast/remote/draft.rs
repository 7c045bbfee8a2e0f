//! An event in the making: right in everything that a test does not make wrong.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use oracle::select_auth_events;
use protocol::{Object, RoomVersion, canonical_json::Form, event, room_version::EventIdFormat};
use serde_json::{Value, json};

use super::{house::Identity, room::Room};
use crate::verdict::Stop;

/// An event as servers exchange it, with its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Pdu {
    id: String,
    json: Object,
}

impl Pdu {
    pub(super) fn new(id: String, json: Object) -> Self {
        Pdu { id, json }
    }

    /// The event id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The event.
    pub fn json(&self) -> &Object {
        &self.json
    }

    /// The event, changed after it was hashed and signed. Its id stays what it was.
    pub fn tampered(mut self, change: impl FnOnce(&mut Object)) -> Self {
        change(&mut self.json);
        self
    }

    /// The event as a value.
    pub fn value(&self) -> Value {
        Value::Object(self.json.clone())
    }
}

type Change = Box<dyn FnOnce(&mut Object) + Send>;

/// An event that nobody has hashed or signed yet. What a test does not say is as the room has it at that moment.
#[must_use = "a draft is nothing to anybody until it is built"]
pub struct Draft {
    room: Room,
    event: Object,
    previous: Option<Vec<String>>,
    authorizing: Option<Vec<String>>,
    changes: Vec<Change>,
    tampering: Vec<Change>,
    signers: Vec<Arc<Identity>>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Draft").field("event", &self.event).finish_non_exhaustive()
    }
}

impl Draft {
    pub(super) fn new(room: &Room, kind: &str, state_key: Option<&str>, content: Value) -> Self {
        let mut event = Object::new();
        event.insert("type".to_owned(), json!(kind));
        event.insert("room_id".to_owned(), json!(room.id()));
        event.insert("sender".to_owned(), json!(room.speaker()));
        event.insert("content".to_owned(), content);
        event.insert("origin_server_ts".to_owned(), json!(now_ms()));
        if let Some(state_key) = state_key {
            event.insert("state_key".to_owned(), json!(state_key));
        }
        let signers = vec![room.identity().clone()];
        let (changes, tampering) = (Vec::new(), Vec::new());
        Draft { room: room.clone(), event, previous: None, authorizing: None, changes, tampering, signers }
    }

    /// The room that it is for.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Sent by another user.
    pub fn by(self, sender: &str) -> Self {
        self.with("sender", json!(sender))
    }

    /// With another property, or another value of one.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.event.insert(name.to_owned(), value);
        self
    }

    /// With these events before it.
    pub fn after(mut self, events: &[&Pdu]) -> Self {
        self.previous = Some(events.iter().map(|event| event.id.clone()).collect());
        self
    }

    /// With these auth events.
    pub fn authorized_by(mut self, events: &[&str]) -> Self {
        self.authorizing = Some(events.iter().map(|id| (*id).to_owned()).collect());
        self
    }

    /// Changed when all else is filled in, and then hashed and signed.
    pub fn changed(mut self, change: impl FnOnce(&mut Object) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Changed when it is hashed and signed.
    pub fn tampered(mut self, change: impl FnOnce(&mut Object) + Send + 'static) -> Self {
        self.tampering.push(Box::new(change));
        self
    }

    /// Signed by this remote alone.
    pub fn signed_by(mut self, remote: &super::Remote) -> Self {
        self.signers = vec![remote.identity().clone()];
        self
    }

    /// Signed by this remote as well.
    pub fn signed_also_by(mut self, remote: &super::Remote) -> Self {
        self.signers.push(remote.identity().clone());
        self
    }

    /// Hashes and signs it. The room does not know it yet.
    pub fn build(self) -> Result<Pdu, Stop> {
        let form = self.room.version().canonical_json;
        self.build_as(form)
    }

    /// The same over another form of canonical JSON, for events that the room version cannot express.
    pub fn build_as(self, form: Form) -> Result<Pdu, Stop> {
        let Draft { room, event, previous, authorizing, changes, tampering, signers } = self;
        let version = &RoomVersion { canonical_json: form, ..*room.version() };
        let mut event = completed(&room, event, previous, authorizing)?;
        if version.event_id == EventIdFormat::Domain && !event.contains_key("event_id") {
            let id = format!("$determinant-{:016x}:{}", rand::random::<u64>(), room.identity().name);
            event.insert("event_id".to_owned(), json!(id));
        }
        for change in changes {
            change(&mut event);
        }
        let failed = |error: protocol::canonical_json::Error| {
            Stop::Fault(format!("the event of the test cannot be signed: {error}"))
        };
        let hash = event::content_hash(&event, version).map_err(failed)?;
        event.insert("hashes".to_owned(), json!({"sha256": protocol::base64::encode(hash)}));
        for signer in signers {
            event::sign(&mut event, &signer.name, &signer.key, version).map_err(failed)?;
        }
        for change in tampering {
            change(&mut event);
        }
        let id = event::event_id(&event, version)
            .map_err(|error| Stop::Fault(format!("the event of the test has no id: {error}")))?;
        Ok(Pdu { id, json: event })
    }

    /// The event as a server proposes it to another one that will sign it: without hash and signature.
    pub(super) fn template(self) -> Result<Object, Stop> {
        completed(&self.room, self.event, self.previous, self.authorizing)
    }
}

/// Fills in what places the event in its room: `server-server-api/#pdus`, `server-server-api/#auth-events-selection`.
fn completed(
    room: &Room,
    mut event: Object,
    previous: Option<Vec<String>>,
    authorizing: Option<Vec<String>>,
) -> Result<Object, Stop> {
    let held = room.held();
    let previous = previous.unwrap_or_else(|| held.extremities());
    event.insert("prev_events".to_owned(), held.references(&previous));
    if !event.contains_key("depth") {
        event.insert("depth".to_owned(), json!(held.depth_after(&previous)));
    }
    event.insert("auth_events".to_owned(), json!([]));
    let authorizing = match authorizing {
        Some(ids) => ids,
        None => {
            let read = held.read("$draft", event.clone())?;
            let state = held.state_before(&read)?;
            select_auth_events(held.version(), &read, &state)
        }
    };
    event.insert("auth_events".to_owned(), held.references(&authorizing));
    Ok(event)
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
