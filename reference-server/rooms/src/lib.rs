//! The event pipeline: how a room's events are made, checked, judged and shown. No I/O, no clock.
//!
//! An event that a client asks for is built from a [`Template`](event::Template) at a place in the room,
//! one that arrives from a server passes [`check::receive`]; both then face [`authorize::authorize`] with the
//! state that counts. A room with a single forward extremity has the state before an event simply from
//! succession ([`state::StateMap::insert`]); where several come together, [`resolution::resolve`] makes one state of theirs.
//!
//! The rules stand here once more than in the conformance suite on purpose: a misreading in one place
//! shows as a difference.

pub mod authorize;
pub mod check;
pub mod event;
pub mod mistakes;
pub mod power_levels;
pub mod redaction;
pub mod resolution;
pub mod state;
pub mod visibility;

#[cfg(test)]
mod tests;
