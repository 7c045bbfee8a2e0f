//! The conformance suite: what the Matrix specification asks of a homeserver, put to one over its sockets.
//!
//! [`registry`] holds the tests that stand under `spec/`; [`plan`] chooses and orders them; [`conduct`] reaches or starts a
//! [`target`], puts the tests to it at once, shows every exchange to the [`judge`] and tells its reporters what came of
//! each. The suite never knows which product it is talking to.

// The attribute writes `::suite::…`, within this crate as well as in its integration tests.
extern crate self as suite;

pub mod cast;
pub mod coverage;
pub mod doctor;
pub mod exchange;
pub mod expectations;
pub mod faults;
pub mod histories;
pub mod hostile;
pub mod judge;
pub mod plan;
pub mod registration;
pub mod registry;
pub mod requirements;
pub mod scene;
pub mod selftest;
pub mod sessions;
pub mod stage;
pub mod stand_in;
pub mod target;
pub mod together;
pub mod trial;
pub mod verdict;

mod conduct;
mod runner;
mod spec;
mod stand;
mod telling;
mod wire;

pub use conduct::{Options, RunError, conduct};
pub use stand::RunSettings;
pub use suite_attribute::conformance;

/// A new seed.
pub fn seed() -> u64 {
    // Short enough to be typed again.
    u64::from(rand::random::<u32>())
}
