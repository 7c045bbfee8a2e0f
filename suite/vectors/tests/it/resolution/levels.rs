//! Power levels that change on both sides, and the reverse topological power ordering.

use oracle::Rule;
use protocol::RoomVersion;
use serde_json::json;

use super::merge::{Merge, NOTHING};
use super::script::{ALICE, BOB, CAROL, DAVE, Script};
use super::{ALL, SINCE_V2, Scene};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "demotion-beats-topic",
        says: "Bob changes the topic while Alice takes his power: the topic is as before.",
        versions: ALL,
        play: demotion_and_topic,
    },
    Scene {
        name: "power-levels-of-the-mightier-come-first",
        says: "Alice takes Bob's power while he gives some to Carol, with a time long before: nobody has power.",
        versions: ALL,
        play: mightier_and_weaker,
    },
    Scene {
        name: "power-levels-of-equals-by-time",
        says: "Bob and Carol, of equal power, change the levels on two sides: the later change stands.",
        versions: ALL,
        play: equals_by_time,
    },
    Scene {
        name: "power-levels-of-equals-by-event-id",
        says: "As before, but both changes have the same time: the one with the greater event id stands.",
        versions: SINCE_V2,
        play: equals_by_event_id,
    },
    Scene {
        name: "power-levels-war-of-three",
        says: "Alice takes Bob's power, Bob gives power to Dave, Carol raises the level for topics and restores Bob's on the \
               way: Alice is first and Bob fails, but Carol's levels are allowed after Alice's. In v1, nothing is looked at \
               after the first failure.",
        versions: ALL,
        play: war_of_three,
    },
    Scene {
        name: "own-demotion-before-promotion",
        says: "Bob gives up his power and, on another side and later, gives some to Carol: it was not his to give any more.",
        versions: SINCE_V2,
        play: own_demotion,
    },
    Scene {
        name: "chain-of-promotions-falls",
        says: "Bob promotes Carol, she promotes Dave, he changes the topic; meanwhile Alice takes Bob's power: all of it falls.",
        versions: ALL,
        play: chain_of_promotions,
    },
    Scene {
        name: "topology-beats-power",
        says: "Alice's power levels are based on Bob's and contend with Carol's: although hers is the greater power, his come first.",
        versions: SINCE_V2,
        play: topology_and_power,
    },
    Scene {
        name: "power-levels-that-no-set-has",
        says: "Bob gives Carol power, who uses it to change the levels again, while Alice bans Carol: what stands is Bob's \
               event, which is in no set but in the auth difference.",
        versions: ALL,
        play: levels_of_no_set,
    },
    Scene {
        name: "power-event-brings-forward-what-it-needs",
        says: "Bob's membership changes, then he kicks Carol; meanwhile, but long before by his clock, he leaves: the \
               membership that the kick needs is resolved with the power events, so that his departure comes after it.",
        versions: SINCE_V2,
        play: power_event_and_membership,
    },
    Scene {
        name: "kick-by-one-whose-join-falls",
        says: "Dave joins and kicks Carol while the room is closed: his join falls, but since no membership of his is \
               in the state, the kick is judged by the one among its auth events, and stands.",
        versions: ALL,
        play: kick_by_one_whose_join_falls,
    },
];

/// A room in which Bob and Carol have equal power, and in which both sides of a fork rest on both memberships.
fn two_moderators(version: &'static RoomVersion) -> Script {
    Script::plain(version)
        .levels("equal", ALICE, json!({BOB: 50, CAROL: 50}))
        .state("name", BOB, "m.room.name", "", json!({"name": "a room"}))
        .topic("topic", CAROL)
}

fn demotion_and_topic(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("old", ALICE)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .after(["old"])
        .topic("new", BOB)
        .merge(["demotion", "new"])
        .levels("demotion")
        .topic("old")
        .in_v2(|merge| merge.power_events("levels demotion"))
        .in_v2_1(|merge| merge.power_events("levels rule demotion"))
        .since_v2(|merge| merge.mainline("demotion levels").remaining_events("bob old new"))
        .rejects("new", Rule::RequiredPowerLevel)
}

fn mightier_and_weaker(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .after(["carol"])
        .at(0)
        .deep(20)
        .levels("coup", BOB, json!({BOB: 50, CAROL: 50}))
        .merge(["demotion", "coup"])
        .levels("demotion")
        .since_v2(|merge| merge.full_conflicted_set("demotion bob coup").power_events("demotion bob coup"))
        .rejects("coup", Rule::RequiredPowerLevel)
}

fn equals_by_time(version: &'static RoomVersion) -> Merge {
    two_moderators(version)
        .at(50_000)
        .deep(20)
        .levels("by-bob", BOB, json!({BOB: 50, CAROL: 50, DAVE: 10}))
        .after(["topic"])
        .at(50_001)
        .deep(19)
        .id_below("by-bob")
        .levels("by-carol", CAROL, json!({BOB: 50, CAROL: 50, DAVE: 20}))
        .merge(["by-bob", "by-carol"])
        .in_v1(|merge| merge.levels("by-bob"))
        .since_v2(|merge| merge.levels("by-carol").power_events("by-bob by-carol"))
}

fn equals_by_event_id(version: &'static RoomVersion) -> Merge {
    two_moderators(version)
        .at(50_000)
        .levels("by-bob", BOB, json!({BOB: 50, CAROL: 50, DAVE: 10}))
        .after(["topic"])
        .at(50_000)
        .id_below("by-bob")
        .levels("by-carol", CAROL, json!({BOB: 50, CAROL: 50, DAVE: 20}))
        .merge(["by-bob", "by-carol"])
        .levels("by-bob")
        .power_events("by-carol by-bob")
}

fn war_of_three(version: &'static RoomVersion) -> Merge {
    two_moderators(version)
        .at(50_000)
        .deep(20)
        .levels("demotion", ALICE, json!({BOB: 0, CAROL: 50}))
        .after(["topic"])
        .at(40_000)
        .deep(21)
        .levels("promotion", BOB, json!({BOB: 50, CAROL: 50, DAVE: 50}))
        .after(["topic"])
        .at(45_000)
        .deep(22)
        .levels_with("stricter", CAROL, json!({BOB: 50, CAROL: 50}), json!({"events": {"m.room.topic": 50}}))
        .merge(["demotion", "promotion", "stricter"])
        .in_v1(|merge| merge.levels("demotion"))
        .since_v2(|merge| merge.levels("stricter").power_events("demotion promotion stricter"))
        .rejects("promotion", Rule::RequiredPowerLevel)
}

fn own_demotion(version: &'static RoomVersion) -> Merge {
    two_moderators(version)
        .at(50_000)
        .levels("promotion", BOB, json!({BOB: 50, CAROL: 50, DAVE: 50}))
        .after(["topic"])
        .at(49_999)
        .levels("resignation", BOB, json!({BOB: 0, CAROL: 50}))
        .merge(["promotion", "resignation"])
        .levels("resignation")
        .power_events("resignation promotion")
        .rejects("promotion", Rule::RequiredPowerLevel)
}

fn chain_of_promotions(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .join("dave", DAVE)
        .topic("old", ALICE)
        .levels("first", BOB, json!({BOB: 50, CAROL: 50}))
        .levels("second", CAROL, json!({BOB: 50, CAROL: 50, DAVE: 50}))
        .topic("new", DAVE)
        .after(["old"])
        .levels("demotion", ALICE, json!({BOB: 0}))
        .merge(["new", "demotion"])
        .levels("demotion")
        .topic("old")
        .since_v2(|merge| merge.rejects("first", Rule::RequiredPowerLevel))
        .since_v2(|merge| merge.power_events("demotion bob first carol second").mainline("demotion levels"))
        .rejects("second", Rule::RequiredPowerLevel)
        .rejects("new", Rule::RequiredPowerLevel)
}

fn topology_and_power(version: &'static RoomVersion) -> Merge {
    two_moderators(version)
        .levels("by-bob", BOB, json!({BOB: 50, CAROL: 50, DAVE: 10}))
        .levels("by-alice", ALICE, json!({BOB: 50, CAROL: 50, DAVE: 20}))
        .after(["topic"])
        .at(1)
        .levels("other", CAROL, json!({BOB: 50, CAROL: 50, DAVE: 30}))
        .merge(["by-alice", "other"])
        .levels("by-alice")
        .power_events("other by-bob by-alice")
}

fn levels_of_no_set(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("promotion", BOB, json!({BOB: 50, CAROL: 50}))
        .levels("last", CAROL, json!({BOB: 50, CAROL: 50, DAVE: 10}))
        .after(["carol"])
        .ban("ban", ALICE, CAROL)
        .merge(["last", "ban"])
        .member(CAROL, "ban")
        .in_v1(|merge| merge.levels("levels"))
        .since_v2(|merge| merge.levels("promotion"))
        .in_v2(|merge| merge.power_events("levels bob promotion carol ban last"))
        .rejects("last", Rule::SenderNotJoined)
}

fn power_event_and_membership(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .at(90_000)
        .rename("renamed", BOB)
        .kick("kick", BOB, CAROL)
        .after(["carol"])
        .at(10_000)
        .member("left", BOB, BOB, "leave")
        .merge(["kick", "left"])
        .member(BOB, "left")
        .member(CAROL, "kick")
        .power_events("renamed carol kick")
        .remaining_events("left")
}

fn kick_by_one_whose_join_falls(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("trust", ALICE, json!({BOB: 50, DAVE: 50}))
        .join("dave", DAVE)
        .kick("kick", DAVE, CAROL)
        .after(["trust"])
        .join_rule("closed", ALICE, "invite")
        .merge(["kick", "closed"])
        .join_rule("closed")
        .member(CAROL, "kick")
        .in_v1(|merge| merge.member(DAVE, "dave"))
        .since_v2(|merge| merge.member(DAVE, NOTHING).power_events("rule closed dave carol kick"))
        .since_v2(|merge| merge.rejects("dave", Rule::JoinOtherwise).rejects("carol", Rule::JoinOtherwise))
}
