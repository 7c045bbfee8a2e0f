//! State that falls back to what it was: what v1 and v2 are known for, and v2.1 was made against
//! (rooms/v1/#state-resolution, rooms/v12/#state-resolution).

use oracle::Rule;
use protocol::RoomVersion;
use serde_json::json;

use super::merge::{Merge, NOTHING};
use super::script::{ALICE, BOB, CAROL, DAVE, Script};
use super::{EVERY_FORMAT, SINCE_V2, Scene};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "reset-of-join-rules",
        says: "Bob set the join rules twice and left; one set has the first rule still. v1 falls back to it, v2 is left \
               without any, since Bob is gone in both sets; v2.1 starts from nothing and finds Bob by the auth events.",
        versions: EVERY_FORMAT,
        play: join_rules,
    },
    Scene {
        name: "reset-of-power-levels",
        says: "Carol, promoted by the second power levels, sent the third; one set has the first still, and both rest on the \
               second. v1 and v2 fall back to the first, under which Carol has no power; v2.1 takes in the second, which lies \
               between.",
        versions: EVERY_FORMAT,
        play: power_levels,
    },
    Scene {
        name: "reset-of-topic",
        says: "Two topics by Bob contend, who was banned since in both sets: v2 is left without any.",
        versions: SINCE_V2,
        play: topic,
    },
    Scene {
        name: "reset-of-membership",
        says: "Dave joined before the room was closed, and one set lacks him: in v2 he is out of the room.",
        versions: EVERY_FORMAT,
        play: membership,
    },
    Scene {
        name: "subgraph-brings-in-a-membership",
        says: "Power levels by Dave contend with older ones; both sets agree that he has left since. v2 does not let him send \
               them; in v2.1 his join is between the two and is resolved with them.",
        versions: SINCE_V2,
        play: membership_in_the_subgraph,
    },
];

fn join_rules(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version)
        .join_rule("first", BOB, "invite")
        .join_rule("second", BOB, "public")
        .member("left", BOB, BOB, "leave");
    let sets = [script.state_with("left", ["first"]), script.state_after("left")];
    script
        .resolve(sets)
        .member(BOB, "left")
        .in_v1(|merge| merge.join_rule("first"))
        .in_v2(|merge| merge.join_rule(NOTHING).rejects("first", Rule::SenderNotJoined))
        .in_v2_1(|merge| merge.join_rule("second"))
        .since_v2(|merge| merge.full_conflicted_set("first second").power_events("first second"))
        .in_v1(|merge| merge.rejects("second", Rule::SenderNotJoined))
        .in_v2(|merge| merge.rejects("second", Rule::SenderNotJoined))
}

fn power_levels(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version)
        .levels("second", ALICE, json!({BOB: 50, CAROL: 50}))
        .topic("topic", CAROL)
        .levels("third", CAROL, json!({BOB: 50, CAROL: 50, DAVE: 10}));
    let sets = [script.state_with("third", ["levels"]), script.state_after("third")];
    script
        .resolve(sets)
        .in_v1(|merge| merge.levels("levels").rejects("third", Rule::RequiredPowerLevel))
        .in_v2(|merge| merge.levels("levels").rejects("third", Rule::RequiredPowerLevel))
        .in_v2(|merge| merge.power_events("levels third"))
        .in_v2_1(|merge| merge.levels("third").power_events("levels rule second carol third"))
}

fn topic(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version)
        .topic("first", BOB)
        .after(["carol"])
        .topic("second", BOB)
        .after(["carol"])
        .ban("ban", ALICE, BOB);
    let sets = [script.state_with("ban", ["first"]), script.state_with("ban", ["second"])];
    script
        .resolve(sets)
        .member(BOB, "ban")
        .in_v2(|merge| merge.topic(NOTHING).rejects("first", Rule::SenderNotJoined))
        .in_v2(|merge| merge.rejects("second", Rule::SenderNotJoined))
        .in_v2_1(|merge| merge.topic("second"))
        .since_v2(|merge| merge.remaining_events("first second"))
}

fn membership(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version).join("dave", DAVE).join_rule("closed", ALICE, "invite");
    let sets = [script.state_after("closed"), script.state_without("closed", ["dave"])];
    script
        .resolve(sets)
        .join_rule("closed")
        .in_v1(|merge| merge.member(DAVE, "dave"))
        .in_v2(|merge| merge.member(DAVE, NOTHING).rejects("dave", Rule::JoinOtherwise))
        .in_v2_1(|merge| merge.member(DAVE, "dave"))
        .since_v2(|merge| merge.full_conflicted_set("dave"))
}

fn membership_in_the_subgraph(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version)
        .levels("second", ALICE, json!({BOB: 50, DAVE: 50}))
        .join("dave", DAVE)
        .levels("third", DAVE, json!({BOB: 50, CAROL: 10, DAVE: 50}))
        .member("left", DAVE, DAVE, "leave");
    let sets = [script.state_with("left", ["second"]), script.state_after("left")];
    script
        .resolve(sets)
        .member(DAVE, "left")
        .in_v2(|merge| merge.levels("second").rejects("third", Rule::SenderNotJoined))
        .in_v2(|merge| merge.full_conflicted_set("second third"))
        .in_v2_1(|merge| merge.levels("third").full_conflicted_set("second dave third"))
}
