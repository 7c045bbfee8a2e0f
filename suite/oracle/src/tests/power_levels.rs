//! The published spellings of power levels, and the defaults.

use protocol::RoomVersion;
use rstest::rstest;
use serde_json::{Value, json};

use super::scene::Scene;
use super::{ALICE, BOB, CAROL};
use crate::power_levels::read_level;
use crate::{AuthState, Level, PowerLevels};

#[rstest]
#[case("5", "integer_string_or_float")]
#[case("9", "integer_or_string")]
#[case("10", "integer")]
fn spellings(#[case] version: &str, #[case] form: &str) {
    let version = RoomVersion::find(version).unwrap();
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../fixtures/vectors/power_levels.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let expected = case["expected"][form].as_i64().map(|level| Level::Finite(level.into()));
        assert_eq!(read_level(version, &case["value"]), expected, "{case}");
    }
}

#[test]
fn numbers_beyond_64_bits_keep_their_order() {
    let read = |value| read_level(RoomVersion::find("1").unwrap(), &value).unwrap();
    let rising = [
        json!("-999999999999999999999999999999999999999999"),
        json!(-1e30),
        json!(0),
        json!(u64::MAX),
        json!(1e30),
        json!("999999999999999999999999999999999999999999"),
    ];
    assert!(rising.map(read).is_sorted_by(|a, b| a < b));
}

#[rstest]
#[case("1", Level::Finite(100))]
#[case("11", Level::Finite(100))]
#[case("12", Level::Infinite)]
fn without_power_levels(#[case] version: &str, #[case] creator: Level) {
    let scene = Scene::new(RoomVersion::find(version).unwrap());
    let create = scene.get("m.room.create", "");
    let levels = PowerLevels::new(scene.version, None, create);
    assert_eq!((levels.user(ALICE), levels.user(BOB)), (creator, Level::Finite(0)));
    assert_eq!((levels.invite(), levels.kick()), (Level::Finite(0), Level::Finite(50)));
    assert_eq!((levels.ban(), levels.redact()), (Level::Finite(50), Level::Finite(50)));
    assert_eq!(levels.required(&scene.message(BOB)), Level::Finite(0));
    assert_eq!(levels.required(&scene.membership(BOB, BOB, "join")), Level::Finite(50));
}

#[test]
fn a_creator_whom_the_power_levels_leave_out_has_the_default() {
    let mut scene = Scene::new(RoomVersion::find("11").unwrap());
    scene.set(ALICE, "m.room.power_levels", "", json!({"users_default": 7, "users": {BOB: 50}}));
    let levels =
        PowerLevels::new(scene.version, scene.get("m.room.power_levels", ""), scene.get("m.room.create", ""));
    assert_eq!(levels.user(ALICE), Level::Finite(7));
    assert_eq!(levels.user(BOB), Level::Finite(50));
    assert_eq!(levels.user(CAROL), Level::Finite(7));
}

#[test]
fn what_is_no_level_counts_as_left_out() {
    let mut scene = Scene::new(RoomVersion::find("9").unwrap());
    scene.levels(json!({"ban": "much", "events": [], "users_default": null, "state_default": {}}));
    let levels =
        PowerLevels::new(scene.version, scene.get("m.room.power_levels", ""), scene.get("m.room.create", ""));
    assert_eq!((levels.ban(), levels.user(CAROL)), (Level::Finite(50), Level::Finite(0)));
    assert_eq!(levels.required(&scene.membership(BOB, BOB, "join")), Level::Finite(50));
}
