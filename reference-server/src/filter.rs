//! Filters: what a client wants to see of all that it could.
//!
//! client-server-api/#filtering

use serde_json::{Map, Value};

use crate::error::MatrixError;
use crate::misbehave::{Fault, commits};
use crate::request::Fields;

/// A filter of `/sync`.
#[derive(Debug, Clone, Default)]
pub(crate) struct SyncFilter {
    /// Which presence updates.
    pub(crate) presence: EventFilter,
    /// Which global account data.
    pub(crate) account_data: EventFilter,
    /// Which rooms, and what of them.
    pub(crate) room: RoomFilter,
    /// Whether events come as they travel between servers.
    pub(crate) federation_format: bool,
    /// The only fields wanted, as dot-separated paths.
    pub(crate) event_fields: Option<Vec<String>>,
}

/// The part of a filter that is about rooms.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoomFilter {
    /// Only these rooms.
    pub(crate) rooms: Choice,
    /// Whether rooms are told of that the user has left.
    pub(crate) include_leave: bool,
    /// Which receipts and typing notices.
    pub(crate) ephemeral: EventFilter,
    /// Which state.
    pub(crate) state: EventFilter,
    /// Which events of the timeline.
    pub(crate) timeline: EventFilter,
    /// Which account data of rooms.
    pub(crate) account_data: EventFilter,
}

/// A filter of events.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventFilter {
    /// The most events wanted.
    pub(crate) limit: Option<usize>,
    /// By type; `*` stands for any characters.
    types: Choice,
    /// By sender.
    senders: Choice,
    /// By room.
    rooms: Choice,
    /// Only events with, or only events without, `url` in their content.
    contains_url: Option<bool>,
    /// Whether members are told of only when they have something to do with the timeline.
    pub(crate) lazy_load_members: bool,
    /// Whether such members are told of again.
    pub(crate) include_redundant_members: bool,
    /// Whether unread counts are split by thread.
    pub(crate) unread_thread_notifications: bool,
}

/// What is wanted, if that is limited, and what is not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    wanted: Option<Vec<String>>,
    unwanted: Vec<String>,
}

impl SyncFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `M_BAD_JSON` for what is not of its type, `M_INVALID_PARAM` for what is no identifier.
    pub(crate) fn parse(filter: &Map<String, Value>) -> Result<Self, MatrixError> {
        let federation_format = match filter.optional_text("event_format")? {
            None | Some("client") => false,
            Some("federation") => true,
            Some(_) => return Err(MatrixError::bad_json("event_format must be client or federation")),
        };
        Ok(Self {
            presence: EventFilter::part(filter, "presence")?,
            account_data: EventFilter::part(filter, "account_data")?,
            room: filter.optional_object("room")?.map(RoomFilter::parse).transpose()?.unwrap_or_default(),
            federation_format,
            event_fields: filter
                .optional_texts("event_fields")?
                .map(|fields| fields.into_iter().map(str::to_owned).collect()),
        })
    }
}

impl RoomFilter {
    fn parse(filter: &Map<String, Value>) -> Result<Self, MatrixError> {
        Ok(Self {
            rooms: Choice::parse(filter, "rooms", Some('!'))?,
            include_leave: filter.flag("include_leave")?,
            ephemeral: EventFilter::part(filter, "ephemeral")?,
            state: EventFilter::part(filter, "state")?,
            timeline: EventFilter::part(filter, "timeline")?,
            account_data: EventFilter::part(filter, "account_data")?,
        })
    }
}

impl EventFilter {
    fn part(filter: &Map<String, Value>, name: &str) -> Result<Self, MatrixError> {
        filter.optional_object(name)?.map_or_else(|| Ok(Self::default()), Self::parse)
    }

    /// Reads a filter of events.
    ///
    /// # Errors
    /// As [`SyncFilter::parse`].
    pub(crate) fn parse(filter: &Map<String, Value>) -> Result<Self, MatrixError> {
        let limit = filter
            .optional_integer("limit")?
            .map(|limit| {
                usize::try_from(limit).map_err(|_| MatrixError::bad_json("limit must not be negative"))
            })
            .transpose()?;
        Ok(Self {
            limit,
            types: Choice::parse(filter, "types", None)?,
            senders: Choice::parse(filter, "senders", Some('@'))?,
            rooms: Choice::parse(filter, "rooms", Some('!'))?,
            contains_url: filter.optional_flag("contains_url")?,
            lazy_load_members: filter.flag("lazy_load_members")?,
            include_redundant_members: filter.flag("include_redundant_members")?,
            unread_thread_notifications: filter.flag("unread_thread_notifications")?,
        })
    }

    /// Whether the filter lets an event of this room through.
    pub(crate) fn admits(&self, event: &Map<String, Value>, room_id: &str) -> bool {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        (self.rooms.admits(room_id) || commits(Fault::RoomsOfEventFiltersIgnored))
            && self.admits_type(text("type"))
            && (self.senders.admits(text("sender")) || commits(Fault::SendersIgnored))
            && self.contains_url.is_none_or(|wanted| {
                let url = event.get("content").and_then(|content| content.get("url"));
                commits(Fault::ContainsUrlIgnored) || wanted == url.is_some_and(Value::is_string)
            })
    }

    /// Whether the filter lets events of this type through.
    pub(crate) fn admits_type(&self, event_type: &str) -> bool {
        self.types.admits_by(event_type, |pattern, text| {
            if commits(Fault::WildcardsIgnored) { pattern == text } else { glob(pattern, text) }
        })
    }

    /// Whether the filter lets events of this room through.
    pub(crate) fn admits_room(&self, room_id: &str) -> bool {
        self.rooms.admits(room_id)
    }
}

impl Choice {
    fn parse(filter: &Map<String, Value>, name: &str, sigil: Option<char>) -> Result<Self, MatrixError> {
        let read = |name: &str| -> Result<Option<Vec<String>>, MatrixError> {
            let Some(values) = filter.optional_texts(name)? else { return Ok(None) };
            let wrong = |value: &&str| sigil.is_some_and(|sigil| !is_identifier(value, sigil));
            match values.iter().find(|value| wrong(value)) {
                Some(value) => {
                    Err(MatrixError::bad_json(format!("{name} must be identifiers; {value:?} is none")))
                }
                None => Ok(Some(values.into_iter().map(str::to_owned).collect())),
            }
        };
        Ok(Self { wanted: read(name)?, unwanted: read(&format!("not_{name}"))?.unwrap_or_default() })
    }

    /// Whether this value is wanted.
    pub(crate) fn admits(&self, value: &str) -> bool {
        self.admits_by(value, |pattern, value| pattern == value)
    }

    fn admits_by(&self, value: &str, matches: impl Fn(&str, &str) -> bool) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| {
            wanted.iter().any(|pattern| matches(pattern, value))
                || (wanted.is_empty() && commits(Fault::EmptyListsAdmitAll))
        }) && !self
            .unwanted
            .iter()
            .any(|pattern| matches(pattern, value) && !commits(Fault::ExclusionsIgnored))
    }
}

fn is_identifier(value: &str, sigil: char) -> bool {
    match sigil {
        '@' => protocol::identifiers::UserId::parse(value).is_ok(),
        _ => protocol::identifiers::RoomId::parse(value).is_ok(),
    }
}

/// Whether `text` matches a pattern in which `*` stands for any characters, also none.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    // Trying every place for the rest is quadratic at worst, in texts of at most 255 bytes.
    text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| glob(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{EventFilter, SyncFilter, glob};

    #[rstest]
    #[case("m.room.*", "m.room.message", true)]
    #[case("m.room.*", "m.reaction", false)]
    #[case("*", "", true)]
    #[case("a*b*c", "a-b-b-c", true)]
    #[case("a*b*c", "a-c-b", false)]
    #[case("é*", "éa", true)]
    #[case("exact", "exactly", false)]
    fn stars_stand_for_any_characters(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(glob(pattern, text), expected);
    }

    #[rstest]
    #[case(json!({"presence": []}))]
    #[case(json!({"room": "all"}))]
    #[case(json!({"room": {"timeline": {"limit": "10"}}}))]
    #[case(json!({"room": {"timeline": {"limit": -1}}}))]
    #[case(json!({"room": {"timeline": {"senders": ["alice"]}}}))]
    #[case(json!({"room": {"rooms": [1]}}))]
    #[case(json!({"event_format": "other"}))]
    fn a_filter_of_another_shape_is_refused(#[case] filter: Value) {
        let Value::Object(filter) = filter else { unreachable!("cases are objects") };
        assert!(SyncFilter::parse(&filter).is_err());
    }

    #[rstest]
    #[case(json!({}), true)]
    #[case(json!({"types": ["m.room.*"]}), true)]
    #[case(json!({"types": []}), false)]
    #[case(json!({"types": ["m.*"], "not_types": ["*.message"]}), false)]
    #[case(json!({"senders": ["@bob:example.org"]}), false)]
    #[case(json!({"not_rooms": ["!room:example.org"]}), false)]
    #[case(json!({"contains_url": true}), true)]
    #[case(json!({"contains_url": false}), false)]
    fn exclusion_beats_inclusion(#[case] filter: Value, #[case] expected: bool) -> Result<(), String> {
        let event = json!({"type": "m.room.message", "sender": "@alice:example.org", "content": {"url": "mxc://a/b"}});
        let (Value::Object(filter), Value::Object(event)) = (filter, event) else {
            unreachable!("cases are objects")
        };
        let filter = EventFilter::parse(&filter).map_err(|error| format!("{error:?}"))?;
        assert_eq!(filter.admits(&event, "!room:example.org"), expected);
        Ok(())
    }
}
