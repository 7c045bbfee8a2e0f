//! The rules on the auth events that an event names, and their selection.

use std::collections::BTreeSet;

use protocol::RoomVersion;
use rstest::rstest;
use serde_json::{Value, json};

use super::room::{ALICE, BOB, MOD, Room};
use crate::authorize::{AuthEvent, Rule, auth_event_keys, authorize, check_auth_events};
use crate::event::Pdu;
use crate::state::StateLookup;

/// The verdict on a message by the moderator that names these auth events.
fn verdict(room: &Room, auth_events: &[&Pdu], rejected: bool) -> Option<Rule> {
    let message = room.build((MOD, "m.room.message", None, json!({"body": "hi"})));
    let auth_events: Vec<_> = auth_events.iter().map(|event| AuthEvent { event, rejected }).collect();
    check_auth_events(&message, &auth_events).err().map(|rejection| rejection.rule)
}

#[test]
fn each_rule() {
    for version in RoomVersion::ALL {
        let mut room = Room::new(version);
        let find = |room: &Room, event_type: &str, state_key: &str| {
            room.state.find(event_type, state_key).unwrap().clone()
        };
        let create = find(&room, "m.room.create", "");
        let member = find(&room, "m.room.member", MOD);
        let other = find(&room, "m.room.member", ALICE);
        let levels = find(&room, "m.room.power_levels", "");
        let mut needed = vec![&member, &levels];
        if version.create_in_auth_events {
            needed.push(&create);
        }
        let with = |event| needed.iter().copied().chain([event]).collect::<Vec<_>>();
        let label = version.id;
        assert_eq!(verdict(&room, &needed, false), None, "{label}");
        assert_eq!(verdict(&room, &needed, true), Some(Rule::AuthEventsRejected), "{label}");
        assert_eq!(verdict(&room, &with(&member), false), Some(Rule::AuthEventsDuplicate), "{label}");
        assert_eq!(verdict(&room, &with(&other), false), Some(Rule::AuthEventsUnexpected), "{label}");
        let missing = version.create_in_auth_events.then_some(Rule::CreateMissing);
        assert_eq!(verdict(&room, &[&member], false), missing, "{label}");
        if !version.create_in_auth_events {
            assert_eq!(verdict(&room, &with(&create), false), Some(Rule::AuthEventsUnexpected));
        }

        room.room_id = Some("!other:a.org".into());
        if version.id == "12" {
            room.room_id = Some(format!("!{}", "a".repeat(43)));
        }
        assert_eq!(verdict(&room, &needed, false), Some(Rule::AuthEventsOfOtherRoom), "{label}");
    }
}

/// Rule 2.4 is about the auth events of an event, whatever the state that it is judged by holds.
#[test]
fn a_state_needs_no_create_event_until_the_room_id_asks_for_it() {
    for version in RoomVersion::ALL {
        let mut room = Room::new(version);
        let message = room.build((MOD, "m.room.message", None, json!({"body": "hi"})));
        room.state.remove(("m.room.create", ""));
        let rule = authorize(&message, &room.state).err().map(|rejection| rejection.rule);
        let expected = (!version.create_in_auth_events).then_some(Rule::RoomIdWithoutCreate);
        assert_eq!(rule, expected, "{}", version.id);
    }
}

#[test]
fn the_room_id_must_be_that_of_the_create_event_since_version_12() {
    let mut room = Room::new(RoomVersion::DEFAULT);
    room.room_id = Some(format!("!{}", "a".repeat(43)));
    let message = room.build((MOD, "m.room.message", None, json!({"body": "hi"})));
    assert_eq!(authorize(&message, &room.state).unwrap_err().rule, Rule::RoomIdWithoutCreate);
}

#[rstest]
#[case("m.room.create", Some(""), json!({}), &[])]
#[case("m.room.message", None, json!({}), &[("m.room.member", MOD)])]
#[case("m.room.member", Some(BOB), json!({"membership": "leave"}), &[("m.room.member", MOD), ("m.room.member", BOB)])]
#[case(
    "m.room.member", Some(MOD), json!({"membership": "knock"}),
    &[("m.room.member", MOD), ("m.room.join_rules", "")]
)]
#[case(
    "m.room.member", Some(BOB), json!({"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}}),
    &[("m.room.member", MOD), ("m.room.member", BOB), ("m.room.join_rules", ""), ("m.room.third_party_invite", "t")]
)]
fn selection(
    #[case] event_type: &str,
    #[case] state_key: Option<&str>,
    #[case] content: Value,
    #[case] particular: &[(&'static str, &str)],
) {
    for version in RoomVersion::ALL {
        let keys = auth_event_keys(version, event_type, MOD, state_key, content.as_object().unwrap());
        let mut expected: BTreeSet<_> =
            particular.iter().map(|(kind, key)| (*kind, (*key).to_owned())).collect();
        if event_type != "m.room.create" {
            expected.insert(("m.room.power_levels", String::new()));
            if version.create_in_auth_events {
                expected.insert(("m.room.create", String::new()));
            }
        }
        assert_eq!(keys.len(), expected.len());
        assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), expected, "{}", version.id);
    }
}

#[test]
fn the_authoriser_is_selected_where_joins_can_be_restricted() {
    for version in RoomVersion::ALL {
        let content = json!({"membership": "join", "join_authorised_via_users_server": ALICE});
        let keys = auth_event_keys(version, "m.room.member", BOB, Some(BOB), content.as_object().unwrap());
        assert_eq!(keys.contains(&("m.room.member", ALICE.to_owned())), version.restricted, "{}", version.id);
    }
}
