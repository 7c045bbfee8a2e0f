//! When the rules are applied, and to which state (server-server-api/#checks-performed-on-receipt-of-a-pdu).
//!
//! Checks 1 to 3, on format, signatures and hashes, are `protocol`'s; check 7 is the policy server's.

use protocol::RoomVersion;
use protocol::event::POLICY_SERVER_KEY_ID;
use protocol::keys::KeyRing;
use protocol::redaction::redact;
use protocol::signatures;

use super::auth_events::AuthEvent;
use super::authorization::{AuthState, Decision, Rejection, decide, decide_by_auth_events};
use super::event::Event;

/// What becomes of an event whose format, signatures and hashes are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It counts, and is told to clients.
    Accepted,
    /// It does not change the state and is told to nobody (server-server-api/#rejection).
    Rejected {
        /// The check that failed: 4 by its auth events, 5 by the state before it.
        check: u8,
        /// The rule.
        rejection: Rejection,
    },
    /// It counts in state resolution, but clients are not told and no new event refers to it
    /// (server-server-api/#soft-failure). This is check 6, by the current state.
    SoftFailed(Rejection),
}

/// The states and events by which a received event is authorized.
#[derive(Clone, Copy)]
pub struct Grounds<'a> {
    /// What the event's `auth_events` refer to, in their order.
    pub auth_events: &'a [AuthEvent<'a>],
    /// The accepted create event that the room id implies, since room version 12.
    pub create: Option<&'a Event>,
    /// The state before the event.
    pub before: &'a dyn AuthState,
    /// The current state of the room.
    pub current: &'a dyn AuthState,
}

/// Checks 4, 5 and 6.
pub fn receive(version: &RoomVersion, event: &Event, grounds: Grounds<'_>) -> Receipt {
    let by_auth_events = decide_by_auth_events(version, event, grounds.auth_events, grounds.create, None);
    if let Decision::Reject(rejection) = by_auth_events {
        return Receipt::Rejected { check: 4, rejection };
    }
    if let Decision::Reject(rejection) = decide(version, event, grounds.before) {
        return Receipt::Rejected { check: 5, rejection };
    }
    if let Decision::Reject(rejection) = decide(version, event, grounds.current) {
        return Receipt::SoftFailed(rejection);
    }
    Receipt::Accepted
}

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
