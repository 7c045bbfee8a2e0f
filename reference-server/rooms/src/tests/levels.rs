//! Power levels: how they are written, what they default to, and who may change them.

use protocol::RoomVersion;
use protocol::room_version::PowerLevelForm;
use rstest::rstest;
use serde_json::{Value, json};

use super::room::{ALICE, BOB, EVE, MOD, Room, in_every_version, levels};
use crate::authorize::Rule;
use crate::event::Pdu;
use crate::power_levels::{Level, Power, PowerLevels, parse};

#[test]
fn the_forms_of_a_level() {
    let file: Value =
        serde_json::from_str(include_str!("../../../../fixtures/vectors/power_levels.json")).unwrap();
    for case in file["cases"].as_array().unwrap() {
        for (name, form) in [
            ("integer", PowerLevelForm::Integer),
            ("integer_or_string", PowerLevelForm::IntegerOrString),
            ("integer_string_or_float", PowerLevelForm::IntegerStringOrFloat),
        ] {
            let expected = case["expected"][name].as_i64();
            assert_eq!(
                parse(form, &case["value"]),
                expected,
                "{} as {name}: {}",
                case["name"],
                case["value"]
            );
        }
    }
}

#[test]
fn defaults() {
    for version in RoomVersion::ALL {
        let mut room = Room::empty(version);
        room.given((ALICE, "m.room.create", Some(""), super::room::create_content(version)));
        let creator = if version.privileged_creators { Power::Infinite } else { Power::Level(100) };
        let without = PowerLevels::of(version, &room.state);
        assert_eq!((without.user(ALICE), without.user(BOB)), (creator, Power::Level(0)));
        assert_eq!(
            (without.to_send("m.room.topic", true), without.to_send("m.room.message", false)),
            (50, 0)
        );

        room.given((ALICE, "m.room.power_levels", Some(""), json!({"users_default": 7, "events": {"a": 9}})));
        let with = PowerLevels::of(version, &room.state);
        let creator = if version.privileged_creators { Power::Infinite } else { Power::Level(7) };
        assert_eq!((with.user(ALICE), with.user(BOB)), (creator, Power::Level(7)));
        assert_eq!((with.to_send("a", true), with.to_send("a", false)), (9, 9));
        let actual = [Level::Ban, Level::Kick, Level::Redact, Level::Invite].map(|level| with.level(level));
        assert_eq!((actual, with.notification("room")), ([50, 50, 50, 0], 50));
    }
}

#[test]
fn levels_whose_content_is_no_object_are_there_and_say_nothing() {
    for version in RoomVersion::ALL {
        let mut room = Room::empty(version);
        room.given((ALICE, "m.room.create", Some(""), super::room::create_content(version)));
        let levels = room.build((ALICE, "m.room.power_levels", Some(""), json!({})));
        let mut object = levels.object().clone();
        object.insert("content".to_owned(), json!([]));
        room.add(Pdu::with_id(levels.event_id().to_owned(), object, version).unwrap());
        let levels = PowerLevels::of(version, &room.state);
        let creator = if version.privileged_creators { Power::Infinite } else { Power::Level(0) };
        assert_eq!((levels.exist(), levels.user(ALICE)), (true, creator), "{}", version.id);
    }
}

#[test]
fn additional_creators_have_infinite_power_since_version_12() {
    for version in RoomVersion::ALL {
        let mut room = Room::empty(version);
        let mut content = super::room::create_content(version);
        content["additional_creators"] = json!([BOB]);
        room.given((ALICE, "m.room.create", Some(""), content));
        let expected = if version.id == "12" { Power::Infinite } else { Power::Level(0) };
        assert_eq!(PowerLevels::of(version, &room.state).user(BOB), expected, "{}", version.id);
    }
}

/// Tries to replace levels, given as changes to the usual ones.
fn replace(sender: &'static str, from: &Value, to: &Value, expected: &[(usize, Option<Rule>)]) {
    in_every_version(
        |room| {
            let content = levels(room.version, from.clone());
            room.given((ALICE, "m.room.power_levels", Some(""), content));
        },
        |room| (sender, "m.room.power_levels", Some(""), levels(room.version, to.clone())),
        expected,
    );
}

/// Lets the moderator change the levels at all.
fn open(mut changes: Value) -> Value {
    changes["state_default"] = json!(50);
    changes
}

#[rstest]
#[case(json!({"ban": "50"}), &[(1, None), (10, Some(Rule::LevelsNotIntegers))])]
#[case(json!({"ban": []}), &[(1, None), (10, Some(Rule::LevelsNotIntegers))])]
#[case(json!({"events": {"a": "1"}}), &[(1, None), (10, Some(Rule::LevelListsNotIntegers))])]
#[case(json!({"events": []}), &[(1, None), (10, Some(Rule::LevelListsNotIntegers))])]
#[case(json!({"notifications": {"room": "1"}}), &[(1, None), (10, Some(Rule::LevelListsNotIntegers))])]
#[case(json!({"users": {BOB: "1"}}), &[(1, None), (10, Some(Rule::LevelsOfUsers))])]
#[case(json!({"users": {BOB: "x"}}), &[(1, Some(Rule::LevelsOfUsers))])]
#[case(json!({"users": {BOB: null}}), &[(1, Some(Rule::LevelsOfUsers))])]
#[case(json!({"users": {"bob": 1}}), &[(1, Some(Rule::LevelsOfUsers))])]
#[case(json!({"users": 1}), &[(1, Some(Rule::LevelsOfUsers))])]
#[case(json!({"users": {BOB: 1}}), &[(1, None)])]
fn types(#[case] changes: Value, #[case] expected: &[(usize, Option<Rule>)]) {
    replace(ALICE, &json!({}), &changes, expected);
}

#[test]
fn floats_until_version_5() {
    for version in RoomVersion::ALL.into_iter().take(5) {
        let room = Room::new(version);
        let content = levels(version, json!({"users": {BOB: 50.57}}));
        assert_eq!(room.verdict((ALICE, "m.room.power_levels", Some(""), content)), None, "{}", version.id);
    }
}

#[rstest]
#[case(json!({"ban": 50}), None)]
#[case(json!({"ban": 51}), Some(Rule::LevelRaised))]
#[case(json!({"users_default": 51}), Some(Rule::LevelRaised))]
#[case(json!({"events": {"a": 50}}), None)]
#[case(json!({"events": {"a": 51}}), Some(Rule::ListedLevelRaised))]
#[case(json!({"users": {BOB: 50}}), None)]
#[case(json!({"users": {BOB: 51}}), Some(Rule::UserLevelRaised))]
#[case(json!({"users": {MOD: 51}}), Some(Rule::UserLevelRaised))]
#[case(json!({"users": {MOD: 10}}), None)]
fn setting_levels_up_to_ones_own(#[case] to: Value, #[case] expected: Option<Rule>) {
    replace(MOD, &json!({}), &open(to), &[(1, expected)]);
}

#[rstest]
#[case(json!({"kick": 51}), json!({"kick": 10}), Some(Rule::LevelAbove))]
#[case(json!({"kick": 51}), json!({}), Some(Rule::LevelAbove))]
#[case(json!({"kick": 50}), json!({}), None)]
#[case(json!({"kick": 51}), json!({"kick": 51}), None)]
#[case(json!({"events": {"a": 51}}), json!({}), Some(Rule::ListedLevelAbove))]
#[case(json!({"events": {"a": 50}}), json!({}), None)]
#[case(json!({"users": {EVE: 50}}), json!({"users": {EVE: 10}}), Some(Rule::UserLevelAbove))]
#[case(json!({"users": {EVE: 50}}), json!({}), Some(Rule::UserLevelAbove))]
#[case(json!({"users": {EVE: 49}}), json!({}), None)]
fn changing_levels_below_ones_own(#[case] from: Value, #[case] to: Value, #[case] expected: Option<Rule>) {
    replace(MOD, &open(from), &open(to), &[(1, expected)]);
}

#[test]
fn notifications_count_since_version_6() {
    let high = json!({"notifications": {"room": 51}});
    replace(MOD, &json!({}), &open(high.clone()), &[(1, None), (6, Some(Rule::ListedLevelRaised))]);
    replace(MOD, &open(high), &open(json!({})), &[(1, None), (6, Some(Rule::ListedLevelAbove))]);
}

#[test]
fn creators_cannot_be_listed_since_version_12() {
    replace(
        ALICE,
        &json!({}),
        &json!({"users": {ALICE: 100}}),
        &[(1, None), (12, Some(Rule::LevelsOfCreators))],
    );
}

#[test]
fn the_first_levels_may_be_anything() {
    for version in RoomVersion::ALL {
        let mut room = Room::empty(version);
        room.given((ALICE, "m.room.create", Some(""), super::room::create_content(version)));
        room.given((ALICE, "m.room.member", Some(ALICE), json!({"membership": "join"})));
        let content = levels(version, json!({"ban": 1000, "users": {BOB: 1000}}));
        assert_eq!(room.verdict((ALICE, "m.room.power_levels", Some(""), content)), None, "{}", version.id);
    }
}
