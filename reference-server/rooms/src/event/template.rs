//! Making a new event: from what a client asks for to a hashed and signed event at a place in its room.

use protocol::event::{self, FormatError, HASH_BYTES};
use protocol::identifiers::server_name_of;
use protocol::keys::SigningKey;
use protocol::room_version::{EventIdFormat, RoomIdFormat};
use protocol::{Object, RoomVersion, base64, canonical_json};
use serde_json::{Value, json};

use super::{Malformed, Pdu};
use crate::authorize::auth_event_keys;
use crate::state::StateLookup;

/// What an event says, before it has a place in a room.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// The type.
    pub event_type: String,
    /// The state key, for state events.
    pub state_key: Option<String>,
    /// The user who sends it.
    pub sender: String,
    /// The content.
    pub content: Object,
}

/// Where a new event goes.
pub struct Place<'a, S> {
    /// The version of the room.
    pub version: &'static RoomVersion,
    /// The room. A create event since room version 12 needs none: it makes the room id.
    pub room_id: Option<&'a str>,
    /// The events that it follows: the room's forward extremities.
    pub prev_events: &'a [Pdu],
    /// The state before it, from which its auth events are selected.
    pub state: &'a S,
    /// Now, in milliseconds since the epoch.
    pub origin_server_ts: i64,
}

/// Why an event cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The content holds a number that the room version does not allow: `M_BAD_JSON`.
    #[error(transparent)]
    Number(#[from] canonical_json::Error),
    /// The event breaks another rule of the format, a size limit above all.
    #[error(transparent)]
    Format(FormatError),
    /// The event cannot be read back.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Template {
    /// Builds, hashes and signs the event as the server named.
    pub fn build<S: StateLookup>(
        self,
        place: &Place<'_, S>,
        server_name: &str,
        key: &SigningKey,
    ) -> Result<Pdu, BuildError> {
        let mut object = self.propose(place)?;
        event::hash_and_sign(&mut object, server_name, key, place.version)?;
        event::check_format(&object, place.version, event::Counts::Limited).map_err(|error| match error {
            FormatError::Number(error) => BuildError::Number(error),
            error => BuildError::Format(error),
        })?;
        Ok(Pdu::parse(object, place.version)?)
    }

    /// The event without hashes and signatures, as a server proposes it to another one that will sign it.
    pub fn propose<S: StateLookup>(self, place: &Place<'_, S>) -> Result<Object, BuildError> {
        let version = place.version;
        let auth_events = self.auth_events(place);
        let mut object = Object::new();
        self.insert_redacts(version, &mut object);
        object.insert("type".into(), json!(self.event_type));
        object.insert("sender".into(), json!(self.sender));
        object.insert("origin_server_ts".into(), json!(place.origin_server_ts));
        object.insert("depth".into(), json!(depth_after(place.prev_events, version)));
        object.insert("prev_events".into(), references(place.prev_events)?);
        object.insert("auth_events".into(), references(&auth_events)?);
        if let Some(state_key) = &self.state_key {
            object.insert("state_key".into(), json!(state_key));
        }
        if version.room_id == RoomIdFormat::Domain || self.event_type != "m.room.create" {
            object.insert("room_id".into(), json!(place.room_id));
        }
        // The content last: moving `redacts` may have changed it.
        object.entry("content").or_insert(Value::Object(self.content));
        if version.event_id == EventIdFormat::Domain {
            let event_id = domain_event_id(&object, &self.sender, version)?;
            object.insert("event_id".into(), json!(event_id));
        }
        Ok(object)
    }

    fn auth_events<S: StateLookup>(&self, place: &Place<'_, S>) -> Vec<Pdu> {
        let keys = auth_event_keys(
            place.version,
            &self.event_type,
            &self.sender,
            self.state_key.as_deref(),
            &self.content,
        );
        keys.iter()
            .filter_map(|(event_type, state_key)| place.state.find(event_type, state_key).cloned())
            .collect()
    }

    /// Clients put `redacts` into the content in every room version; before version 11 the event has it at
    /// the top level (client-server-api/#redactions).
    fn insert_redacts(&self, version: &RoomVersion, object: &mut Object) {
        if self.event_type != "m.room.redaction" || version.redacts_in_content {
            return;
        }
        let mut content = self.content.clone();
        if let Some(redacts) = content.remove("redacts") {
            object.insert("redacts".into(), redacts);
            object.insert("content".into(), Value::Object(content));
        }
    }
}

fn depth_after(prev_events: &[Pdu], version: &RoomVersion) -> u64 {
    let deepest = prev_events.iter().map(Pdu::depth).max().unwrap_or_default();
    deepest.saturating_add(1).min(version.max_depth)
}

fn references(events: &[Pdu]) -> Result<Value, canonical_json::Error> {
    events.iter().map(Pdu::reference).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// An id of the old form: any unique opaque part will do, and the hash of everything else is one.
fn domain_event_id(
    object: &Object,
    sender: &str,
    version: &RoomVersion,
) -> Result<String, canonical_json::Error> {
    let hash: [u8; HASH_BYTES] = event::content_hash(object, version)?;
    let opaque_id = base64::encode_url_safe(hash);
    Ok(format!("${opaque_id}:{}", server_name_of(sender).unwrap_or_default()))
}
