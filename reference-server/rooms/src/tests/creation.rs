//! The rules on create events.

use protocol::RoomVersion;
use rstest::rstest;
use serde_json::{Value, json};

use super::room::{ALICE, Room, create_content};
use crate::authorize::{Rule, authorize};
use crate::event::Pdu;

/// The verdict on a create event with changes, by room version.
fn verdicts(change: impl Fn(&RoomVersion, &mut Value)) -> Vec<Option<Rule>> {
    let verdict = |version: &'static RoomVersion| {
        let room = Room::empty(version);
        let create = room.build((ALICE, "m.room.create", Some(""), create_content(version)));
        let mut object = Value::Object(create.object().clone());
        change(version, &mut object);
        let Value::Object(object) = object else { panic!("still an object") };
        let event = Pdu::parse(object, version).unwrap();
        authorize(&event, &room.state).err().map(|rejection| rejection.rule)
    };
    RoomVersion::ALL.into_iter().map(verdict).collect()
}

/// A verdict in versions 1 to 10, in 11 and in 12.
fn verdict_of(up_to_10: Option<Rule>, in_11: Option<Rule>, in_12: Option<Rule>) -> Vec<Option<Rule>> {
    [vec![up_to_10; 10], vec![in_11, in_12]].concat()
}

#[test]
fn an_ordinary_one_is_allowed() {
    assert_eq!(verdicts(|_, _| ()), verdict_of(None, None, None));
}

#[test]
fn previous_events() {
    let with_previous = |version: &RoomVersion, event: &mut Value| {
        let old = version.event_id_server_signs;
        event["prev_events"] = if old { json!([["$a:a.org", {}]]) } else { json!(["$a"]) };
    };
    assert_eq!(verdicts(with_previous), vec![Some(Rule::CreateHasPreviousEvents); 12]);
}

#[test]
fn room_id() {
    let foreign = |_: &RoomVersion, event: &mut Value| event["room_id"] = json!("!room:b.org");
    let (domain, any) = (Some(Rule::CreateRoomIdDomain), Some(Rule::CreateHasRoomId));
    assert_eq!(verdicts(foreign), verdict_of(domain, domain, any));
    let own = |_: &RoomVersion, event: &mut Value| event["room_id"] = json!("!room:a.org");
    assert_eq!(verdicts(own), verdict_of(None, None, any));
}

#[rstest]
#[case(json!("org.example.unknown"))]
#[case(json!(1))]
#[case(json!(null))]
fn unknown_room_version(#[case] id: Value) {
    let unknown = |_: &RoomVersion, event: &mut Value| event["content"]["room_version"] = id.clone();
    assert_eq!(verdicts(unknown), vec![Some(Rule::CreateRoomVersion); 12]);
}

#[test]
fn absent_room_version_and_creator() {
    let bare = |_: &RoomVersion, event: &mut Value| event["content"] = json!({});
    assert_eq!(verdicts(bare), verdict_of(Some(Rule::CreateWithoutCreator), None, None));
}

#[rstest]
#[case(json!([]), None)]
#[case(json!(["@bob:b.org"]), None)]
#[case(json!(["bob"]), Some(Rule::CreateAdditionalCreators))]
#[case(json!(["@bob:b.org", 1]), Some(Rule::CreateAdditionalCreators))]
#[case(json!("@bob:b.org"), Some(Rule::CreateAdditionalCreators))]
#[case(json!(null), Some(Rule::CreateAdditionalCreators))]
fn additional_creators(#[case] creators: Value, #[case] in_12: Option<Rule>) {
    let with =
        |_: &RoomVersion, event: &mut Value| event["content"]["additional_creators"] = creators.clone();
    assert_eq!(verdicts(with), verdict_of(None, None, in_12));
}
