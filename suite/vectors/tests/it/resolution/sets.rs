//! How many sets there are, what they lack, and how they are grouped.

use oracle::Rule;
use protocol::RoomVersion;
use serde_json::json;

use super::merge::{Merge, NOTHING};
use super::script::{ALICE, BOB, CAROL, Script};
use super::{ALL, Scene};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "one-set", says: "One state resolves to itself.", versions: ALL, play: one_set },
    Scene {
        name: "equal-sets",
        says: "Equal states resolve to themselves: nothing is in conflict.",
        versions: ALL,
        play: equal_sets,
    },
    Scene {
        name: "repeated-sets",
        says: "Two states, one of them three times: repetition does not count, it is as with each once.",
        versions: ALL,
        play: repeated_sets,
    },
    Scene {
        name: "three-sets",
        says: "Bob's topic, his ban, and Alice's topic on three sides: Alice's topic stands.",
        versions: ALL,
        play: three_sets,
    },
    Scene {
        name: "two-of-three-sets-agree",
        says: "An event that two of three sets have is in conflict like any other: the demotion that only the third one has \
               takes it away. In v1, one that only the others lack is not in conflict.",
        versions: ALL,
        play: two_agree,
    },
    Scene {
        name: "entry-that-one-set-lacks",
        says: "Only one side has a topic, by Bob, whom the other side demoted: since v2 it is in conflict and falls, in v1 \
               different events have to contend for the place.",
        versions: ALL,
        play: missing_entry,
    },
    Scene {
        name: "entry-that-one-set-lacks-and-nobody-contests",
        says: "Only one side has a topic, and nothing speaks against it: it stands.",
        versions: ALL,
        play: uncontested_missing_entry,
    },
    Scene {
        name: "unconflicted-state-beats-auth-difference",
        says: "All sets have the second power levels, but the topic of one rests on the first, which contended with them \
               before: from the auth difference, the first ones take part, lead the mainline, and give way in the end.",
        versions: ALL,
        play: unconflicted_state_and_auth_difference,
    },
    Scene {
        name: "two-create-events",
        says: "Two states that have nothing in common, not even the create event: both are checked by the rules alone, and \
               the later one replaces the other.",
        versions: &["2", "6", "10", "11"],
        play: two_create_events,
    },
    Scene {
        name: "regrouping-all-three",
        says: "Carol bans Bob, he changes the topic, Alice takes Carol's power: the ban falls, so that Bob's topic stands.",
        versions: ALL,
        play: all_three,
    },
    Scene {
        name: "regrouping-two-of-three",
        says: "Of these three sides, the first two alone: the ban stands and the topic falls.",
        versions: ALL,
        play: two_of_three,
    },
    Scene {
        name: "regrouping-their-result-with-the-third",
        says: "What the first two resolve to, with the third: Bob is back, his topic is not. State resolution is not \
               associative.",
        versions: ALL,
        play: result_with_the_third,
    },
];

fn one_set(version: &'static RoomVersion) -> Merge {
    Script::plain(version).topic("topic", BOB).merge(["topic"]).topic("topic")
}

fn equal_sets(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("topic", BOB)
        .merge(["topic", "topic"])
        .topic("topic")
        .full_conflicted_set("")
        .in_v2(|merge| merge.mainline("levels"))
        .in_v2_1(|merge| merge.mainline(""))
}

fn repeated_sets(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("old", ALICE)
        .ban("ban", ALICE, BOB)
        .after(["old"])
        .topic("new", BOB)
        .merge(["new", "ban", "new", "new"])
        .member(BOB, "ban")
        .topic("old")
        .since_v2(|merge| merge.full_conflicted_set("bob ban old new"))
        .rejects("new", Rule::SenderNotJoined)
}

fn three_sets(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("by-bob", BOB)
        .after(["carol"])
        .ban("ban", ALICE, BOB)
        .after(["carol"])
        .topic("by-alice", ALICE)
        .merge(["by-bob", "ban", "by-alice"])
        .member(BOB, "ban")
        .topic("by-alice")
        .since_v2(|merge| merge.power_events("bob ban").remaining_events("by-bob by-alice"))
        .since_v2(|merge| merge.rejects("by-bob", Rule::SenderNotJoined))
}

fn two_agree(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("topic", BOB)
        .state("name", BOB, "m.room.name", "", json!({"name": "a room"}))
        .after(["carol"])
        .levels("demotion", ALICE, json!({BOB: 0}))
        .merge(["topic", "name", "demotion"])
        .levels("demotion")
        .in_v1(|merge| merge.topic("topic").at("m.room.name", "", "name"))
        .since_v2(|merge| merge.topic(NOTHING).at("m.room.name", "", NOTHING))
        .since_v2(|merge| merge.remaining_events("bob topic name"))
        .since_v2(|merge| merge.rejects("topic", Rule::RequiredPowerLevel))
        .since_v2(|merge| merge.rejects("name", Rule::RequiredPowerLevel))
}

fn missing_entry(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("topic", BOB)
        .after(["carol"])
        .levels("demotion", ALICE, json!({BOB: 0}))
        .merge(["topic", "demotion"])
        .levels("demotion")
        .in_v1(|merge| merge.topic("topic"))
        .since_v2(|merge| merge.topic(NOTHING).rejects("topic", Rule::RequiredPowerLevel))
}

fn uncontested_missing_entry(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("topic", BOB)
        .merge(["topic", "carol"])
        .topic("topic")
        .since_v2(|merge| merge.full_conflicted_set("topic bob").remaining_events("bob topic"))
}

fn unconflicted_state_and_auth_difference(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("first", ALICE, json!({BOB: 60}))
        .topic("on-first", BOB)
        .after(["carol"])
        .deep(20)
        .levels("second", ALICE, json!({BOB: 50, CAROL: 50}))
        .after(["on-first", "second"])
        .state("name", ALICE, "m.room.name", "", json!({"name": "a room"}))
        .topic("on-second", BOB)
        .merge(["name", "on-second"])
        .levels("second")
        .in_v1(|merge| merge.topic("on-second"))
        .since_v2(|merge| merge.topic("on-first").full_conflicted_set("first on-first on-second"))
        .since_v2(|merge| merge.power_events("first").mainline("first levels"))
        .since_v2(|merge| merge.remaining_events("on-second on-first"))
}

fn two_create_events(version: &'static RoomVersion) -> Merge {
    Script::new(version)
        .after([])
        .create("other", json!({}))
        .join("alice-again", ALICE)
        .merge(["alice", "alice-again"])
        .at("m.room.create", "", "other")
        .member(ALICE, "alice-again")
        .power_events("")
        .mainline("")
        .remaining_events("create alice other alice-again")
}

/// Carol bans Bob in `ban`, Bob changes the topic in `new`, Alice takes Carol's power in `demotion`.
fn three_sides(version: &'static RoomVersion) -> Script {
    Script::plain(version)
        .levels("trust", ALICE, json!({BOB: 50, CAROL: 60}))
        .topic("old", ALICE)
        .ban("ban", CAROL, BOB)
        .after(["old"])
        .topic("new", BOB)
        .after(["old"])
        .levels("demotion", ALICE, json!({BOB: 50}))
}

fn all_three(version: &'static RoomVersion) -> Merge {
    three_sides(version)
        .merge(["ban", "new", "demotion"])
        .levels("demotion")
        .member(BOB, "bob")
        .topic("new")
        .since_v2(|merge| merge.power_events("trust demotion bob carol ban").remaining_events("old new"))
        .rejects("ban", Rule::BanOtherwise)
}

fn two_of_three(version: &'static RoomVersion) -> Merge {
    three_sides(version)
        .merge(["ban", "new"])
        .levels("trust")
        .member(BOB, "ban")
        .topic("old")
        .since_v2(|merge| merge.power_events("bob carol ban").remaining_events("old new"))
        .rejects("new", Rule::SenderNotJoined)
}

fn result_with_the_third(version: &'static RoomVersion) -> Merge {
    let of_two = two_of_three(version).resolution.state;
    let script = three_sides(version);
    let third = script.state_after("demotion");
    let merge = script
        .resolve([of_two, third])
        .levels("demotion")
        .member(BOB, "bob")
        .topic("old")
        .rejects("ban", Rule::BanOtherwise);
    assert_ne!(merge.resolution.state, all_three(version).resolution.state);
    merge
}
