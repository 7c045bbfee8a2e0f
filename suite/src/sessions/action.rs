//! What a user or a client does.

use std::fmt;

use rand::{RngExt, rngs::StdRng};

/// How many users there are. The first makes the rooms and stays in them.
pub(super) const USERS: usize = 3;
/// How many clients a user has, each a device with a filter of its own.
pub(super) const CLIENTS: usize = 2;
/// How many rooms there are. The first is encrypted.
pub(super) const ROOMS: usize = 2;

const NAMES: [&str; USERS] = ["alice", "bob", "carol"];

/// One action. Users, clients and rooms are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) user: usize,
    pub(super) deed: Deed,
}

/// What is done. What cannot be done, such as speaking in a room that the user has left, is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Sends a message.
    Speaks { room: usize },
    /// Sets a piece of state, of three there are.
    SetsState { room: usize, key: usize },
    /// Redacts a message of their own.
    Redacts { room: usize, which: usize },
    /// Joins a room.
    Joins { room: usize },
    /// Leaves a room; the first user never does.
    Leaves { room: usize },
    /// Takes another name, which all rooms are told of.
    Renames,
    /// Says who may see what is sent from now on; only the first user may.
    Hides { room: usize, visibility: usize },
    /// Sends a message to all devices of a user.
    Messages { other: usize },
    /// Publishes new keys of a device.
    Publishes { client: usize },
    /// Asks what is new.
    Syncs { client: usize },
    /// Forgets what came after an earlier token and goes on from there.
    Resumes { client: usize, back: usize },
    /// Restarts the server: what it has told everybody holds, and their tokens. Never made at random.
    Restarts,
}

/// The values of `m.room.history_visibility` that sessions use.
pub(super) const VISIBILITIES: [&str; 3] = ["shared", "joined", "invited"];

impl Action {
    /// An action at random.
    pub(super) fn any(random: &mut StdRng) -> Self {
        let user = random.random_range(0..USERS);
        let room = random.random_range(0..ROOMS);
        let client = random.random_range(0..CLIENTS);
        let deed = match random.random_range(0..100) {
            0..22 => Deed::Speaks { room },
            22..32 => Deed::SetsState { room, key: random.random_range(0..3) },
            32..37 => Deed::Redacts { room, which: random.random_range(0..4) },
            37..47 => Deed::Joins { room },
            47..53 => Deed::Leaves { room },
            53..56 => Deed::Renames,
            56..59 => Deed::Hides { room, visibility: random.random_range(0..VISIBILITIES.len()) },
            59..65 => Deed::Messages { other: random.random_range(0..USERS) },
            65..69 => Deed::Publishes { client },
            69..92 => Deed::Syncs { client },
            _ => Deed::Resumes { client, back: random.random_range(1..4) },
        };
        Action { user, deed }
    }

    /// Of actions that are to be done at the same time, those that can be: a user does one thing at a time.
    pub(super) fn at_once(actions: Vec<Self>) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::new();
        for action in actions {
            if kept.iter().all(|other| other.user != action.user) {
                kept.push(action);
            }
        }
        kept
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.deed == Deed::Restarts {
            return formatter.write_str("the server is restarted");
        }
        write!(formatter, "{} ", NAMES[self.user])?;
        match &self.deed {
            Deed::Speaks { room } => write!(formatter, "speaks in room {room}"),
            Deed::SetsState { room, key } => write!(formatter, "sets state {key} of room {room}"),
            Deed::Redacts { room, which } => write!(formatter, "redacts message {which} in room {room}"),
            Deed::Joins { room } => write!(formatter, "joins room {room}"),
            Deed::Leaves { room } => write!(formatter, "leaves room {room}"),
            Deed::Renames => formatter.write_str("takes another name"),
            Deed::Hides { room, visibility } => {
                write!(formatter, "makes the history of room {room} {}", VISIBILITIES[*visibility])
            }
            Deed::Messages { other } => write!(formatter, "messages the devices of {}", NAMES[*other]),
            Deed::Publishes { client } => write!(formatter, "publishes keys of client {client}"),
            Deed::Syncs { client } => write!(formatter, "syncs client {client}"),
            Deed::Resumes { client, back } => {
                write!(formatter, "takes client {client} back by {back} tokens")
            }
            Deed::Restarts => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaks(user: usize) -> Action {
        Action { user, deed: Deed::Speaks { room: 0 } }
    }

    #[test]
    fn a_user_does_one_thing_at_a_time() {
        assert_eq!(Action::at_once(vec![speaks(1), speaks(0), speaks(1)]), [speaks(1), speaks(0)]);
    }
}
