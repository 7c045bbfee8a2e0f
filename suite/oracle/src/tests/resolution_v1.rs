//! State resolution v1: depth and hashes (rooms/v1/#state-resolution).

use protocol::RoomVersion;
use serde_json::json;
use sha1::{Digest, Sha1};

use super::room::Room;
use super::{ALICE, BOB, CAROL, DAVE};
use crate::resolution::{Outcome, Pass};
use crate::{ResolutionError, Rule, resolve};

fn room() -> Room {
    Room::plain(RoomVersion::find("1").unwrap())
}

#[test]
fn the_deepest_topic_wins() {
    let room = room().deep(20).topic("T", BOB).after(["D"]).deep(21).at(0).topic("U", BOB);
    assert_eq!(room.merge(["T", "U"]).topic(), "U");
}

#[test]
fn among_equally_deep_topics_the_lowest_hash_wins() {
    let room = room().deep(20).topic("T", BOB).after(["D"]).deep(20).topic("U", BOB);
    let mut ids = [room.id("T"), room.id("U")];
    ids.sort_by_key(|id| Sha1::digest(id.as_bytes()).to_vec());
    // sha1("$T:a.example") = 563b…, sha1("$U:a.example") = fbf5…
    assert_eq!(ids, [room.id("T"), room.id("U")]);
    assert_eq!(room.merge(["T", "U"]).topic(), "T");
    assert_eq!(room.merge(["U", "T"]).topic(), "T");
}

#[test]
fn equally_deep_power_levels_climb_from_the_highest_hash() {
    let room = room().deep(20).levels("T", ALICE, json!({BOB: 50, CAROL: 1})).after(["D"]).deep(20).levels(
        "U",
        ALICE,
        json!({BOB: 50, CAROL: 2}),
    );
    let merged = room.merge(["T", "U"]);
    let steps: Vec<_> = merged.0.steps.iter().map(|step| (step.event_id.clone(), step.pass)).collect();
    assert_eq!(steps, [(room.id("U"), Pass::PowerLevels), (room.id("T"), Pass::PowerLevels)]);
    assert_eq!(merged.0.steps[0].outcome, Outcome::Taken);
    assert_eq!(merged.levels(), "T");
}

#[test]
fn climbing_stops_at_the_first_that_is_not_allowed() {
    // N takes Bob's power, so that his levels Q fail; R, which would be allowed, is no longer looked at.
    let room = room()
        .deep(20)
        .levels("N", ALICE, json!({BOB: 0}))
        .after(["D"])
        .deep(21)
        .levels("Q", BOB, json!({BOB: 50, CAROL: 50}))
        .after(["D"])
        .deep(22)
        .levels("R", ALICE, json!({BOB: 0, CAROL: 3}));
    let merged = room.merge(["N", "Q", "R"]);
    assert_eq!(merged.levels(), "N");
    assert_eq!(merged.rejected(), [("Q", Rule::RequiredPowerLevel)]);
    assert_eq!(merged.0.steps.len(), 2);
}

#[test]
fn a_ban_beats_the_topic_of_the_banned() {
    let room =
        room().topic("T", ALICE).member("ban", ALICE, BOB, "ban").after(["T"]).deep(99).topic("U", BOB);
    let merged = room.merge(["ban", "U"]);
    assert_eq!((merged.member(BOB), merged.topic()), ("ban", "T"));
    assert_eq!(merged.rejected(), [("U", Rule::SenderNotJoined)]);
}

#[test]
fn power_levels_come_before_the_bans_that_they_forbid() {
    let room = room()
        .deep(20)
        .levels("N", ALICE, json!({BOB: 0}))
        .after(["D"])
        .member("ban", BOB, CAROL, "ban")
        .after(["D"])
        .deep(19)
        .levels("Q", ALICE, json!({BOB: 50, CAROL: 0}));
    let merged = room.merge(["N", "ban", "Q"]);
    assert_eq!((merged.levels(), merged.member(CAROL)), ("N", "D"));
    assert_eq!(merged.rejected(), [("ban", Rule::BanOtherwise)]);
}

#[test]
fn what_only_one_side_has_is_not_in_conflict() {
    let room = room().join_rule("I", ALICE, "invite").after(["D"]).member("E", DAVE, DAVE, "join");
    let merged = room.merge(["I", "E"]);
    assert_eq!((merged.join_rule(), merged.member(DAVE)), ("I", "E"));
    assert_eq!(merged.0.conflicted_state.len(), 2);
}

#[test]
fn a_key_for_which_nothing_is_allowed_is_left_out() {
    let room =
        room().topic("T", BOB).after(["D"]).topic("U", BOB).after(["D"]).member("ban", ALICE, BOB, "ban");
    let banned = |name| {
        let mut state = room.state_after(name);
        state.insert(("m.room.member".to_owned(), BOB.to_owned()), room.id("ban"));
        state
    };
    assert_eq!(room.resolve(&[banned("T"), banned("U")]).topic(), "-");
}

#[test]
fn only_events_of_the_sets_are_needed() {
    let room = room().topic("S", BOB).topic("T", BOB).after(["S"]).topic("U", BOB);
    let sets = [room.state_after("T"), room.state_after("U")];
    let without = |name: &str| {
        let events = room.history.events().iter().filter(|event| event.id() != room.id(name)).cloned();
        resolve(room.version, &sets, &events.collect())
    };
    assert_eq!(without("S"), Ok(room.merge(["T", "U"]).0));
    let needed_by = "a state set".to_owned();
    assert_eq!(without("U"), Err(ResolutionError::Missing { id: room.id("U"), needed_by }));
}

#[test]
fn the_trace_reads_well() {
    let room =
        room().topic("T", ALICE).member("ban", ALICE, BOB, "ban").after(["T"]).deep(99).topic("U", BOB);
    insta::assert_snapshot!(room.merge(["ban", "U"]).0);
}
