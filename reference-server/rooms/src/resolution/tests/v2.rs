//! The second algorithm, in what both its forms share and in the first of them.

use protocol::room_version::V11;
use rstest::rstest;
use serde_json::json;

use super::room::{
    ALICE, BOB, Draft, EVE, MOD, Room, id_at, join_rules, judged, member, rejected, since_version_2, topic,
};
use crate::authorize::Rule;
use crate::state::StateLookup;

#[test]
fn a_demotion_undoes_the_ban_of_another_fork() {
    for version in since_version_2() {
        let (mut room, trunk) = Room::new(version);
        let (mut left, mut right) = (trunk.clone(), trunk);
        room.send(&mut left, member("ban", MOD, BOB, "ban"));
        let levels = room.levels("demotion", ALICE, &[]);
        room.send(&mut right, levels);

        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(rejected(&resolved), [("ban", Rule::BanLevel)], "room version {}", version.id);
        assert_eq!(id_at(&resolved.state, "m.room.member", BOB), Some("bob"));
        assert_eq!(id_at(&resolved.state, "m.room.power_levels", ""), Some("demotion"));
    }
}

#[test]
fn a_ban_undoes_the_topic_of_another_fork() {
    for version in since_version_2() {
        let (mut room, mut trunk) = Room::new(version);
        room.send(&mut trunk, topic("topic", ALICE));
        let (mut left, mut right) = (trunk.clone(), trunk);
        room.send(&mut left, member("ban", ALICE, MOD, "ban"));
        room.send(&mut right, topic("topic-a", MOD));

        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(rejected(&resolved), [("topic-a", Rule::SenderNotJoined)], "room version {}", version.id);
        assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic"));
        assert_eq!(resolved.state.membership(MOD), "ban");
    }
}

#[test]
fn a_place_whose_only_event_is_rejected_becomes_empty() {
    for version in since_version_2() {
        let (mut room, trunk) = Room::new(version);
        let (mut left, mut right) = (trunk.clone(), trunk);
        room.send(&mut left, join_rules("invite-only", ALICE, "invite"));
        room.send(&mut right, member("eve", EVE, EVE, "join"));

        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(rejected(&resolved), [("eve", Rule::JoinNotAllowed)], "room version {}", version.id);
        assert_eq!(id_at(&resolved.state, "m.room.member", EVE), None);
        assert_eq!(id_at(&resolved.state, "m.room.join_rules", ""), Some("invite-only"));
        assert_eq!(resolved.state.len(), 6);
    }
}

#[test]
fn the_first_of_two_bans_by_power_holds() {
    for version in since_version_2() {
        let (mut room, trunk) = Room::new(version);
        let (mut left, mut right) = (trunk.clone(), trunk);
        room.send(&mut left, member("kick", MOD, BOB, "leave"));
        room.send(&mut right, member("ban", ALICE, MOD, "ban"));

        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(rejected(&resolved), [("kick", Rule::KickByStranger)], "room version {}", version.id);
        assert_eq!(resolved.state.membership(BOB), "join");
    }
}

/// Leaving takes nobody's ability, so that what the user did on the other fork is judged first, though it is later.
#[test]
fn to_leave_is_no_power_event() {
    for version in since_version_2() {
        let (mut room, trunk) = Room::new(version);
        let (mut left, mut right) = (trunk.clone(), trunk);
        room.send(&mut left, member("left", MOD, MOD, "leave").at(1));
        room.send(&mut right, member("ban", MOD, BOB, "ban").at(2));

        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(rejected(&resolved), [], "room version {}", version.id);
        assert_eq!(judged(&resolved).last(), Some(&"left"));
        assert_eq!(resolved.state.membership(BOB), "ban");
        assert_eq!(resolved.state.membership(MOD), "leave");
    }
}

/// The later of two power events stands if the earlier one allows it; equal times leave it to the ids.
#[rstest]
#[case::by_time(("rules-b", 1), ("rules-a", 2), "rules-a")]
#[case::by_time_turned(("rules-b", 2), ("rules-a", 1), "rules-b")]
#[case::by_id(("rules-b", 1), ("rules-a", 1), "rules-b")]
fn power_events_of_equals(#[case] left: (&str, i64), #[case] right: (&str, i64), #[case] winner: &str) {
    for version in since_version_2() {
        let (mut room, trunk) = Room::new(version);
        let forks = [left, right].map(|(id, timestamp_ms)| {
            let mut fork = trunk.clone();
            room.send(&mut fork, join_rules(id, ALICE, "knock").at(timestamp_ms));
            fork
        });
        let resolved = room.resolve(&[&forks[0], &forks[1]]);
        assert_eq!(rejected(&resolved), [], "room version {}", version.id);
        assert_eq!(id_at(&resolved.state, "m.room.join_rules", ""), Some(winner));
    }
}

/// The topics rest on the first or the second of two power levels events, or on none; the one that comes later
/// in the mainline ordering wins.
#[rstest]
#[case::newer_mainline_wins(("topic-a", "levels", 9), ("topic-b", "promotion", 1), "topic-b")]
#[case::time_decides_at_the_same_position(("topic-a", "levels", 9), ("topic-b", "levels", 1), "topic-a")]
#[case::id_decides_at_the_same_time(("topic-a", "promotion", 1), ("topic-b", "promotion", 1), "topic-b")]
#[case::no_ancestor_in_the_mainline_is_oldest(("topic-a", "", 9), ("topic-b", "levels", 1), "topic-b")]
#[case::two_without_ancestor_leave_it_to_time(("topic-a", "", 9), ("topic-b", "", 1), "topic-a")]
fn mainline(#[case] left: (&str, &str, i64), #[case] right: (&str, &str, i64), #[case] winner: &str) {
    let (mut room, mut trunk) = Room::new(&V11);
    let promotion = room.levels("promotion", ALICE, &[(MOD, 50), (BOB, 50)]);
    room.send(&mut trunk, promotion);
    let forks = [left, right].map(|(id, levels, timestamp_ms)| {
        let mut fork = trunk.clone();
        let mut auth_events = vec!["create", "alice"];
        auth_events.extend((!levels.is_empty()).then_some(levels));
        room.send(&mut fork, topic(id, ALICE).at(timestamp_ms).resting_on(&auth_events));
        fork
    });
    let resolved = room.resolve(&[&forks[0], &forks[1]]);
    assert_eq!(rejected(&resolved), []);
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some(winner));
}

#[test]
fn a_branch_of_the_mainline_counts_from_where_it_leaves_it() {
    let (mut room, trunk) = Room::new(&V11);
    let (mut left, mut right) = (trunk.clone(), trunk);
    for id in ["branch-1", "branch-2"] {
        let levels = room.levels(id, ALICE, &[(MOD, 50)]).at(1);
        room.send(&mut left, levels);
    }
    room.send(&mut left, topic("topic-a", ALICE).at(9));
    let levels = room.levels("main", ALICE, &[(MOD, 50)]).at(2);
    room.send(&mut right, levels);
    room.send(&mut right, topic("topic-b", ALICE).at(1));

    let resolved = room.resolve(&[&left, &right]);
    assert_eq!(id_at(&resolved.state, "m.room.power_levels", ""), Some("main"));
    assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic-b"), "though it is older");
}

#[test]
fn what_a_power_event_rests_on_is_sorted_with_it() {
    for version in since_version_2() {
        let (mut room, trunk) = Room::new(version);
        let (mut left, right) = (trunk.clone(), trunk);
        room.send(&mut left, member("eve", EVE, EVE, "join"));
        let levels = room.levels("promotion", ALICE, &[(MOD, 50), (EVE, 60)]);
        room.send(&mut left, levels);
        room.send(&mut left, member("ban", EVE, MOD, "ban"));
        room.send(&mut left, topic("topic", EVE));

        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(rejected(&resolved), [], "room version {}", version.id);
        // All that the ban rests on comes before it, by power where the graph leaves a choice.
        let order = judged(&resolved);
        let position = |id: &str| order.iter().position(|judged| *judged == id).unwrap();
        assert!(position("promotion") < position("ban") && position("eve") < position("ban"));
        assert!(position("ban") < position("topic"));
        assert_eq!(resolved.state.membership(MOD), "ban");
        assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic"));
    }
}

/// The offer is in the chains of both states, though in neither state: only as an auth event it can count.
#[rstest]
#[case::accepted(false, Rule::ThirdPartySignature)]
#[case::rejected(true, Rule::ThirdPartyToken)]
fn auth_events_stand_in_for_the_state_unless_rejected(#[case] is_rejected: bool, #[case] rule: Rule) {
    for version in since_version_2() {
        let (mut room, mut trunk) = Room::new(version);
        let offer = Draft::new("offer", ALICE, "m.room.third_party_invite", "token", json!({}));
        room.send(&mut trunk.clone(), offer);
        let invite = |id: &'static str, user_id: &'static str| {
            let signed = json!({"mxid": user_id, "token": "token", "signatures": {}});
            let content = json!({"membership": "invite", "third_party_invite": {"signed": signed}});
            let auth_events = ["alice", "levels", "offer", "create"];
            let known = if version.create_in_auth_events { 4 } else { 3 };
            Draft::new(id, ALICE, "m.room.member", user_id, content).resting_on(&auth_events[..known])
        };
        room.send(&mut trunk, invite("other", "@other:b.org"));
        let (mut left, right) = (trunk.clone(), trunk);
        room.send(&mut left, invite("invite", EVE));
        if is_rejected {
            room.rejected.insert("$offer".to_owned());
        }

        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(judged(&resolved), ["invite"], "room version {}", version.id);
        assert_eq!(rejected(&resolved), [("invite", rule)], "room version {}", version.id);
    }
}

#[test]
fn unconflicted_entries_stand_even_against_newer_events_of_the_difference() {
    for version in since_version_2() {
        let (mut room, mut trunk) = Room::new(version);
        let mut aside = trunk.clone();
        let levels = room.levels("aside", ALICE, &[(MOD, 75)]);
        room.send(&mut aside, levels);
        let topic_aside = topic("topic-a", MOD);
        let aside_topic = room.send(&mut aside, topic_aside);
        room.send(&mut trunk, Draft::new("name", ALICE, "m.room.name", "", json!({"name": "n"})));
        let mut with_topic = trunk.clone();
        with_topic.state.insert(&aside_topic);

        let resolved = room.resolve(&[&trunk, &with_topic]);
        assert!(judged(&resolved).contains(&"aside"), "room version {}", version.id);
        assert_eq!(id_at(&resolved.state, "m.room.power_levels", ""), Some("levels"));
    }
}
