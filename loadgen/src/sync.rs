//! Sync responses, scanned for what load needs of them: nothing else is kept, and no tree is built.

mod poll;

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

pub(crate) use poll::{Watch, watch};

/// Whoever looks at a sync response while it is scanned.
pub trait Looks {
    /// The timeline of a joined room.
    fn timeline(&mut self, room: &str, timeline: &Timeline<'_>);
    /// A message to the device.
    fn to_device(&mut self, event: &Event<'_>);
}

/// The timeline of a room, as far as it matters.
#[derive(Debug, Default, Deserialize)]
pub struct Timeline<'a> {
    /// Whether the server has left out what came before.
    #[serde(default)]
    pub limited: bool,
    /// Its events.
    #[serde(borrow, default)]
    pub events: Vec<Event<'a>>,
}

/// An event, as far as it matters.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    /// Its type.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Its id; messages to devices have none.
    #[serde(borrow, default)]
    pub event_id: Cow<'a, str>,
    /// Who sent it.
    #[serde(borrow, default)]
    pub sender: Cow<'a, str>,
    /// Its content.
    #[serde(borrow, default)]
    pub content: Content<'a>,
}

/// The content of an event, as far as it matters.
#[derive(Debug, Default, Deserialize)]
pub struct Content<'a> {
    /// What load marks its messages with.
    #[serde(borrow, default, rename = "org.determinant.slot")]
    pub mark: Cow<'a, str>,
    /// The call that an event of a call belongs to.
    #[serde(borrow, default)]
    pub call_id: Cow<'a, str>,
    /// The party that sent it.
    #[serde(borrow, default)]
    pub party_id: Cow<'a, str>,
    /// The party whose answer was taken.
    #[serde(borrow, default)]
    pub selected_party_id: Cow<'a, str>,
}

/// Scans a response; gives where the next sync begins.
///
/// # Errors
/// When it is not the JSON of a sync response.
pub fn scan(body: &[u8], looks: &mut impl Looks) -> serde_json::Result<String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let next_batch = Response(looks).deserialize(&mut json)?;
    json.end()?;
    Ok(next_batch)
}

struct Response<'l, L>(&'l mut L);
struct Rooms<'l, L>(&'l mut L);
struct Joined<'l, L>(&'l mut L);

#[derive(Default, Deserialize)]
struct JoinedRoom<'a> {
    #[serde(borrow, default)]
    timeline: Timeline<'a>,
}

#[derive(Default, Deserialize)]
struct ToDevice<'a> {
    #[serde(borrow, default)]
    events: Vec<Event<'a>>,
}

/// Implements the reading of an object that is visited key by key.
macro_rules! object {
    ($name:ident, $value:ty, $what:literal) => {
        impl<'de, L: Looks> DeserializeSeed<'de> for $name<'_, L> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.deserialize_map(self)
            }
        }

        impl<'de, L: Looks> Visitor<'de> for $name<'_, L> {
            type Value = $value;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str($what)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$value, A::Error> {
                self.visit(map)
            }
        }
    };
}

object!(Response, String, "a sync response");
object!(Rooms, (), "the rooms of a sync response");
object!(Joined, (), "the joined rooms of a sync response");

impl<L: Looks> Response<'_, L> {
    fn visit<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut next_batch = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "next_batch" => next_batch = Some(map.next_value()?),
                "rooms" => map.next_value_seed(Rooms(self.0))?,
                "to_device" => {
                    let messages: ToDevice<'de> = map.next_value()?;
                    messages.events.iter().for_each(|event| self.0.to_device(event));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        next_batch.ok_or_else(|| serde::de::Error::missing_field("next_batch"))
    }
}

impl<L: Looks> Rooms<'_, L> {
    fn visit<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "join" => map.next_value_seed(Joined(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<L: Looks> Joined<'_, L> {
    fn visit<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(room) = map.next_key::<Cow<'de, str>>()? {
            let joined: JoinedRoom<'de> = map.next_value()?;
            self.0.timeline(&room, &joined.timeline);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Looks for Seen {
        fn timeline(&mut self, room: &str, timeline: &Timeline<'_>) {
            let events: Vec<String> = timeline
                .events
                .iter()
                .map(|event| format!("{}={}", event.event_id, event.content.mark))
                .collect();
            self.0.push(format!("{room} limited={} {}", timeline.limited, events.join(",")));
        }

        fn to_device(&mut self, event: &Event<'_>) {
            self.0.push(format!("device {}", event.content.mark));
        }
    }

    #[test]
    fn what_matters_is_seen_and_the_rest_is_skipped() {
        let body = br#"{"account_data": {"events": [{"type": "x", "content": [1, {"limited": true}]}]},
            "to_device": {"events": [{"type": "m.x", "content": {"org.determinant.slot": "r-9"}}]},
            "rooms": {"invite": {"!i:x": {}}, "join": {
                "!a:x": {"state": {"events": [{}]}, "timeline": {"events": [
                    {"type": "m.room.message", "event_id": "$1", "content": {"body": "\u00e9\"", "org.determinant.slot": "r-1"}},
                    {"type": "m.room.member", "event_id": "$2"}], "limited": true, "prev_batch": "p"}},
                "!b:x": {"unread_notifications": {}}}},
            "next_batch": "s7"}"#;
        let mut seen = Seen::default();
        assert_eq!(scan(body, &mut seen).expect("a response"), "s7");
        assert_eq!(seen.0, ["device r-9", "!a:x limited=true $1=r-1,$2=", "!b:x limited=false "]);
    }

    #[rstest]
    #[case(r#"{"rooms": {}}"#)]
    #[case(r#"{"next_batch": 5}"#)]
    #[case(r#"{"next_batch": "s1"} and more"#)]
    #[case(r#"{"next_batch": "s1", "rooms": []}"#)]
    #[case("")]
    fn what_is_no_sync_response_is_refused(#[case] body: &str) {
        assert!(scan(body.as_bytes(), &mut Seen::default()).is_err());
    }
}
