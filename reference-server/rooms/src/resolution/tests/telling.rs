//! What a resolution tells of how it came about.

use std::collections::HashMap;

use protocol::room_version::{StateResolution, V1, V11, V12};
use serde_json::json;

use super::room::{ALICE, BOB, Draft, MOD, Room, id_at, judged, since_version_2, topic};
use crate::event::Pdu;
use crate::resolution::{ResolutionError, Resolved};

fn mainline(resolved: &Resolved, room: &Room) -> Vec<String> {
    let mainline = resolved.mainline(room).unwrap();
    mainline.iter().map(|event| event.event_id()[1..].to_owned()).collect()
}

#[test]
fn the_passes_and_the_mainline_between_them() {
    for version in since_version_2() {
        let (mut room, trunk) = Room::new(version);
        let (mut left, mut right) = (trunk.clone(), trunk);
        let levels = room.levels("levels-left", ALICE, &[(MOD, 50)]);
        room.send(&mut left, levels);
        room.send(&mut left, topic("topic-left", MOD).at(i64::MAX));
        let levels = room.levels("levels-right", ALICE, &[(MOD, 50), (BOB, 10)]);
        room.send(&mut right, levels);
        room.send(&mut right, topic("topic-right", MOD));

        let resolved = room.resolve(&[&right, &left]);
        assert_eq!(judged(&resolved), ["levels-left", "levels-right", "topic-left", "topic-right"]);
        assert_eq!(resolved.power_events, 2, "room version {}", version.id);
        assert_eq!(mainline(&resolved, &room), ["levels-right", "levels"], "room version {}", version.id);
        assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic-right"));
    }
}

/// Without conflict, the partially resolved state is what the checks start from.
#[test]
fn the_mainline_where_nothing_is_in_conflict() {
    for version in since_version_2() {
        let (room, trunk) = Room::new(version);
        let resolved = room.resolve(&[&trunk, &trunk]);
        let has_mainline = version.state_resolution == StateResolution::V2;
        let expected: &[&str] = if has_mainline { &["levels"] } else { &[] };
        assert_eq!(mainline(&resolved, &room), expected, "room version {}", version.id);
    }
}

#[test]
fn version_1_has_no_mainline() {
    let (mut room, trunk) = Room::new(&V1);
    let (mut left, mut right) = (trunk.clone(), trunk);
    room.send(&mut left, topic("left", ALICE));
    room.send(&mut right, topic("right", ALICE));
    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(resolved.power_events, 0);
    assert!(mainline(&resolved, &room).is_empty());
}

#[test]
fn a_mainline_with_a_hole_names_what_is_missing() {
    let (room, trunk) = Room::new(&V11);
    let resolved = Resolved { power_levels: room.events.get("$levels").cloned(), ..room.resolve(&[&trunk]) };
    let error = resolved.mainline(&HashMap::<String, Pdu>::new()).unwrap_err();
    assert!(matches!(error, ResolutionError::Missing { cited_by, .. } if cited_by == "$levels"));
}

/// The text takes every event of the auth chains; one that is no state can be sorted but not be applied.
#[test]
fn an_auth_event_that_is_no_state_is_in_the_full_conflicted_set() {
    for version in [&V11, &V12] {
        let (mut room, trunk) = Room::new(version);
        let (mut left, mut right) = (trunk.clone(), trunk);
        let message = room.send_message(&left, "message", ALICE);
        let draft = Draft::new("left", ALICE, "m.room.topic", "", json!({"topic": "left"}));
        let rests_on: &[&str] = if version.create_in_auth_events {
            &["create", "alice", "levels", "message"]
        } else {
            &["alice", "levels", "message"]
        };
        room.send(&mut left, draft.resting_on(rests_on));
        room.send(&mut right, topic("right", ALICE));
        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(judged(&resolved), ["message", "left", "right"], "room version {}", version.id);
        assert!(resolved.state.iter().all(|event| event.event_id() != message.event_id()));
    }
}
