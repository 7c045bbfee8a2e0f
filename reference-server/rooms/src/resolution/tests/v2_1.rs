//! What room version 12 changes: the empty start, the conflicted state subgraph, and creators above all levels.

use protocol::RoomVersion;
use protocol::room_version::{V11, V12};
use rstest::rstest;
use serde_json::json;

use super::room::{ALICE, BOB, Draft, Fork, MOD, Room, id_at, judged, member, rejected, topic};
use crate::authorize::Rule;
use crate::state::StateLookup;

/// Something by the moderator, so that in every state an event rests on the levels and the moderator's membership.
fn anchor<'a>(id: &'a str) -> Draft<'a> {
    Draft::new(id, MOD, "m.room.name", "", json!({"name": id}))
}

/// The auth events of a topic of the moderator that rests on given levels.
fn topic_on<'a>(version: &RoomVersion, id: &'a str, levels: &'a str) -> Draft<'a> {
    let auth_events = ["mod", levels, "create"];
    topic(id, MOD).resting_on(if version.create_in_auth_events { &auth_events } else { &auth_events[..2] })
}

/// Both states have the demotion. Only the checks that start from nothing take the levels that the topic rests on.
#[rstest]
#[case::unconflicted_start(&V11, None)]
#[case::empty_start(&V12, Some("topic"))]
fn unconflicted_levels_do_not_judge_from_an_empty_start(
    #[case] version: &'static RoomVersion,
    #[case] winner: Option<&str>,
) {
    let (mut room, mut trunk) = Room::new(version);
    room.send(&mut trunk, anchor("name"));
    let demotion = room.levels("demotion", ALICE, &[]);
    room.send(&mut trunk, demotion);
    let (mut left, right) = (trunk.clone(), trunk);
    room.send(&mut left, topic_on(version, "topic", "levels"));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(judged(&resolved), ["topic"]);
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), winner);
    assert_eq!(
        rejected(&resolved).first().map(|(_, rule)| *rule),
        match winner {
            Some(_) => None,
            None => Some(Rule::RequiredLevel),
        }
    );
    assert_eq!(id_at(&resolved.state, "m.room.power_levels", ""), Some("demotion"));
    assert_eq!(resolved.state.len(), 7 + usize::from(winner.is_some()));
}

/// Neither state contests the levels, so the empty start has no mainline, and time alone decides.
#[rstest]
#[case::mainline(&V11, "newer-levels")]
#[case::no_mainline(&V12, "later")]
fn unconflicted_levels_make_no_mainline_from_an_empty_start(
    #[case] version: &'static RoomVersion,
    #[case] winner: &str,
) {
    let (mut room, mut trunk) = Room::new(version);
    let newer = room.levels("newer", ALICE, &[(MOD, 50), (BOB, 50)]);
    room.send(&mut trunk, newer);
    room.send(&mut trunk, anchor("name"));
    let (mut left, mut right) = (trunk.clone(), trunk);
    room.send(&mut left, topic_on(version, "later", "levels").at(9));
    room.send(&mut right, topic_on(version, "newer-levels", "newer").at(1));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(rejected(&resolved), []);
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some(winner));
}

/// Bob's join is in both states and in both chains, but on the way from the topic to levels in conflict.
#[rstest]
#[case::without(&V11, false)]
#[case::with(&V12, true)]
fn conflicted_state_subgraph(#[case] version: &'static RoomVersion, #[case] has_subgraph: bool) {
    let (mut room, mut left) = Room::new(version);
    let old = room.levels("old", ALICE, &[(BOB, 50)]);
    room.send(&mut left, old);
    let rejoin = member("rejoin", BOB, BOB, "join");
    room.send(&mut left, rejoin);
    room.send(&mut left, Draft::new("name", BOB, "m.room.name", "", json!({"name": "n"})));
    let mut right = left.clone();
    let new = room.levels("new", ALICE, &[(BOB, 50)]);
    room.send(&mut right, new);
    room.send(&mut right, topic("topic", BOB));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(judged(&resolved).contains(&"rejoin"), has_subgraph, "{:?}", judged(&resolved));
    assert_eq!(judged(&resolved).iter().filter(|id| **id != "rejoin").count(), 3);
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic"));
}

/// Alice and the moderator have the same level; the moderator is earlier, but as the creator Alice comes first.
#[rstest]
#[case::equals(&V11, "ban", None)]
#[case::creator_first(&V12, "bob", Some(("ban", Rule::BanLevel)))]
fn creators_come_before_every_level(
    #[case] version: &'static RoomVersion,
    #[case] winner: &str,
    #[case] rejection: Option<(&str, Rule)>,
) {
    let (mut room, mut trunk) = Room::new(version);
    let promotion = room.levels("promotion", ALICE, &[(MOD, 100)]);
    room.send(&mut trunk, promotion);
    let (mut left, mut right) = (trunk.clone(), trunk);
    room.send(&mut left, member("ban", MOD, BOB, "ban").at(1));
    let demotion = room.levels("demotion", ALICE, &[]).at(2);
    room.send(&mut right, demotion);

    let resolved = room.resolve(&[&left, &right]);
    let expected: Vec<_> = rejection.into_iter().collect();
    if version.privileged_creators {
        assert_eq!(rejected(&resolved), expected);
    }
    assert_eq!(id_at(&resolved.state, "m.room.member", BOB), Some(winner));
}

#[test]
fn the_room_id_implies_the_create_event_even_if_no_state_has_it() {
    let (mut room, trunk) = Room::new(&V12);
    let strip = |fork: &Fork| {
        let mut stripped = fork.clone();
        stripped.state =
            fork.state.iter().filter(|event| event.event_type() != "m.room.create").cloned().collect();
        stripped
    };
    let (mut left, right) = (strip(&trunk), strip(&trunk));
    room.send(&mut left, topic("topic", ALICE));
    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic"));

    room.rejected.insert("$create".to_owned());
    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(rejected(&resolved).last(), Some(&("topic", Rule::RoomIdWithoutCreate)));
    assert!(resolved.state.create().is_none());
}

#[test]
fn an_empty_state_contests_everything_and_loses() {
    let (room, trunk) = Room::new(&V12);
    let resolved = room.resolve(&[&trunk, &Fork::default()]);
    assert_eq!(rejected(&resolved), []);
    assert_eq!(resolved.state.len(), 6);
    assert_eq!(resolved.judged.len(), 6);
}
