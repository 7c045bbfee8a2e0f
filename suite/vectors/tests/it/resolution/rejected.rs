//! Events that were rejected or soft-failed on receipt (rooms/v2/#rejected-events).

use oracle::Rule;
use protocol::RoomVersion;
use serde_json::json;

use super::merge::{Merge, NOTHING};
use super::script::{ALICE, BOB, CAROL, DAVE, Script};
use super::{ALL, SINCE_V2, Scene};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "auth-event-is-used",
        says: "One set lacks Dave, who told a new name when the room was closed already: his membership is checked by the one \
               among its auth events, and stands.",
        versions: SINCE_V2,
        play: auth_event_is_used,
    },
    Scene {
        name: "rejected-auth-event-is-not-used",
        says: "As before, but Dave's first join was rejected: nothing lets him into a closed room.",
        versions: SINCE_V2,
        play: rejected_auth_event_is_not_used,
    },
    Scene {
        name: "event-rejected-by-its-state-takes-part",
        says: "Bob's topic was rejected, because he had been demoted before, though not by its auth events. A set has it \
               nevertheless, without the demotion: it is handled as usual.",
        versions: ALL,
        play: rejected_by_its_state,
    },
    Scene {
        name: "soft-failed-event-takes-part",
        says: "Bob's topic comes when Carol banned him already, and is soft-failed; then Carol's power turns out to have been \
               taken, and the topic stands.",
        versions: ALL,
        play: soft_failed,
    },
    Scene {
        name: "what-follows-a-rejected-event-stands",
        says: "Bob's power levels were rejected, as he had been demoted; Alice goes on after them, and what she does does not \
               rest on them.",
        versions: ALL,
        play: after_a_rejected_event,
    },
];

/// Dave told a new name in `renamed`, when the room was closed; his topic is in both sets, and so his first join is in
/// both auth chains.
fn renamed_in_a_closed_room(version: &'static RoomVersion) -> Script {
    Script::plain(version)
        .levels("trust", ALICE, json!({BOB: 50, DAVE: 50}))
        .join("dave", DAVE)
        .topic("topic", DAVE)
        .join_rule("closed", ALICE, "invite")
        .rename("renamed", DAVE)
}

fn auth_event_is_used(version: &'static RoomVersion) -> Merge {
    let script = renamed_in_a_closed_room(version);
    let sets = [script.state_after("renamed"), script.state_without("renamed", ["renamed"])];
    script.resolve(sets).member(DAVE, "renamed").remaining_events("renamed")
}

fn rejected_auth_event_is_not_used(version: &'static RoomVersion) -> Merge {
    let script = renamed_in_a_closed_room(version).reject("dave");
    let sets = [script.state_after("renamed"), script.state_without("renamed", ["renamed"])];
    script
        .resolve(sets)
        .member(DAVE, NOTHING)
        .remaining_events("renamed")
        .rejects("renamed", Rule::JoinOtherwise)
}

fn rejected_by_its_state(version: &'static RoomVersion) -> Merge {
    let script = Script::plain(version)
        .topic("old", BOB)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .authorized_by(by_levels_and_bob(version))
        .rejected()
        .topic("new", BOB);
    let sets = [script.state_after("old"), script.state_with("old", ["new"])];
    script.resolve(sets).topic("new").since_v2(|merge| merge.remaining_events("old new"))
}

/// The auth events of what Bob sent before his demotion.
fn by_levels_and_bob(version: &RoomVersion) -> &'static [&'static str] {
    if version.create_in_auth_events { &["create", "levels", "bob"] } else { &["levels", "bob"] }
}

fn soft_failed(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("trust", ALICE, json!({BOB: 50, CAROL: 60}))
        .ban("ban", CAROL, BOB)
        .after(["trust"])
        .topic("topic", BOB)
        .after(["trust"])
        .levels("demotion", ALICE, json!({BOB: 50}))
        .merge(["ban", "topic", "demotion"])
        .levels("demotion")
        .member(BOB, "bob")
        .topic("topic")
        .rejects("ban", Rule::BanOtherwise)
}

fn after_a_rejected_event(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .authorized_by(by_levels_and_bob(version))
        .rejected()
        .levels("coup", BOB, json!({BOB: 50, CAROL: 50}))
        .topic("after", ALICE)
        .after(["demotion"])
        .deep(7)
        .at(5_000)
        .topic("beside", ALICE)
        .merge(["after", "beside"])
        .levels("demotion")
        .topic("after")
        .since_v2(|merge| merge.full_conflicted_set("beside after").remaining_events("beside after"))
}
