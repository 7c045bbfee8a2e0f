//! The first algorithm: depth, then SHA-1.

use protocol::room_version::V1;
use rstest::rstest;

use super::room::{ALICE, BOB, EVE, MOD, Room, id_at, join_rules, judged, member, rejected, topic};
use crate::authorize::Rule;
use crate::state::StateLookup;

/// SHA-1 orders the ids `topic-a`, `topic-c`, `topic-b`.
#[rstest]
#[case::deeper_wins(&[("topic-a", 10), ("topic-b", 9)], "topic-a")]
#[case::deeper_wins_against_the_digest(&[("topic-b", 10), ("topic-a", 9)], "topic-b")]
#[case::least_digest_wins(&[("topic-b", 9), ("topic-a", 9)], "topic-a")]
#[case::least_digest_of_the_deepest(&[("topic-b", 9), ("topic-c", 9), ("topic-a", 8)], "topic-c")]
fn topics(#[case] drafts: &[(&str, u64)], #[case] winner: &str) {
    let (mut room, trunk) = Room::new(&V1);
    let mut forks = Vec::new();
    for (id, depth) in drafts {
        let mut fork = trunk.clone();
        room.send(&mut fork, topic(id, ALICE).deep(*depth));
        forks.push(fork);
    }
    let resolved = room.resolve(&forks.iter().collect::<Vec<_>>());
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some(winner));
}

/// SHA-1 orders the ids `levels-c`, `levels-a`, `levels-b`; of equal depth the greatest goes first, so the least wins.
#[rstest]
#[case::deeper_wins(&[("levels-b", 10), ("levels-a", 9)], &["levels-a", "levels-b"])]
#[case::digest_decides(&[("levels-a", 9), ("levels-b", 9)], &["levels-b", "levels-a"])]
#[case::three(&[("levels-c", 9), ("levels-b", 9), ("levels-a", 9)], &["levels-b", "levels-a", "levels-c"])]
fn power_levels(#[case] drafts: &[(&str, u64)], #[case] order: &[&str]) {
    let (mut room, trunk) = Room::new(&V1);
    let mut forks = Vec::new();
    for (id, depth) in drafts {
        let mut fork = trunk.clone();
        let levels = room.levels(id, ALICE, &[(MOD, 49)]).deep(*depth);
        room.send(&mut fork, levels);
        forks.push(fork);
    }
    let resolved = room.resolve(&forks.iter().collect::<Vec<_>>());
    assert_eq!(judged(&resolved), order);
    assert_eq!(id_at(&resolved.state, "m.room.power_levels", ""), order.last().copied());
}

#[test]
fn the_first_that_is_not_allowed_ends_the_list() {
    let (mut room, trunk) = Room::new(&V1);
    let [mut first, mut second, mut third] = [trunk.clone(), trunk.clone(), trunk];
    let levels = room.levels("levels-a", ALICE, &[]).deep(9);
    room.send(&mut first, levels);
    let levels = room.levels("levels-b", MOD, &[(MOD, 50), (BOB, 40)]).deep(10);
    room.send(&mut second, levels);
    let levels = room.levels("levels-c", ALICE, &[(MOD, 10)]).deep(11);
    room.send(&mut third, levels);

    let resolved = room.resolve(&[&first, &second, &third]);
    assert_eq!(judged(&resolved), ["levels-a", "levels-b"]);
    assert_eq!(rejected(&resolved), [("levels-b", Rule::RequiredLevel)]);
    assert_eq!(id_at(&resolved.state, "m.room.power_levels", ""), Some("levels-a"));
}

#[test]
fn levels_are_resolved_before_members_and_members_before_the_rest() {
    let (mut room, mut trunk) = Room::new(&V1);
    room.send(&mut trunk, topic("topic", ALICE));
    let (mut left, mut right) = (trunk.clone(), trunk);
    let levels = room.levels("levels-a", ALICE, &[]);
    room.send(&mut left, levels);
    room.send(&mut right, member("ban", MOD, BOB, "ban"));
    room.send(&mut right, topic("topic-a", MOD));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(judged(&resolved), ["levels", "levels-a", "bob", "ban", "topic-a", "topic"]);
    assert_eq!(rejected(&resolved), [("ban", Rule::BanLevel), ("topic-a", Rule::RequiredLevel)]);
    assert_eq!(resolved.state.membership(BOB), "join");
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic"));
}

#[test]
fn join_rules_are_resolved_before_members() {
    let (mut room, mut trunk) = Room::new(&V1);
    room.send(&mut trunk, member("eve-left", EVE, EVE, "leave"));
    let (mut left, mut right) = (trunk.clone(), trunk);
    room.send(&mut left, join_rules("rules-a", ALICE, "invite"));
    room.send(&mut right, member("eve", EVE, EVE, "join"));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(rejected(&resolved), [("eve", Rule::JoinNotAllowed)]);
    assert_eq!(resolved.state.membership(EVE), "leave");
}

#[test]
fn what_only_some_states_have_is_not_in_conflict() {
    let (mut room, trunk) = Room::new(&V1);
    let (mut left, mut right) = (trunk.clone(), trunk);
    room.send(&mut left, join_rules("rules-a", ALICE, "invite"));
    room.send(&mut right, member("eve", EVE, EVE, "join"));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(judged(&resolved), ["rules", "rules-a"]);
    assert_eq!(resolved.state.membership(EVE), "join");
}

#[test]
fn a_place_where_nothing_is_allowed_stays_empty() {
    let (mut room, trunk) = Room::new(&V1);
    let (mut left, mut right) = (trunk.clone(), trunk);
    room.send(&mut left, topic("topic-a", EVE));
    room.send(&mut right, topic("topic-b", EVE));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(rejected(&resolved), [("topic-a", Rule::SenderNotJoined), ("topic-b", Rule::SenderNotJoined)]);
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), None);
    assert_eq!(resolved.state.len(), 6);
}
