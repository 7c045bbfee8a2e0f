//! What power a user has and an act needs (server-server-api/#definitions, rooms/v12/#authorisation-rules).

use std::fmt;

use protocol::RoomVersion;
use protocol::room_version::PowerLevelForm;
use serde_json::Value;

use super::event::Event;

/// A power level. Levels are ordered, and infinite is above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// An integer. A number of more than 127 bits, which only room versions 1 to 9 can spell, counts as the
    /// nearest that fits.
    Finite(i128),
    /// The level of creators since room version 12.
    Infinite,
}

/// The power levels in force: those of the `m.room.power_levels` event, with defaults for what it leaves out.
#[derive(Clone, Debug)]
pub struct PowerLevels<'a> {
    version: &'a RoomVersion,
    event: Option<&'a Event>,
    creators: Vec<&'a str>,
}

impl<'a> PowerLevels<'a> {
    /// The levels that follow from the power levels event and the create event of a state; either may be
    /// missing.
    pub fn new(version: &'a RoomVersion, event: Option<&'a Event>, create: Option<&'a Event>) -> Self {
        Self { version, event, creators: create.map(|create| creators(version, create)).unwrap_or_default() }
    }

    /// The level of a user.
    pub fn user(&self, user_id: &str) -> Level {
        let is_creator = self.creators.contains(&user_id);
        if self.version.privileged_creators && is_creator {
            return Level::Infinite;
        }
        if self.event.is_none() {
            return Level::Finite(if is_creator { 100 } else { 0 });
        }
        self.entry("users", user_id).or_else(|| self.property("users_default")).unwrap_or(Level::Finite(0))
    }

    /// The level that sending an event of this type needs: the *required power level*.
    pub fn required(&self, event: &Event) -> Level {
        let (default_property, default) =
            if event.state_key().is_some() { ("state_default", 50) } else { ("events_default", 0) };
        self.entry("events", event.event_type())
            .or_else(|| self.property(default_property))
            .unwrap_or(Level::Finite(default))
    }

    /// The *invite level*.
    pub fn invite(&self) -> Level {
        self.property("invite").unwrap_or(Level::Finite(0))
    }

    /// The *kick level*.
    pub fn kick(&self) -> Level {
        self.property("kick").unwrap_or(Level::Finite(50))
    }

    /// The *ban level*.
    pub fn ban(&self) -> Level {
        self.property("ban").unwrap_or(Level::Finite(50))
    }

    /// The *redact level*.
    pub fn redact(&self) -> Level {
        self.property("redact").unwrap_or(Level::Finite(50))
    }

    // Choice: where a power levels event was accepted although a value in it is no level, the value counts as
    // left out. Before room version 10, the rules look at the values of `users` alone
    // (rooms/v9/#authorisation-rules, rule 9.1).
    fn property(&self, name: &str) -> Option<Level> {
        read_level(self.version, self.event?.content(name)?)
    }

    fn entry(&self, map: &str, name: &str) -> Option<Level> {
        read_level(self.version, self.event?.content(map)?.get(name)?)
    }
}

/// The creators of a room: those who have power without a power levels event, or in spite of one
/// (rooms/v1/, rooms/v11/#event-format, rooms/v12/#authorisation-rules).
pub fn creators<'a>(version: &RoomVersion, create: &'a Event) -> Vec<&'a str> {
    let mut creators: Vec<&str> = first_creator(version, create).into_iter().collect();
    if version.privileged_creators {
        let additional = create.content("additional_creators").and_then(Value::as_array);
        creators.extend(additional.into_iter().flatten().filter_map(Value::as_str));
    }
    creators
}

/// *The* creator: `content.creator` up to room version 10, the sender of the create event since.
pub fn first_creator<'a>(version: &RoomVersion, create: &'a Event) -> Option<&'a str> {
    if version.creator_in_content { create.content_string("creator") } else { Some(create.sender()) }
}

/// The level that a value spells in a room version, if it does (rooms/v1/#deprecated-event-content-schemas,
/// rooms/v6/, rooms/v10/#values-in-mroompower_levels-events-must-be-integers).
pub fn read_level(version: &RoomVersion, value: &Value) -> Option<Level> {
    let level = match (value, version.power_levels) {
        (Value::Number(number), _) if !number.is_f64() => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
        }
        // A conversion to an integer truncates at the decimal point. JSON has no infinities and no NaN.
        (Value::Number(number), PowerLevelForm::IntegerStringOrFloat) => {
            number.as_f64().map(|float| float as i128)
        }
        (Value::String(text), PowerLevelForm::IntegerOrString | PowerLevelForm::IntegerStringOrFloat) => {
            read_string(text)
        }
        _ => None,
    };
    level.map(Level::Finite)
}

/// Blanks, a sign, digits, blanks.
// Choice: "whitespace" is what Unicode calls White_Space; the text does not say
// (rooms/v1/#deprecated-event-content-schemas).
fn read_string(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse().unwrap_or(i128::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite(level) => write!(formatter, "{level}"),
            Self::Infinite => formatter.write_str("infinite"),
        }
    }
}
