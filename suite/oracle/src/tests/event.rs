//! What an event must have to be judged.

use protocol::RoomVersion;
use rstest::rstest;
use serde_json::{Value, json};

use super::scene::object;
use crate::{Event, MalformedEvent};

fn read(version: &str, property: &str, value: Option<Value>) -> Result<Event, MalformedEvent> {
    let references = if version == "1" { json!([["$a:a.example", {}]]) } else { json!(["$a"]) };
    let mut pdu = object(json!({
        "type": "m.room.topic", "state_key": "", "sender": "@a:a.example", "room_id": "!room:a.example", "depth": 1,
        "origin_server_ts": 2, "content": {"topic": "t"}, "auth_events": references, "prev_events": references,
    }));
    match value {
        Some(value) => drop(pdu.insert(property.to_owned(), value)),
        None => drop(pdu.remove(property)),
    }
    Event::new(RoomVersion::find(version).unwrap(), "$e", pdu)
}

#[test]
fn references_have_the_form_of_the_room_version() {
    assert_eq!(read("1", "unsigned", None).unwrap().auth_events(), ["$a:a.example"]);
    assert_eq!(read("3", "unsigned", None).unwrap().prev_events(), ["$a"]);
}

#[rstest]
#[case("3", "type", None)]
#[case("3", "sender", Some(json!(1)))]
#[case("3", "room_id", Some(json!(null)))]
#[case("3", "state_key", Some(json!(0)))]
#[case("3", "depth", Some(json!(1.5)))]
#[case("3", "origin_server_ts", None)]
#[case("3", "auth_events", Some(json!([["$a", {}]])))]
#[case("1", "prev_events", Some(json!(["$a"])))]
#[case("1", "auth_events", Some(json!([[]])))]
#[case("1", "auth_events", None)]
fn malformed(#[case] version: &str, #[case] property: &'static str, #[case] value: Option<Value>) {
    let error = read(version, property, value).unwrap_err();
    assert_eq!((error.id.as_str(), error.property), ("$e", property));
}

#[test]
fn ids_of_real_events_are_computed() {
    let version = RoomVersion::find("4").unwrap();
    let event = read("4", "unsigned", None).unwrap();
    let id = Event::id_of(version, event.pdu()).unwrap();
    assert_eq!((id.len(), &id[..1]), (44, "$"));
    assert!(Event::id_of(RoomVersion::find("1").unwrap(), event.pdu()).is_err());
}
