//! The mainline, and the order of what is no power event.

use protocol::RoomVersion;
use serde_json::json;

use super::merge::Merge;
use super::script::{ALICE, BOB, CAROL, DAVE, Script};
use super::{ALL, SINCE_V2, Scene};

/// The greatest and the least number of canonical JSON (appendices/#canonical-json).
const GREATEST: i64 = (1 << 53) - 1;
const LEAST: i64 = -GREATEST;

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "topics-by-time",
        says: "Two topics based on the same power levels: the later one stands, although its event id is less. v1 takes the \
               deeper one.",
        versions: ALL,
        play: topics_by_time,
    },
    Scene {
        name: "topics-by-event-id",
        says: "Two topics based on the same power levels and with the same time: the one with the greater event id stands.",
        versions: SINCE_V2,
        play: topics_by_event_id,
    },
    Scene {
        name: "mainline-beats-time",
        says: "A topic based on the new power levels stands against one based on the old ones, although it is older.",
        versions: SINCE_V2,
        play: mainline_and_time,
    },
    Scene {
        name: "mainline-without-contended-power-levels",
        says: "As before, but all sets have the new power levels: in v2.1 they are not in the partially resolved state, so that \
               there is no mainline and time decides.",
        versions: SINCE_V2,
        play: uncontended_power_levels,
    },
    Scene {
        name: "mainline-of-lost-power-levels",
        says: "Bob's power levels lose to Alice's, so that the topic above them counts from what both are based on.",
        versions: SINCE_V2,
        play: lost_power_levels,
    },
    Scene {
        name: "mainline-without-ancestor",
        says: "A topic that rests on no power levels has the position infinity and comes first, whatever its time.",
        versions: SINCE_V2,
        play: without_ancestor,
    },
    Scene {
        name: "no-power-levels",
        says: "A room without power levels has no mainline: time decides.",
        versions: ALL,
        play: no_power_levels,
    },
    Scene {
        name: "mainline-long",
        says: "Five topics that are based on different power levels of eight, sent in the opposite order of time.",
        versions: SINCE_V2,
        play: long_mainline,
    },
    Scene {
        name: "times-from-the-least-to-the-greatest",
        says: "Times are numbers like any others: negative, zero and far in the future.",
        versions: SINCE_V2,
        play: adversarial_times,
    },
    Scene {
        name: "depth-counts-in-v1-only",
        says: "A topic that claims the greatest depth against one of depth 0 and a later time.",
        versions: ALL,
        play: adversarial_depths,
    },
    Scene {
        name: "power-events-of-adversarial-times",
        says: "Bob claims a time before the room was made and Carol one far in the future: the power events are \
               Bob's, then Carol's.",
        versions: SINCE_V2,
        play: adversarial_power_events,
    },
];

fn topics_by_time(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .deep(20)
        .at(50_000)
        .topic("earlier", BOB)
        .after(["carol"])
        .deep(19)
        .at(50_001)
        .id_below("earlier")
        .topic("later", BOB)
        .merge(["earlier", "later"])
        .in_v1(|merge| merge.topic("earlier"))
        .since_v2(|merge| merge.topic("later").power_events("").remaining_events("earlier later"))
        .in_v2(|merge| merge.mainline("levels"))
        .in_v2_1(|merge| merge.mainline(""))
}

fn topics_by_event_id(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .at(50_000)
        .topic("greater", BOB)
        .after(["carol"])
        .at(50_000)
        .id_below("greater")
        .topic("less", BOB)
        .merge(["greater", "less"])
        .topic("greater")
        .remaining_events("less greater")
}

fn mainline_and_time(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("newer", ALICE, json!({BOB: 60}))
        .at(50_000)
        .topic("on-newer", BOB)
        .after(["carol"])
        .at(90_000)
        .topic("on-older", BOB)
        .merge(["on-newer", "on-older"])
        .levels("newer")
        .topic("on-newer")
        .mainline("newer levels")
        .in_v2(|merge| merge.remaining_events("on-older on-newer"))
        .in_v2_1(|merge| merge.remaining_events("bob on-older on-newer"))
}

fn uncontended_power_levels(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .at(90_000)
        .topic("on-older", BOB)
        .levels("newer", ALICE, json!({BOB: 60}))
        .state("name", BOB, "m.room.name", "", json!({"name": "a room"}))
        .after(["newer"])
        .at(50_000)
        .topic("on-newer", BOB)
        .merge(["name", "on-newer"])
        .at("m.room.name", "", "name")
        .in_v2(|merge| merge.topic("on-newer").mainline("newer levels"))
        .in_v2(|merge| merge.remaining_events("on-older on-newer name"))
        .in_v2_1(|merge| merge.topic("on-older").mainline("").remaining_events("on-newer on-older name"))
}

fn lost_power_levels(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .topic("on-demotion", ALICE)
        .after(["carol"])
        .levels("coup", BOB, json!({BOB: 50, CAROL: 50}))
        .at(90_000)
        .topic("on-coup", ALICE)
        .merge(["on-demotion", "on-coup"])
        .levels("demotion")
        .topic("on-demotion")
        .mainline("demotion levels")
        .remaining_events("on-coup on-demotion")
        .rejects("coup", oracle::Rule::RequiredPowerLevel)
}

fn without_ancestor(version: &'static RoomVersion) -> Merge {
    Script::new(version)
        .levels("levels", ALICE, json!({}))
        .topic("on-levels", ALICE)
        .after(["alice"])
        .at(90_000)
        .topic("on-none", ALICE)
        .merge(["on-levels", "on-none"])
        .levels("levels")
        .topic("on-levels")
        .power_events("levels")
        .mainline("levels")
        .remaining_events("on-none on-levels")
}

fn no_power_levels(version: &'static RoomVersion) -> Merge {
    Script::new(version)
        .deep(20)
        .topic("earlier", ALICE)
        .after(["alice"])
        .deep(19)
        .topic("later", ALICE)
        .merge(["earlier", "later"])
        .in_v1(|merge| merge.topic("earlier"))
        .since_v2(|merge| {
            merge.topic("later").power_events("").mainline("").remaining_events("earlier later")
        })
}

fn long_mainline(version: &'static RoomVersion) -> Merge {
    let mut script = Script::new(version);
    for index in 0..8 {
        let name = format!("levels-{index}");
        script = script.levels(&name, ALICE, json!({BOB: index}));
    }
    // The newer the power levels, the earlier the topic.
    for (index, clock_ms) in [(0, 95_000), (2, 94_000), (3, 93_000), (6, 92_000), (7, 91_000)] {
        let (levels, topic) = (format!("levels-{index}"), format!("topic-{index}"));
        script = script.after([levels.as_str()]).at(clock_ms).topic(&topic, ALICE);
    }
    script
        .merge(["topic-3", "topic-0", "topic-7", "topic-6", "topic-2"])
        .levels("levels-7")
        .topic("topic-7")
        .mainline("levels-7 levels-6 levels-5 levels-4 levels-3 levels-2 levels-1 levels-0")
        .remaining_events("topic-0 topic-2 topic-3 topic-6 topic-7")
}

fn adversarial_times(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .at(GREATEST)
        .topic("greatest", BOB)
        .after(["carol"])
        .at(0)
        .topic("zero", BOB)
        .after(["carol"])
        .at(LEAST)
        .topic("least", BOB)
        .after(["carol"])
        .at(-1)
        .topic("before-zero", BOB)
        .after(["carol"])
        .at(1)
        .topic("after-zero", BOB)
        .merge(["zero", "greatest", "after-zero", "least", "before-zero"])
        .topic("greatest")
        .remaining_events("least before-zero zero after-zero greatest")
}

fn adversarial_depths(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .deep(GREATEST)
        .topic("deepest", BOB)
        .after(["carol"])
        .deep(0)
        .topic("flat", BOB)
        .merge(["deepest", "flat"])
        .in_v1(|merge| merge.topic("deepest"))
        .since_v2(|merge| merge.topic("flat").remaining_events("deepest flat"))
}

fn adversarial_power_events(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("equal", ALICE, json!({BOB: 50, CAROL: 50}))
        .state("name", BOB, "m.room.name", "", json!({"name": "a room"}))
        .topic("topic", CAROL)
        .at(GREATEST)
        .ban("by-carol", CAROL, DAVE)
        .after(["topic"])
        .at(0)
        .ban("by-bob", BOB, DAVE)
        .merge(["by-carol", "by-bob"])
        .member(DAVE, "by-carol")
        .power_events("by-bob by-carol")
        .remaining_events("")
}
