//! What was done in a session, as plain facts.

use std::collections::BTreeSet;

use super::action::{ROOMS, USERS};

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Whether a user is in a room.
    pub(super) joined: [[bool; ROOMS]; USERS],
    /// The events that each user has sent to each room, in order.
    pub(super) sent: [[Vec<String>; ROOMS]; USERS],
    /// The messages among them that were not redacted yet.
    pub(super) messages: [[Vec<String>; ROOMS]; USERS],
    /// The messages to the devices of each user.
    pub(super) to_device: [BTreeSet<String>; USERS],
    /// Who has published keys since all clients have their first token.
    pub(super) published: BTreeSet<usize>,
}
