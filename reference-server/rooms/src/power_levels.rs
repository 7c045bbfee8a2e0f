//! Power: what the `m.room.power_levels` event says, and what counts where it says nothing
//! (client-server-api/#mroompower_levels).

use protocol::room_version::PowerLevelForm;
use protocol::{Object, RoomVersion};
use serde_json::Value;

use super::event::Pdu;
use super::mistakes::{Mistake, mistaken};
use super::state::StateLookup;

/// The power of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// A level.
    Level(i64),
    /// More than any level: creators since room version 12.
    Infinite,
}

impl Power {
    /// Whether the power suffices for what needs that level.
    pub fn reaches(self, level: i64) -> bool {
        if mistaken(Mistake::LevelsExceeded) {
            return self > Self::Level(level);
        }
        self >= Self::Level(level)
    }
}

/// The levels that are properties of the content, with what counts in their absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Of users who are not listed.
    UsersDefault,
    /// For events that are not listed and are no state.
    EventsDefault,
    /// For state events that are not listed.
    StateDefault,
    /// To ban.
    Ban,
    /// To redact the events of others.
    Redact,
    /// To kick.
    Kick,
    /// To invite.
    Invite,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::UsersDefault,
        Self::EventsDefault,
        Self::StateDefault,
        Self::Ban,
        Self::Redact,
        Self::Kick,
        Self::Invite,
    ];

    /// The name of the property.
    pub fn name(self) -> &'static str {
        match self {
            Self::UsersDefault => "users_default",
            Self::EventsDefault => "events_default",
            Self::StateDefault => "state_default",
            Self::Ban => "ban",
            Self::Redact => "redact",
            Self::Kick => "kick",
            Self::Invite => "invite",
        }
    }

    fn default(self) -> i64 {
        match self {
            Self::Invite if mistaken(Mistake::InviteLevelFifty) => 50,
            Self::UsersDefault | Self::EventsDefault | Self::Invite => 0,
            Self::StateDefault | Self::Ban | Self::Redact | Self::Kick => 50,
        }
    }
}

/// The power levels of a room in some state.
pub struct PowerLevels<'a> {
    version: &'a RoomVersion,
    create: Option<&'a Pdu>,
    event: Option<&'a Pdu>,
}

impl<'a> PowerLevels<'a> {
    /// The power levels in a state.
    pub fn of(version: &'a RoomVersion, state: &'a impl StateLookup) -> Self {
        Self { version, create: state.create(), event: state.find("m.room.power_levels", "") }
    }

    /// Whether there is a power levels event at all, whatever it says.
    pub fn exist(&self) -> bool {
        self.event.is_some()
    }

    /// The power of a user.
    pub fn user(&self, user_id: &str) -> Power {
        let are_privileged = self.version.privileged_creators && !mistaken(Mistake::CreatorsNotInfinite);
        if are_privileged && self.is_creator(user_id) {
            return Power::Infinite;
        }
        match self.event {
            Some(_) => self.of_listed(user_id),
            None if mistaken(Mistake::CreatorWithoutLevelsPowerless) => Power::Level(0),
            None if self.is_creator(user_id) => Power::Level(100),
            None => Power::Level(0),
        }
    }

    /// The power of a user by the lists alone.
    pub(super) fn of_listed(&self, user_id: &str) -> Power {
        Power::Level(self.listed("users", user_id).unwrap_or_else(|| self.level(Level::UsersDefault)))
    }

    /// The level needed to send an event; membership has levels of its own besides.
    pub fn to_send(&self, event_type: &str, is_state: bool) -> i64 {
        let is_state = is_state && !mistaken(Mistake::StateEventsLikeMessages);
        let default = if is_state { Level::StateDefault } else { Level::EventsDefault };
        let listed = self.listed("events", event_type).filter(|_| !mistaken(Mistake::ListedEventsIgnored));
        listed.unwrap_or_else(|| self.level(default))
    }

    /// One of the levels that are properties of the content.
    pub fn level(&self, level: Level) -> i64 {
        let own_level = self.own_level(level).filter(|_| !mistaken(Mistake::Ignores(level)));
        own_level.unwrap_or_else(|| level.default())
    }

    /// The level needed to notify, `room` for everyone in the room.
    pub fn notification(&self, name: &str) -> i64 {
        self.listed("notifications", name).unwrap_or(50)
    }

    /// A level that the content states itself.
    pub(super) fn own_level(&self, level: Level) -> Option<i64> {
        parse(self.version.power_levels, self.content()?.get(level.name())?)
    }

    /// A level in one of the content's lists.
    pub(super) fn listed(&self, list: &str, name: &str) -> Option<i64> {
        parse(self.version.power_levels, self.content()?.get(list)?.get(name)?)
    }

    /// The names in one of the content's lists.
    pub(super) fn names(&self, list: &str) -> impl Iterator<Item = &'a str> {
        let list = self.content().and_then(|content| content.get(list)).and_then(Value::as_object);
        list.into_iter().flat_map(|list| list.keys().map(String::as_str))
    }

    /// The levels that an event would set, in the same room.
    pub(super) fn proposed(&self, event: &'a Pdu) -> Self {
        Self { event: Some(event), ..*self }
    }

    /// The creators of the room.
    pub(super) fn creators(&self) -> impl Iterator<Item = &'a str> {
        self.create.into_iter().flat_map(creators)
    }

    fn is_creator(&self, user_id: &str) -> bool {
        self.creators().any(|creator| creator == user_id)
    }

    fn content(&self) -> Option<&'a Object> {
        self.event?.object().get("content")?.as_object()
    }
}

/// The creators of a room: named in the content, or the sender, or the sender and those added by version.
pub fn creators(create: &Pdu) -> impl Iterator<Item = &str> {
    let version = create.version();
    let is_in_content = version.creator_in_content || mistaken(Mistake::CreatorFromContentAlways);
    let first = if is_in_content { create.content_str("creator") } else { Some(create.sender()) };
    let has_additional = version.privileged_creators && !mistaken(Mistake::AdditionalCreatorsIgnored);
    let additional = create.content("additional_creators").filter(|_| has_additional);
    let additional = additional.and_then(Value::as_array).into_iter().flatten();
    first.into_iter().chain(additional.filter_map(Value::as_str))
}

/// The level that a value spells in a form, if it does (rooms/v1/#deprecated-event-content-schemas).
pub fn parse(form: PowerLevelForm, value: &Value) -> Option<i64> {
    let admits_strings = form != PowerLevelForm::Integer && !mistaken(Mistake::StringLevelsNeverRead)
        || mistaken(Mistake::StringLevelsAlwaysRead);
    let admits_floats =
        form == PowerLevelForm::IntegerStringOrFloat || mistaken(Mistake::FloatLevelsAlwaysRead);
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().filter(|_| admits_floats)?;
            Some(if mistaken(Mistake::FloatLevelsRounded) { float.round() as i64 } else { float as i64 })
        }
        Value::Number(number) => number.as_i64().or(Some(i64::MAX)),
        Value::String(text) if admits_strings && mistaken(Mistake::StringLevelsNotTrimmed) => {
            text.parse().ok()
        }
        Value::String(text) if admits_strings => text.trim().parse().ok(),
        _ => None,
    }
}
