//! Changes of the power levels.

use serde_json::{Value, json};

use super::{ALLOW, Case, REJECT, content};
use crate::Event;
use crate::Rule::*;
use crate::tests::scene::Scene;
use crate::tests::{ALICE, BOB, CAROL};

pub(super) fn changing_levels() -> Vec<Case> {
    vec![
        ("no change", LevelsAllowed, ALLOW, |s| change(s, BOB, |_| {})),
        ("the first power levels", FirstLevels, ALLOW, |s| {
            s.forget("m.room.power_levels", "").event(
                ALICE,
                "m.room.power_levels",
                Some(""),
                json!({"ban": 999}),
            )
        }),
        ("a level in a string", LevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["ban"] = json!("50"))
        }),
        ("a level that is null", LevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["kick"] = json!(null))
        }),
        ("an event level in a string", EventLevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["events"] = json!({"m.room.name": "50"}))
        }),
        ("notifications that are a list", EventLevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["notifications"] = json!([]))
        }),
        ("users that are a list", UserLevelsMalformed, REJECT, |s| {
            change(s, BOB, |levels| levels["users"] = json!([]))
        }),
        ("a user without a domain", UserLevelsMalformed, REJECT, |s| {
            change(s, BOB, |levels| levels["users"]["@carol"] = json!(0))
        }),
        ("a user level that is a word", UserLevelsMalformed, REJECT, |s| {
            change(s, BOB, |levels| levels["users"][CAROL] = json!("much"))
        }),
        ("no users at all", LevelsAllowed, ALLOW, |s| {
            change(s, ALICE, |levels| drop(levels.as_object_mut().unwrap().remove("users")))
        }),
        ("the creator among the users", UserLevelsNameCreators, REJECT, |s| {
            change(s, ALICE, |levels| levels["users"][ALICE] = json!(100))
        }),
        ("an additional creator among the users", UserLevelsNameCreators, REJECT, |s| {
            s.replace_create(|pdu| drop(content(pdu).insert("additional_creators".into(), json!([CAROL]))));
            change(s, ALICE, |levels| levels["users"][CAROL] = json!(0))
        }),
        ("a level from above the sender", LevelsCurrent, REJECT, |s| {
            s.levels(json!({"ban": 51}));
            change(s, BOB, |levels| levels["ban"] = json!(50))
        }),
        ("the removal of a level above the sender", LevelsCurrent, REJECT, |s| {
            s.levels(json!({"ban": 51}));
            change(s, BOB, |levels| drop(levels.as_object_mut().unwrap().remove("ban")))
        }),
        ("a level to above the sender", LevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["kick"] = json!(51))
        }),
        ("a level to that of the sender", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"users_default": 10}));
            change(s, BOB, |levels| levels["users_default"] = json!(50))
        }),
        ("a level above the sender that stays", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"ban": 51}));
            change(s, BOB, |levels| levels["kick"] = json!(49))
        }),
        ("an event level from above the sender", EventLevelsCurrent, REJECT, |s| {
            s.levels(json!({"events": {"m.room.name": 51}}));
            change(s, BOB, |levels| levels["events"] = json!({}))
        }),
        ("an event level to above the sender", EventLevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["events"] = json!({"m.room.name": 51}))
        }),
        ("an event level within reach", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"events": {"m.room.name": 50}}));
            change(s, BOB, |levels| levels["events"] = json!({"m.room.name": 0, "m.room.topic": 50}))
        }),
        ("the level of somebody equal", UserLevelsCurrent, REJECT, |s| {
            s.levels(json!({"users": {CAROL: 50}}));
            change(s, BOB, |levels| levels["users"][CAROL] = json!(0))
        }),
        ("the removal of somebody equal", UserLevelsCurrent, REJECT, |s| {
            s.levels(json!({"users": {CAROL: 50}}));
            change(s, BOB, |levels| drop(levels["users"].as_object_mut().unwrap().remove(CAROL)))
        }),
        ("the own level, downwards", LevelsAllowed, ALLOW, |s| {
            change(s, BOB, |levels| levels["users"][BOB] = json!(0))
        }),
        ("the own level, upwards", UserLevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["users"][BOB] = json!(51))
        }),
        ("somebody raised to above the sender", UserLevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["users"][CAROL] = json!(51))
        }),
        ("somebody raised to the sender", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"users": {CAROL: 49}}));
            change(s, BOB, |levels| levels["users"][CAROL] = json!(50))
        }),
    ]
}

fn change(scene: &Scene, sender: &str, change: impl FnOnce(&mut Value)) -> Event {
    scene.event(sender, "m.room.power_levels", Some(""), scene.changed_levels(change))
}
