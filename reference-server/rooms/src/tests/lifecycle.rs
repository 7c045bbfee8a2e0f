//! A room from its creation on, in every version: built, received, judged, shown.

use protocol::event::Counts;
use protocol::identifiers::{EventId, RoomId};
use protocol::{Object, RoomVersion};
use rstest::rstest;
use serde_json::{Value, json};

use super::room::{ALICE, BOB, MOD, Room, create_content, key_ring, levels};
use crate::check;
use crate::event::{BuildError, Place, Template};
use crate::redaction;
use crate::state::{StateLookup, StateMap};

#[test]
fn a_room_passes_its_own_checks() {
    for version in RoomVersion::ALL {
        let mut room = Room::empty(version);
        let create = room.send((ALICE, "m.room.create", Some(""), create_content(version)));
        let join = room.send((ALICE, "m.room.member", Some(ALICE), json!({"membership": "join"})));
        let power = room.send((ALICE, "m.room.power_levels", Some(""), levels(version, json!({}))));
        let rules = room.send((ALICE, "m.room.join_rules", Some(""), json!({"join_rule": "invite"})));
        let invite = room.send((ALICE, "m.room.member", Some(BOB), json!({"membership": "invite"})));
        let accept = room.send((BOB, "m.room.member", Some(BOB), json!({"membership": "join"})));
        let message = room.send((BOB, "m.room.message", None, json!({"msgtype": "m.text", "body": "hi"})));

        for (depth, event) in [create, join, power, rules, invite, accept, message].iter().enumerate() {
            assert_eq!(event.depth(), depth as u64 + 1, "room version {}", version.id);
            assert!(EventId::parse_as(version.event_id, event.event_id()).is_ok());
            assert!(RoomId::parse_as(version.room_id, event.room_id()).is_ok());
            let received = check::receive(event.object().clone(), version, &key_ring(), Counts::Limited);
            assert_eq!(received.unwrap().event_id(), event.event_id(), "room version {}", version.id);
        }
        assert_eq!(room.state.membership(BOB), "join");
    }
}

#[test]
fn a_changed_event_is_received_redacted_and_a_forged_one_dropped() {
    for version in RoomVersion::ALL {
        let mut room = Room::new(version);
        let message = room.send((MOD, "m.room.message", None, json!({"body": "hi"})));
        let with = |name: &str, value: Value| {
            let mut object = message.object().clone();
            object.insert(name.to_owned(), value);
            check::receive(object, version, &key_ring(), Counts::Limited)
        };
        let received = with("content", json!({"body": "bye"})).unwrap();
        assert_eq!(received.content("body"), None);
        assert_eq!(received.event_id(), message.event_id());
        assert!(with("sender", json!(ALICE)).is_err());
        assert!(with("signatures", json!({})).is_err());
        assert!(with("depth", json!("1")).is_err());
    }
}

#[test]
fn the_create_event_makes_the_room_id_since_version_12() {
    let room = Room::new(RoomVersion::DEFAULT);
    let create = room.state.create().unwrap();
    assert_eq!(create.room_id().strip_prefix('!'), create.event_id().strip_prefix('$'));
    assert!(!create.object().contains_key("room_id"));
    assert!(room.last[0].object().contains_key("room_id"));
}

#[test]
fn clients_find_redacts_in_both_places() {
    for version in RoomVersion::ALL {
        let mut room = Room::new(version);
        let target = room.send((ALICE, "m.room.message", None, json!({"body": "hi"})));
        let redaction = room.send((
            MOD,
            "m.room.redaction",
            None,
            json!({"redacts": target.event_id(), "reason": "spam"}),
        ));
        assert_eq!(redaction.redacts(), Some(target.event_id()));
        assert_eq!(redaction.object().contains_key("redacts"), !version.redacts_in_content);

        let client = redaction.to_client_without_room_id();
        assert_eq!(client["redacts"], target.event_id());
        assert_eq!(client["content"], json!({"redacts": target.event_id(), "reason": "spam"}));
        assert!(redaction::applies(&redaction, &target, &room.state));
        assert_eq!(target.redacted().content("body"), None);
        assert_eq!(target.redacted().event_id(), target.event_id());
    }
}

#[test]
fn clients_see_nothing_that_is_between_servers() {
    let room = Room::new(RoomVersion::DEFAULT);
    let join = room.state.find("m.room.member", ALICE).unwrap();
    let names = |object: Object| object.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    let expected = ["content", "event_id", "origin_server_ts", "room_id", "sender", "state_key", "type"];
    assert_eq!(names(join.to_client()), expected.map(str::to_owned).into());
    let expected = ["content", "sender", "state_key", "type"];
    assert_eq!(names(join.to_stripped_state()), expected.map(str::to_owned).into());
    assert_eq!(room.state.create().unwrap().to_client()["room_id"], join.room_id());
}

#[rstest]
#[case(BOB, MOD, false)]
#[case(BOB, BOB, true)]
#[case("@other:b.org", BOB, true)]
#[case(MOD, BOB, true)]
fn redactions_apply_by_power_or_server(
    #[case] sender: &str,
    #[case] target_sender: &str,
    #[case] applies: bool,
) {
    for version in RoomVersion::ALL.into_iter().filter(|version| !version.redaction_is_authorized) {
        let mut room = Room::new(version);
        let target = room.given((target_sender, "m.room.message", None, json!({"body": "hi"})));
        let redaction = room.given((sender, "m.room.redaction", None, json!({"redacts": target.event_id()})));
        assert_eq!(redaction::applies(&redaction, &target, &room.state), applies, "{}", version.id);
    }
}

#[rstest]
#[case("5", json!({"x": 1.5}), true)]
#[case("6", json!({"x": 1.5}), false)]
#[case("12", json!({"x": [9_007_199_254_740_992_u64]}), false)]
#[case("12", json!({"x": "x".repeat(65_000)}), true)]
#[case("12", json!({"x": "x".repeat(65_536)}), false)]
fn content_that_cannot_be_sent(#[case] version: &str, #[case] content: Value, #[case] sent: bool) {
    let version = RoomVersion::find(version).unwrap();
    let room = Room::new(version);
    let place = Place {
        version,
        room_id: room.room_id.as_deref(),
        prev_events: &room.last,
        state: &room.state,
        origin_server_ts: 1,
    };
    let too_large = content["x"].is_string();
    let template = Template {
        event_type: "m.room.message".into(),
        sender: ALICE.into(),
        content: content.as_object().unwrap().clone(),
        state_key: None,
    };
    match template.build(&place, "a.org", &super::room::key("a.org")) {
        Ok(_) => assert!(sent),
        Err(BuildError::Number(_)) => assert!(!sent && !too_large),
        Err(BuildError::Format(_)) => assert!(!sent && too_large),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn state_is_shared_until_it_changes() {
    let mut room = Room::new(RoomVersion::DEFAULT);
    let before: StateMap = room.state.clone();
    assert_eq!(before.len(), 4);
    room.given((ALICE, "m.room.topic", Some(""), json!({"topic": "t"})));
    room.given((ALICE, "m.room.message", None, json!({"body": "hi"})));
    assert_eq!((before.len(), room.state.len()), (4, 5));
    assert_eq!(room.state.of_type("m.room.member").count(), 2);
}
