//! Whether servers signed, where that is not taken for granted
//! (server-server-api/#validating-hashes-and-signatures-on-received-events).

use protocol::RoomVersion;
use protocol::event::POLICY_SERVER_KEY_ID;
use protocol::keys::KeyRing;
use protocol::redaction::redact;
use protocol::signatures;

use super::AuthState;
use crate::event::Event;

/// A state that looks at signatures instead of taking them for granted.
#[derive(Clone, Copy)]
pub struct WithKeys<'a> {
    /// The state.
    pub state: &'a dyn AuthState,
    /// The room version, which decides what a signature covers and whether the validity of its key counts.
    pub version: &'a RoomVersion,
    /// The keys of the servers.
    pub keys: &'a KeyRing,
}

impl AuthState for WithKeys<'_> {
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Event> {
        self.state.get(event_type, state_key)
    }

    fn is_signed_by(&self, event: &Event, server_name: &str) -> bool {
        let redacted = redact(event.pdu(), &self.version.redaction);
        let verified = signatures::verify_as(self.version.canonical_json, &redacted, server_name, |key_id| {
            let published = self.keys.find(server_name, key_id)?;
            let counts =
                published.validity.covers(event.origin_server_ts(), self.version.enforces_key_validity);
            (counts && key_id.as_str() != POLICY_SERVER_KEY_ID).then_some(published.key)
        });
        verified.is_ok()
    }
}
