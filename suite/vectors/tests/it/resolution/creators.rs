//! Those who made the room, and how mighty they are (rooms/v12/#authorisation-rules).

use oracle::Rule;
use protocol::RoomVersion;
use serde_json::json;

use super::merge::Merge;
use super::script::{ALICE, BOB, CAROL, DAVE, Script};
use super::{SINCE_V2, Scene};

/// The greatest power level that power levels can give.
const GREATEST: i64 = (1 << 53) - 1;

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "creator-and-the-greatest-level",
        says: "Alice made the room, and Bob has the greatest level that there is: up to room version 11 his join rules come first, \
               since room version 12 hers do.",
        versions: &["2", "6", "10", "11", "12"],
        play: creator_and_greatest_level,
    },
    Scene {
        name: "creator-takes-the-greatest-level",
        says: "Alice takes the greatest level from Bob while he bans Carol, long before by his clock.",
        versions: &["12"],
        play: creator_takes_greatest_level,
    },
    Scene {
        name: "creators-among-themselves",
        says: "Alice, who made the room, and Dave, an additional creator, are equally mighty: time decides between them, and both \
               come before Bob.",
        versions: &["12"],
        play: creators_among_themselves,
    },
    Scene {
        name: "creator-without-power-levels",
        says: "Alice's first join rule rests on no power levels, so that she has 100 by making the room; her second one rests on \
               levels that give her 99, and comes after it in spite of its time. Since room version 12 she has infinite power in \
               both, and time decides.",
        versions: SINCE_V2,
        play: creator_without_power_levels,
    },
];

fn creator_and_greatest_level(version: &'static RoomVersion) -> Merge {
    Script::new(version)
        .levels("levels", ALICE, json!({BOB: GREATEST}))
        .join_rule("rule", ALICE, "public")
        .join("bob", BOB)
        .topic("topic", BOB)
        .at(90_000)
        .join_rule("by-alice", ALICE, "invite")
        .after(["topic"])
        .at(10_000)
        .join_rule("by-bob", BOB, "knock")
        .merge(["by-alice", "by-bob"])
        .in_v2(|merge| merge.join_rule("by-alice").power_events("by-bob by-alice"))
        .in_v2_1(|merge| merge.join_rule("by-bob").power_events("by-alice by-bob"))
}

fn creator_takes_greatest_level(version: &'static RoomVersion) -> Merge {
    Script::new(version)
        .levels("levels", ALICE, json!({BOB: GREATEST}))
        .join_rule("rule", ALICE, "public")
        .join("bob", BOB)
        .join("carol", CAROL)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .after(["carol"])
        .at(0)
        .ban("ban", BOB, CAROL)
        .merge(["demotion", "ban"])
        .levels("demotion")
        .member(CAROL, "carol")
        .power_events("levels rule demotion bob carol ban")
        .rejects("ban", Rule::BanOtherwise)
}

/// A public room of Alice with Dave as an additional creator, in which Bob has level 100.
fn two_creators(version: &'static RoomVersion) -> Script {
    Script::empty(version)
        .create("create", json!({"additional_creators": [DAVE]}))
        .join("alice", ALICE)
        .levels("levels", ALICE, json!({BOB: 100}))
        .join_rule("rule", ALICE, "public")
        .join("bob", BOB)
        .join("dave", DAVE)
        .topic("topic", BOB)
}

fn creators_among_themselves(version: &'static RoomVersion) -> Merge {
    two_creators(version)
        .state("name", DAVE, "m.room.name", "", json!({"name": "a room"}))
        .at(50_000)
        .ban("by-alice", ALICE, CAROL)
        .after(["name"])
        .at(49_999)
        .id_above("by-alice")
        .ban("by-dave", DAVE, CAROL)
        .after(["name"])
        .at(0)
        .ban("by-bob", BOB, CAROL)
        .merge(["by-alice", "by-dave", "by-bob"])
        .member(CAROL, "by-bob")
        .power_events("by-dave by-alice by-bob")
}

fn creator_without_power_levels(version: &'static RoomVersion) -> Merge {
    let users = if version.privileged_creators { json!({}) } else { json!({ALICE: 99}) };
    Script::new(version)
        .at(90_000)
        .join_rule("first", ALICE, "public")
        .after(["alice"])
        .at(10_000)
        .state("levels", ALICE, "m.room.power_levels", "", json!({"users": users}))
        .at(20_000)
        .join_rule("second", ALICE, "invite")
        .merge(["first", "second"])
        .levels("levels")
        .in_v2(|merge| merge.join_rule("second").power_events("levels first second"))
        .in_v2_1(|merge| merge.join_rule("first").power_events("levels second first"))
}
