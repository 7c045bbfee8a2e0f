//! When the rules are applied, and to which state (server-server-api/#checks-performed-on-receipt-of-a-pdu).
//!
//! Checks 1 to 3, on format, signatures and hashes, are `protocol`'s; check 7 is the policy server's.

use protocol::RoomVersion;

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
