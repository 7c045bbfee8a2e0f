//! "If type is `m.room.power_levels`".

use oracle::Rule::*;
use protocol::RoomVersion;
use protocol::room_version::PowerLevelForm;
use serde_json::{Value, json};
use vectors::Draft;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, Beginning, CAROL, DAVE, Scene};

/// The properties that are levels.
const LEVELS: [&str; 7] =
    ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"];

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        integers(),
        integer_entries(),
        user_entries(),
        creators(),
        first(),
        current(),
        new(),
        current_of_events(),
        new_of_events(),
        current_of_users(),
        new_of_users(),
        allowed(),
    ]
}

/// The founder sets one property.
fn sets(s: &Scene, name: &'static str, value: Value) -> Draft<'static> {
    s.relevels(ALICE, move |levels| levels[name] = value)
}

/// Bob sets one property.
fn bob_sets(s: &Scene, name: &'static str, value: Value) -> Draft<'static> {
    s.relevels(BOB, move |levels| levels[name] = value)
}

/// Bob sets the level of a user.
fn bob_sets_user(s: &Scene, user: &'static str, level: i64) -> Draft<'static> {
    s.relevels(BOB, move |levels| levels["users"][user] = json!(level))
}

fn removes(levels: &mut Value, name: &str) {
    levels.as_object_mut().unwrap().remove(name);
}

fn checks_notifications(version: &RoomVersion) -> bool {
    version.checks_notification_levels
}

fn integers() -> Leaf {
    let rejected = Rejected(LevelsNotIntegers);
    let leaf = leaf(LevelsNotIntegers)
        .rejected("A level is a string.", LevelsNotIntegers, |s| sets(s, "ban", json!("50")))
        .accepted("A level is an integer.", LevelsAllowed, |s| sets(s, "ban", json!(50)))
        .variant("null", "A level is null.", rejected, |s| sets(s, "kick", json!(null)))
        .variant("boolean", "A level is a boolean.", rejected, |s| sets(s, "kick", json!(true)))
        .variant("object", "A level is an object.", rejected, |s| sets(s, "kick", json!({})))
        .variant("first", "Levels are integers in the first power levels too.", rejected, |s| {
            let content = json!({"redact": "50", "users": {BOB: 50}});
            s.only(Beginning::Joined).sets(ALICE, "m.room.power_levels", "", content)
        });
    LEVELS.into_iter().filter(|name| *name != "ban").fold(leaf, |leaf, name| {
        let variant = name.replace('_', "-");
        leaf.variant(variant, "A level is a string.", rejected, move |s| sets(s, name, json!("0")))
    })
}

fn integer_entries() -> Leaf {
    let rejected = Rejected(EventLevelsNotIntegers);
    leaf(EventLevelsNotIntegers)
        .rejected("The level of an event type is a string.", EventLevelsNotIntegers, |s| {
            sets(s, "events", json!({"m.room.name": "50"}))
        })
        .accepted("The level of an event type is an integer.", LevelsAllowed, |s| {
            sets(s, "events", json!({"m.room.name": 50}))
        })
        .variant("null", "The level of an event type is null.", rejected, |s| {
            sets(s, "events", json!({"m.room.name": null}))
        })
        .variant("no-object", "The levels of event types are a list.", rejected, |s| {
            sets(s, "events", json!([]))
        })
        .variant("null-object", "The levels of event types are null.", rejected, |s| {
            sets(s, "events", json!(null))
        })
        .variant("notifications", "The level of a notification is a string.", rejected, |s| {
            sets(s, "notifications", json!({"room": "50"}))
        })
        .variant("notifications-no-object", "The levels of notifications are a number.", rejected, |s| {
            sets(s, "notifications", json!(50))
        })
        .variant(
            "notifications-integer",
            "The level of a notification is an integer.",
            Allowed(LevelsAllowed),
            |s| sets(s, "notifications", json!({"room": 50})),
        )
}

fn user_entries() -> Leaf {
    let (allowed, rejected) = (Allowed(LevelsAllowed), Rejected(UserLevelsMalformed));
    let with = |s: &mut Scene, user: &'static str, level: Value| {
        s.relevels(ALICE, move |levels| levels["users"][user] = level)
    };
    leaf(UserLevelsMalformed)
        .rejected("Somebody has a level who is no user id.", UserLevelsMalformed, move |s| {
            with(s, "carol", json!(0))
        })
        .accepted("Everybody who has a level is a user id.", LevelsAllowed, move |s| with(s, CAROL, json!(0)))
        .variant("no-domain", "A user id has no domain.", rejected, move |s| with(s, "@carol", json!(0)))
        .variant("empty-domain", "A user id has an empty domain.", rejected, move |s| {
            with(s, "@carol:", json!(0))
        })
        .variant("historical", "A historical user id is one.", allowed, move |s| {
            with(s, "@Cárol the 1st:c.example", json!(0))
        })
        .variant("null", "The level of a user is null.", rejected, move |s| with(s, CAROL, json!(null)))
        .variant("boolean", "The level of a user is a boolean.", rejected, move |s| {
            with(s, CAROL, json!(false))
        })
        .variant("list", "The level of a user is a list.", rejected, move |s| with(s, CAROL, json!([50])))
        .variant("no-object", "The levels of users are a list.", rejected, |s| {
            sets(s, "users", json!([ALICE, BOB]))
        })
        .variant("null-object", "The levels of users are null.", rejected, |s| sets(s, "users", json!(null)))
        .variant("missing", "There are no levels of users.", allowed, |s| {
            s.relevels(ALICE, |levels| removes(levels, "users"))
        })
        .variant("string", "The level of a user is an integer in a string.", allowed, move |s| {
            with(s, CAROL, json!("50"))
        })
        .only(|version| version.power_levels != PowerLevelForm::Integer)
        .variant("string", "The level of a user is an integer in a string.", rejected, move |s| {
            with(s, CAROL, json!("50"))
        })
        .only(|version| version.power_levels == PowerLevelForm::Integer)
}

fn creators() -> Leaf {
    let rejected = Rejected(UserLevelsNameCreators);
    leaf(UserLevelsNameCreators)
        .rejected("The creator is given a level.", UserLevelsNameCreators, |s| {
            s.relevels(ALICE, |levels| levels["users"][ALICE] = json!(100))
        })
        .accepted("Somebody else is given a level.", LevelsAllowed, |s| {
            s.relevels(ALICE, |levels| levels["users"][CAROL] = json!(100))
        })
        .variant("additional", "An additional creator is given a level.", rejected, |s| {
            let carol = |content: &mut protocol::Object| {
                drop(content.insert("additional_creators".into(), json!([CAROL])));
            };
            s.created_with(carol).joined(ALICE);
            s.sets(ALICE, "m.room.power_levels", "", json!({"users": {CAROL: 0}}))
        })
        .variant("first", "The creator is given a level by the first power levels.", rejected, |s| {
            s.only(Beginning::Joined).sets(ALICE, "m.room.power_levels", "", json!({"users": {ALICE: 100}}))
        })
}

fn first() -> Leaf {
    let content = || json!({"ban": 51, "users": {BOB: 51}});
    leaf(FirstLevels)
        .accepted("The first power levels set any level.", FirstLevels, move |s| {
            s.only(Beginning::Joined).sets(ALICE, "m.room.power_levels", "", content())
        })
        .rejected("Later ones set none above the sender.", LevelsNew, move |s| {
            s.sets(BOB, "m.room.power_levels", "", content())
        })
        .variant(
            "above-creator",
            "The first power levels may exceed their sender's level.",
            Allowed(FirstLevels),
            |s| {
                let content = json!({"events_default": 1000, "users": {CAROL: 1000}});
                s.only(Beginning::Joined).sets(ALICE, "m.room.power_levels", "", content)
            },
        )
        .variant(
            "by-member",
            "The first power levels need 50, like all state.",
            Rejected(RequiredPowerLevel),
            |s| s.only(Beginning::Joined).sets(BOB, "m.room.power_levels", "", json!({"users": {BOB: 0}})),
        )
        .variant("empty", "The first power levels are empty.", Allowed(FirstLevels), |s| {
            s.only(Beginning::Joined).sets(ALICE, "m.room.power_levels", "", json!({}))
        })
}

fn current() -> Leaf {
    let leaf = leaf(LevelsCurrent)
        .rejected("A level above the sender is lowered.", LevelsCurrent, |s| {
            bob_sets(s.levels(json!({"ban": 51})), "ban", json!(49))
        })
        .accepted("A level that the sender has is lowered.", LevelsAllowed, |s| {
            bob_sets(s.levels(json!({"ban": 50})), "ban", json!(49))
        })
        .variant("removed", "A level above the sender is removed.", Rejected(LevelsCurrent), |s| {
            s.levels(json!({"ban": 51})).relevels(BOB, |levels| removes(levels, "ban"))
        })
        .variant("unchanged", "A level above the sender stays.", Allowed(LevelsAllowed), |s| {
            bob_sets(s.levels(json!({"ban": 51})), "kick", json!(49))
        });
    LEVELS.into_iter().filter(|name| *name != "ban").fold(leaf, |leaf, name| {
        let variant = name.replace('_', "-");
        leaf.variant(variant, "A level above the sender is lowered.", Rejected(LevelsCurrent), move |s| {
            // The type is listed, so that no default for state keeps Bob from sending it at all.
            let levels = json!({name: 51, "events": {"m.room.power_levels": 50}});
            bob_sets(s.levels(levels), name, json!(49))
        })
    })
}

fn new() -> Leaf {
    let leaf = leaf(LevelsNew)
        .rejected("A level is raised above the sender.", LevelsNew, |s| bob_sets(s, "ban", json!(51)))
        .accepted("A level is raised to the sender's.", LevelsAllowed, |s| bob_sets(s, "ban", json!(50)))
        .variant("changed", "A level that is there is raised above the sender.", Rejected(LevelsNew), |s| {
            bob_sets(s.levels(json!({"ban": 40})), "ban", json!(51))
        });
    LEVELS.into_iter().filter(|name| *name != "ban").fold(leaf, |leaf, name| {
        let variant = name.replace('_', "-");
        leaf.variant(variant, "A level is raised above the sender.", Rejected(LevelsNew), move |s| {
            bob_sets(s, name, json!(51))
        })
    })
}

fn current_of_events() -> Leaf {
    let named = |level: i64| json!({"events": {"m.room.name": level}});
    let notified = |level: i64| json!({"notifications": {"room": level}});
    let rejected = Rejected(EventLevelsCurrent);
    leaf(EventLevelsCurrent)
        .rejected("The level of an event type above the sender is lowered.", EventLevelsCurrent, move |s| {
            bob_sets(s.levels(named(51)), "events", json!({"m.room.name": 49}))
        })
        .accepted("The level of an event type that the sender has is lowered.", LevelsAllowed, move |s| {
            bob_sets(s.levels(named(50)), "events", json!({"m.room.name": 49}))
        })
        .variant("removed", "The level of an event type above the sender is removed.", rejected, move |s| {
            bob_sets(s.levels(named(51)), "events", json!({}))
        })
        .variant("all-removed", "The levels of all event types are removed.", rejected, move |s| {
            s.levels(named(51)).relevels(BOB, |levels| removes(levels, "events"))
        })
        .variant("unchanged", "The level of an event type above the sender stays.", Allowed(LevelsAllowed), {
            move |s| bob_sets(s.levels(named(51)), "events", json!({"m.room.name": 51, "m.room.topic": 50}))
        })
        .variant(
            "notifications",
            "The level of a notification above the sender is lowered.",
            rejected,
            move |s| bob_sets(s.levels(notified(51)), "notifications", json!({"room": 49})),
        )
        .only(checks_notifications)
        .variant(
            "notifications-removed",
            "The level of a notification above the sender is removed.",
            rejected,
            move |s| bob_sets(s.levels(notified(51)), "notifications", json!({})),
        )
        .only(checks_notifications)
        .variant(
            "notifications",
            "The levels of notifications are not looked at yet.",
            Allowed(LevelsAllowed),
            move |s| bob_sets(s.levels(notified(51)), "notifications", json!({"room": 49})),
        )
        .only(|version| !checks_notifications(version))
}

fn new_of_events() -> Leaf {
    let rejected = Rejected(EventLevelsNew);
    leaf(EventLevelsNew)
        .rejected("An event type is given a level above the sender.", EventLevelsNew, |s| {
            bob_sets(s, "events", json!({"m.room.name": 51}))
        })
        .accepted("An event type is given the sender's level.", LevelsAllowed, |s| {
            bob_sets(s, "events", json!({"m.room.name": 50}))
        })
        .variant("changed", "The level of an event type is raised above the sender.", rejected, |s| {
            bob_sets(s.levels(json!({"events": {"m.room.name": 40}})), "events", json!({"m.room.name": 51}))
        })
        .variant("notifications", "A notification is given a level above the sender.", rejected, |s| {
            bob_sets(s, "notifications", json!({"room": 51}))
        })
        .only(checks_notifications)
        .variant("other-notifications", "Any notification counts.", rejected, |s| {
            bob_sets(s, "notifications", json!({"com.example.notification": 51}))
        })
        .only(checks_notifications)
        .variant(
            "notifications",
            "The levels of notifications are not looked at yet.",
            Allowed(LevelsAllowed),
            |s| bob_sets(s, "notifications", json!({"room": 51})),
        )
        .only(|version| !checks_notifications(version))
}

fn current_of_users() -> Leaf {
    let dave = |s: &mut Scene, level: i64| {
        s.levels(json!({"users": {DAVE: level}}));
    };
    let rejected = Rejected(UserLevelsCurrent);
    leaf(UserLevelsCurrent)
        .rejected("The level of a user who has the sender's is lowered.", UserLevelsCurrent, move |s| {
            dave(s, 50);
            bob_sets_user(s, DAVE, 48)
        })
        .accepted("The level of a user below the sender is lowered.", LevelsAllowed, move |s| {
            dave(s, 49);
            bob_sets_user(s, DAVE, 48)
        })
        .variant("above", "The level of a user above the sender is lowered.", rejected, move |s| {
            dave(s, 51);
            bob_sets_user(s, DAVE, 49)
        })
        .variant("removed", "The level of a user who has the sender's is removed.", rejected, move |s| {
            dave(s, 50);
            s.relevels(BOB, |levels| removes(&mut levels["users"], DAVE))
        })
        .variant("all-removed", "The levels of all users are removed.", rejected, move |s| {
            dave(s, 50);
            s.relevels(BOB, |levels| removes(levels, "users"))
        })
        .variant("oneself", "The sender steps down.", Allowed(LevelsAllowed), |s| bob_sets_user(s, BOB, 49))
        .variant("oneself-removed", "The sender steps down to the default.", Allowed(LevelsAllowed), |s| {
            s.relevels(BOB, |levels| removes(&mut levels["users"], BOB))
        })
        .variant(
            "unchanged",
            "The level of a user above the sender stays.",
            Allowed(LevelsAllowed),
            move |s| {
                dave(s, 51);
                bob_sets_user(s, CAROL, 50)
            },
        )
}

fn new_of_users() -> Leaf {
    let rejected = Rejected(UserLevelsNew);
    leaf(UserLevelsNew)
        .rejected("A user is given a level above the sender.", UserLevelsNew, |s| bob_sets_user(s, CAROL, 51))
        .accepted("A user is given the sender's level.", LevelsAllowed, |s| bob_sets_user(s, CAROL, 50))
        .variant("changed", "The level of a user is raised above the sender.", rejected, |s| {
            bob_sets_user(s.levels(json!({"users": {CAROL: 40}})), CAROL, 51)
        })
        .variant("oneself", "The sender raises the own level.", rejected, |s| bob_sets_user(s, BOB, 51))
        .variant("creator", "A creator gives any level.", Allowed(LevelsAllowed), |s| {
            s.relevels(ALICE, |levels| levels["users"][CAROL] = json!(9_007_199_254_740_991_i64))
        })
        .only(|version| version.privileged_creators)
        .variant("by-state", "The levels of the state are others.", rejected, |s| {
            let change = bob_sets_user(s, CAROL, 50);
            s.levels(json!({"users": {BOB: 49}, "state_default": 49})).by_state();
            change
        })
}

fn allowed() -> Leaf {
    let allowed = Allowed(LevelsAllowed);
    leaf(LevelsAllowed)
        .accepted("Several levels are changed within the sender's power.", LevelsAllowed, |s| {
            s.relevels(BOB, |levels| {
                levels["kick"] = json!(50);
                levels["events"] = json!({"m.room.name": 50});
                levels["users"][CAROL] = json!(50);
            })
        })
        .rejected("All but one of the levels are within the sender's power.", UserLevelsNew, |s| {
            s.relevels(BOB, |levels| {
                levels["kick"] = json!(50);
                levels["events"] = json!({"m.room.name": 50});
                levels["users"][CAROL] = json!(51);
            })
        })
        .variant("unchanged", "Nothing is changed.", allowed, |s| s.relevels(BOB, |_| {}))
        .variant("further-content", "Other properties are no levels.", allowed, |s| {
            bob_sets(s, "com.example.level", json!(100))
        })
        .variant("respelled", "A level is written in another way, and stays the same.", allowed, |s| {
            bob_sets(s.levels(json!({"ban": 51})), "ban", json!(" +051 "))
        })
        .only(|version| version.power_levels != PowerLevelForm::Integer)
}
