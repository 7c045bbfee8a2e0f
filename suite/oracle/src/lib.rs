//! The suite's own judge of rooms: authorization rules and state resolution as the text has them, slow and plain.
//!
//! It is meant to be held beside the specification: no caches, no shortcuts, nothing that the text does not say.
//! Where the text is silent or can be read in two ways, a comment that begins with "Choice:" says what was chosen.
//!
//! | module | holds | specification |
//! |---|---|---|
//! | [`event`] | events, maps of state | server-server-api/#pdus |
//! | [`power_levels`] | what a power level is, creators | rooms/v12/#authorisation-rules |
//! | [`auth_events`] | which events authorize one | server-server-api/#auth-events-selection |
//! | [`rule`] | the numbers of all rules in all room versions | rooms/ |
//! | [`authorization`] | the rules themselves | rooms/ |
//! | [`receipt`] | when the rules are applied, and to which state | server-server-api/#checks-performed-on-receipt-of-a-pdu |
//! | [`resolution`] | state resolution, with a trace of every step | rooms/v1/, rooms/v2/, rooms/v12/#state-resolution |
//! | [`history`] | a whole room, event by event | server-server-api/#room-state-resolution |
//!
//! Nothing here does I/O, checks the format of events or computes their hashes: `protocol` does that.

pub mod auth_events;
pub mod authorization;
pub mod event;
pub mod history;
pub mod power_levels;
pub mod receipt;
pub mod resolution;
pub mod rule;

#[cfg(test)]
mod tests;

pub use auth_events::{AuthEvent, auth_event_keys, select_auth_events};
pub use authorization::{
    AuthState, Decision, Rejection, StateOf, WithKeys, authorize, decide, decide_by_auth_events,
};
pub use event::{Event, Events, MalformedEvent, StateMap};
pub use history::{History, HistoryError};
pub use power_levels::{Level, PowerLevels};
pub use receipt::{Receipt, receive};
pub use resolution::{Resolution, ResolutionError, resolve};
pub use rule::Rule;
