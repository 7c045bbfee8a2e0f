//! What room version 12 changed in state resolution (rooms/v12/#state-resolution).

use protocol::RoomVersion;
use serde_json::json;

use super::room::{Merged, Room, names};
use super::{ALICE, BOB, CAROL, DAVE};
use crate::{Level, Rule, StateMap};

fn version(id: &str) -> &'static RoomVersion {
    RoomVersion::find(id).unwrap()
}

/// Two topics by Bob contend; both sets agree that he was banned since.
fn two_topics_and_a_ban(version: &'static RoomVersion) -> Merged {
    let room = Room::plain(version)
        .topic("T", BOB)
        .after(["D"])
        .topic("U", BOB)
        .after(["D"])
        .member("ban", ALICE, BOB, "ban");
    let banned = |mut state: StateMap| {
        state.insert(("m.room.member".to_owned(), BOB.to_owned()), room.id("ban"));
        state
    };
    room.resolve(&[banned(room.state_after("T")), banned(room.state_after("U"))])
}

#[test]
fn the_checks_start_from_the_unconflicted_state_in_v2() {
    let merged = two_topics_and_a_ban(version("11"));
    assert_eq!(merged.0.steps[0].against, merged.0.unconflicted_state);
    assert_eq!(merged.rejected(), [("T", Rule::SenderNotJoined), ("U", Rule::SenderNotJoined)]);
    assert_eq!((merged.topic(), merged.member(BOB)), ("-", "ban"));
}

#[test]
fn the_checks_start_from_nothing_in_v2_1() {
    let merged = two_topics_and_a_ban(version("12"));
    assert!(merged.0.steps[0].against.is_empty());
    let found = names(merged.0.steps[0].from_auth_events.values().map(String::as_str));
    assert_eq!(found, "C B P", "the create event is found by the room id");
    assert_eq!(merged.rejected(), []);
    assert_eq!((merged.topic(), merged.member(BOB)), ("U", "ban"));
}

#[test]
fn the_conflicted_state_subgraph_has_what_lies_between() {
    // P ← Q ← R, and a topic that stands on Q is in both sets, so that Q is in every auth chain.
    let fork = |version| {
        let room = Room::plain(version)
            .levels("Q", ALICE, json!({BOB: 50, CAROL: 50}))
            .topic("T", CAROL)
            .levels("R", ALICE, json!({BOB: 50}));
        let old = |mut state: StateMap| {
            state.insert(("m.room.power_levels".to_owned(), String::new()), room.id("P"));
            state
        };
        room.resolve(&[old(room.state_after("R")), room.state_after("R")])
    };
    let ids = |ids: &std::collections::BTreeSet<String>| names(ids.iter().map(String::as_str));

    let v2_1 = fork(version("12")).0;
    assert_eq!(ids(&v2_1.conflicted_state), "P R");
    assert_eq!(ids(&v2_1.auth_difference), "");
    assert_eq!(ids(&v2_1.conflicted_state_subgraph), "P Q R");
    assert_eq!(ids(&v2_1.full_conflicted_set), "P Q R");
    assert_eq!(names(v2_1.power_events.iter().map(|event| event.event_id.as_str())), "P Q R");

    let v2 = fork(version("11")).0;
    assert_eq!(ids(&v2.conflicted_state_subgraph), "");
    assert_eq!(ids(&v2.full_conflicted_set), "P R");
}

#[test]
fn the_creator_comes_before_everybody() {
    let room = Room::plain(version("12"))
        .levels("Q", ALICE, json!({BOB: 1_000, CAROL: 100}))
        .member("ban", ALICE, BOB, "ban")
        .after(["Q"])
        .at(0)
        .member("K", BOB, CAROL, "leave");
    let merged = room.merge(["ban", "K"]);
    assert_eq!((merged.member(BOB), merged.member(CAROL)), ("ban", "D"));
    assert_eq!(merged.rejected(), [("K", Rule::LeaveByOutsider)]);
    let level = |name: &str| {
        merged
            .0
            .power_events
            .iter()
            .find(|event| event.event_id == room.id(name))
            .map(|event| event.sender_level)
    };
    assert_eq!((level("ban"), level("K")), (Some(Level::Infinite), Some(Level::Finite(1_000))));
}

#[test]
fn unconflicted_state_that_nothing_asked_for_survives() {
    let room = Room::plain(version("12"))
        .state("N", ALICE, "m.room.name", "", json!({"name": "N"}))
        .topic("T", ALICE)
        .after(["N"])
        .member("E", DAVE, DAVE, "join");
    let merged = room.merge(["T", "E"]);
    assert_eq!((merged.get("m.room.name", ""), merged.topic(), merged.member(DAVE)), ("N", "T", "E"));
    assert_eq!((merged.levels(), merged.join_rule(), merged.get("m.room.create", "")), ("P", "J", "C"));
}

/// The text takes the mainline from the partially resolved state, which has no power levels unless they were
/// in conflict.
#[test]
fn without_contended_power_levels_there_is_no_mainline() {
    let fork = |version| {
        let room = Room::plain(version)
            .at(90_000)
            .topic("old", BOB)
            .levels("Q", ALICE, json!({BOB: 50, CAROL: 50}))
            .state("N", ALICE, "m.room.name", "", json!({"name": "N"}))
            .at(50_000)
            .topic("new", BOB);
        let merged = room.merge(["N", "new"]);
        (merged.mainline(), merged.remaining_events(), merged.topic().to_owned())
    };
    let told =
        |mainline: &str, remaining: &str, topic: &str| (mainline.into(), remaining.into(), topic.into());
    assert_eq!(fork(version("11")), told("Q P", "old new", "new"), "the unconflicted state has them");
    assert_eq!(fork(version("12")), told("", "new old", "old"));
}
