//! The people of a room, and what they see when they act.

use oracle::{Event, Events, Level, PowerLevels, StateMap};
use protocol::RoomVersion;
use protocol::identifiers::server_name_of;
use serde_json::Value;

/// The users, in the order in which they join. The first creates the room.
pub(super) const USERS: [&str; 7] = [
    "@alice:a.example",
    "@bob:b.example",
    "@carol:c.example",
    "@ann:a.example",
    "@dave:d.example",
    "@ben:b.example",
    "@amy:a.example",
];

/// The servers of the users.
pub const SERVERS: [&str; 4] = ["a.example", "b.example", "c.example", "d.example"];

/// When rooms begin, in milliseconds since the epoch.
pub(super) const BEGINNING_MS: i64 = 1_700_000_000_000;
/// How long it is between events, in milliseconds.
pub(super) const SECOND_MS: i64 = 1_000;

/// The state in which somebody acts.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) version: &'static RoomVersion,
    pub(super) state: &'a StateMap,
    pub(super) events: &'a Events,
    /// The ids of the events that were made, oldest first.
    pub(super) made: &'a [String],
    /// To whom it is done, counted among those to whom it can be done.
    pub(super) target: u8,
}

impl<'a> Scene<'a> {
    /// The event at a place of the state.
    pub(super) fn get(&self, event_type: &str, state_key: &str) -> Option<&'a Event> {
        self.events.get(self.state.get(&(event_type.to_owned(), state_key.to_owned()))?)
    }

    /// The membership of a user.
    pub(super) fn membership(&self, user_id: &str) -> Option<&'a str> {
        self.get("m.room.member", user_id)?.content_string("membership")
    }

    /// The level of a user.
    pub(super) fn level(&self, user_id: &str) -> Level {
        self.levels().user(user_id)
    }

    /// The joined users.
    pub(super) fn joined(&self) -> Vec<&'static str> {
        USERS.into_iter().filter(|user| self.membership(user) == Some("join")).collect()
    }

    /// The joined users who may invite.
    pub(super) fn inviters(&self) -> Vec<&'static str> {
        let levels = self.levels();
        self.joined().into_iter().filter(|user| levels.user(user) >= levels.invite()).collect()
    }

    /// The join rule.
    pub(super) fn join_rule(&self) -> Option<&'a str> {
        self.get("m.room.join_rules", "")?.content_string("join_rule")
    }

    /// The content of the power levels in force.
    pub(super) fn levels_content(&self) -> Option<&'a Value> {
        self.get("m.room.power_levels", "")?.pdu().get("content")
    }

    /// The target among other users than the actor with one of these memberships, or else among all users.
    pub(super) fn target(&self, actor: &str, memberships: &[Option<&str>]) -> &'static str {
        let is_meant = |user: &&str| {
            *user != actor && memberships.contains(&self.membership(user).filter(|it| *it != "leave"))
        };
        let meant: Vec<&str> = USERS.into_iter().filter(is_meant).collect();
        nth(&meant, self.target).unwrap_or(USERS[usize::from(self.target) % USERS.len()])
    }

    fn levels(&self) -> PowerLevels<'a> {
        PowerLevels::new(self.version, self.get("m.room.power_levels", ""), self.get("m.room.create", ""))
    }
}

/// The entry of that number, counted around.
pub(super) fn nth<T: Copy>(of: &[T], number: u8) -> Option<T> {
    of.get(usize::from(number).checked_rem(of.len())?).copied()
}

/// The server of a user.
pub(super) fn server_of(user_id: &str) -> &str {
    server_name_of(user_id).unwrap_or_default()
}

/// What people call a user.
pub(super) fn short(user_id: &str) -> &str {
    user_id.trim_start_matches('@').split(':').next().unwrap_or_default()
}
