//! What only state resolution v1 does: depth, SHA-1, and the first of a list taken unchecked
//! (rooms/v1/#state-resolution).

use oracle::Rule;
use protocol::RoomVersion;
use serde_json::json;

use super::Scene;
use super::merge::{Merge, NOTHING};
use super::script::{ALICE, BOB, CAROL, DAVE, Script};

const V1: &[&str] = &["1"];

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "v1-topics-of-equal-depth",
        says: "Of topics of equal depth, the one whose event id has the lowest SHA-1 stands.",
        versions: V1,
        play: topics_of_equal_depth,
    },
    Scene {
        name: "v1-power-levels-of-equal-depth",
        says: "Power levels of equal depth climb from the greatest SHA-1 to the lowest.",
        versions: V1,
        play: power_levels_of_equal_depth,
    },
    Scene {
        name: "v1-climbing-stops",
        says: "Bob's power levels fail after Alice took his power; the third ones would be allowed, but are not looked at.",
        versions: V1,
        play: climbing_stops,
    },
    Scene {
        name: "v1-first-is-not-checked",
        says: "Both sets have banned Bob and taken Carol's power, but have a join rule of either: Bob's is the first and taken \
               unchecked, Carol's fails.",
        versions: V1,
        play: first_is_not_checked,
    },
    Scene {
        name: "v1-join-rules-of-equal-depth",
        says: "Join rules of equal depth climb from the greatest SHA-1 to the lowest.",
        versions: V1,
        play: join_rules_of_equal_depth,
    },
    Scene {
        name: "v1-power-levels-before-join-rules",
        says: "Power levels and join rules are contended: Bob's join rule is allowed by the power levels that won.",
        versions: V1,
        play: power_levels_before_join_rules,
    },
    Scene {
        name: "v1-join-rules-before-memberships",
        says: "Two equal join rules and Carol's membership are contended: the rule that won lets her in again.",
        versions: V1,
        play: join_rules_before_memberships,
    },
    Scene {
        name: "v1-deepest-topic-that-is-allowed",
        says: "The deepest topic is by Bob, who is banned, and the next one by Carol, who never had power: Alice's, the \
               least deep, stands.",
        versions: V1,
        play: deepest_topic_that_is_allowed,
    },
    Scene {
        name: "v1-no-topic-is-allowed",
        says: "Both topics are by Bob, whom both sets have banned: none passes, and there is none.",
        versions: V1,
        play: no_topic_is_allowed,
    },
    Scene {
        name: "v1-reset-to-a-former-member",
        says: "Carol's ban is by Bob, whom the new power levels leave without power: resolving her membership begins with \
               her old join.",
        versions: V1,
        play: former_member,
    },
];

fn topics_of_equal_depth(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .deep(20)
        .topic("lowest", BOB)
        .after(["carol"])
        .deep(20)
        .sha1_above("lowest")
        .topic("higher", BOB)
        .merge(["lowest", "higher"])
        .topic("lowest")
}

fn power_levels_of_equal_depth(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .deep(20)
        .levels("greatest", ALICE, json!({BOB: 50, CAROL: 1}))
        .after(["carol"])
        .deep(20)
        .sha1_below("greatest")
        .levels("lowest", ALICE, json!({BOB: 50, CAROL: 2}))
        .merge(["greatest", "lowest"])
        .levels("lowest")
}

fn climbing_stops(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .deep(20)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .after(["carol"])
        .deep(21)
        .levels("coup", BOB, json!({BOB: 50, CAROL: 50}))
        .after(["carol"])
        .deep(22)
        .levels("third", ALICE, json!({BOB: 0, CAROL: 3}))
        .merge(["demotion", "coup", "third"])
        .levels("demotion")
        .rejects("coup", Rule::RequiredPowerLevel)
}

fn first_is_not_checked(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version)
        .levels("trust", ALICE, json!({BOB: 50, CAROL: 50}))
        .deep(20)
        .join_rule("by-bob", BOB, "invite")
        .after(["trust"])
        .deep(21)
        .join_rule("by-carol", CAROL, "invite")
        .after(["trust"])
        .ban("ban", ALICE, BOB)
        .levels("demotion", ALICE, json!({}));
    let sets = [script.state_with("demotion", ["by-bob"]), script.state_with("demotion", ["by-carol"])];
    script.resolve(sets).join_rule("by-bob").rejects("by-carol", Rule::RequiredPowerLevel)
}

fn join_rules_of_equal_depth(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .deep(20)
        .join_rule("greatest", ALICE, "invite")
        .after(["carol"])
        .deep(20)
        .sha1_below("greatest")
        .join_rule("lowest", ALICE, "private")
        .merge(["greatest", "lowest"])
        .join_rule("lowest")
}

fn power_levels_before_join_rules(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("other-levels", ALICE, json!({BOB: 60}))
        .join_rule("by-alice", ALICE, "invite")
        .after(["carol"])
        .deep(20)
        .join_rule("by-bob", BOB, "invite")
        .merge(["by-alice", "by-bob"])
        .levels("other-levels")
        .join_rule("by-bob")
}

fn join_rules_before_memberships(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .member("left", CAROL, CAROL, "leave")
        .join_rule("other-rule", ALICE, "public")
        .after(["carol"])
        .deep(20)
        .rename("renamed", CAROL)
        .merge(["other-rule", "renamed"])
        .join_rule("other-rule")
        .member(CAROL, "renamed")
}

fn deepest_topic_that_is_allowed(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version)
        .levels("trust", ALICE, json!({BOB: 50, CAROL: 50}))
        .deep(22)
        .topic("by-bob", BOB)
        .after(["trust"])
        .deep(21)
        .topic("by-carol", CAROL)
        .after(["trust"])
        .deep(20)
        .topic("by-alice", ALICE)
        .ban("ban", ALICE, BOB)
        .levels("demotion", ALICE, json!({}));
    let sets = ["by-bob", "by-carol", "by-alice"].map(|topic| script.state_with("demotion", [topic]));
    script
        .resolve(sets)
        .topic("by-alice")
        .rejects("by-bob", Rule::SenderNotJoined)
        .rejects("by-carol", Rule::RequiredPowerLevel)
}

fn no_topic_is_allowed(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version).topic("first", BOB).topic("second", BOB).ban("ban", ALICE, BOB);
    let sets = ["first", "second"].map(|topic| script.state_with("ban", [topic]));
    script
        .resolve(sets)
        .topic(NOTHING)
        .rejects("first", Rule::SenderNotJoined)
        .rejects("second", Rule::SenderNotJoined)
}

fn former_member(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version).ban("ban", BOB, CAROL).levels("demotion", ALICE, json!({DAVE: 50}));
    let sets = [script.state_after("demotion"), script.state_with("demotion", ["carol"])];
    script.resolve(sets).levels("demotion").member(CAROL, "carol").rejects("ban", Rule::BanOtherwise)
}
