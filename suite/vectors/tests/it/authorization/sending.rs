//! What every other event needs: a joined sender, and power.

use oracle::Rule::*;
use serde_json::json;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, Beginning, CAROL, Scene};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        joined(),
        leaf(ThirdPartyInviteLevel)
            .accepted("An offer at the invite level, whatever state needs.", ThirdPartyInviteLevel, |s| {
                offers(s.levels(json!({"invite": 50, "state_default": 100})))
            })
            .rejected("An offer below the invite level, whatever state needs.", ThirdPartyInviteLevel, |s| {
                offers(s.levels(json!({"invite": 51, "events": {"m.room.third_party_invite": 0}})))
            })
            .variant("default", "Without an invite level, it is 0.", Allowed(ThirdPartyInviteLevel), |s| {
                offers(s.levels(json!({"users": {BOB: 0}})))
            })
            .variant(
                "user-as-token",
                "A token may look like another user.",
                Allowed(ThirdPartyInviteLevel),
                |s| s.sets(BOB, "m.room.third_party_invite", ALICE, json!({"display_name": "c…"})),
            ),
        state_level(),
        message_level(),
        leaf(StateKeyOfAnother)
            .rejected("The state key is another user.", StateKeyOfAnother, |s| own(s, ALICE))
            .accepted("The state key is the sender.", Otherwise, |s| own(s, BOB))
            .variant("at", "The state key is an at sign.", Rejected(StateKeyOfAnother), |s| own(s, "@"))
            .variant(
                "longer",
                "The state key only begins like the sender.",
                Rejected(StateKeyOfAnother),
                |s| own(s, "@bob:b.example:8448"),
            )
            .variant("other-case", "User ids are compared as they are.", Rejected(StateKeyOfAnother), |s| {
                own(s, "@Bob:b.example")
            })
            .variant("underscore", "Something stands before the at sign.", Allowed(Otherwise), |s| {
                own(s, "_@alice:a.example")
            })
            .variant("creator", "Power is no matter.", Rejected(StateKeyOfAnother), |s| {
                s.sets(ALICE, "com.example.own", BOB, json!({}))
            }),
        otherwise(),
    ]
}

fn offers(s: &Scene) -> vectors::Draft<'static> {
    s.sets(BOB, "m.room.third_party_invite", "token", json!({"display_name": "c…"}))
}

fn own(s: &Scene, state_key: &'static str) -> vectors::Draft<'static> {
    s.sets(BOB, "com.example.own", state_key, json!({}))
}

fn joined() -> Leaf {
    let rejected = Rejected(SenderNotJoined);
    leaf(SenderNotJoined)
        .rejected("Somebody sends a message who is not joined.", SenderNotJoined, |s| s.sends(CAROL))
        .accepted("A member sends a message.", Otherwise, |s| s.joined(CAROL).sends(CAROL))
        .variant("invited", "Who is only invited sends nothing.", rejected, |s| s.invited(CAROL).sends(CAROL))
        .variant("left", "Who left sends nothing.", rejected, |s| s.joined(CAROL).left(CAROL).sends(CAROL))
        .variant("banned", "Who is banned sends nothing.", rejected, |s| s.banned(CAROL).sends(CAROL))
        .variant("knocking", "Who knocked sends nothing.", rejected, |s| {
            s.join_rule("knock").knocked(CAROL).sends(CAROL)
        })
        .only(|version| version.knock)
        .variant("aliases", "Aliases are like any other state.", rejected, |s| {
            s.sets(CAROL, "m.room.aliases", "c.example", json!({"aliases": []}))
        })
        .only(|version| !version.aliases_rule)
        .variant("by-state", "In the state, the sender is banned.", rejected, |s| {
            let message = s.joined(CAROL).sends(CAROL);
            s.banned(CAROL).by_state();
            message
        })
}

fn state_level() -> Leaf {
    let (allowed, rejected) = (Allowed(Otherwise), Rejected(RequiredPowerLevel));
    let top = 9_007_199_254_740_991_i64;
    leaf(RequiredPowerLevel)
        .rejected("State needs one more than the sender has.", RequiredPowerLevel, |s| {
            s.levels(json!({"state_default": 51})).names_room(BOB)
        })
        .accepted("State needs what the sender has.", Otherwise, |s| {
            s.levels(json!({"state_default": 50})).names_room(BOB)
        })
        .variant("default", "Without a default for state, it is 50.", rejected, |s| {
            s.levels(json!({"users": {BOB: 49}})).names_room(BOB)
        })
        .variant("default-reached", "Without a default for state, 50 suffice.", allowed, |s| {
            s.names_room(BOB)
        })
        .variant("events-default", "The default for messages is no matter for state.", allowed, |s| {
            s.levels(json!({"events_default": 100})).names_room(BOB)
        })
        .variant("listed", "What is listed needs what the list says.", rejected, |s| {
            s.levels(json!({"state_default": 0, "events": {"m.room.name": 51}})).names_room(BOB)
        })
        .variant("listed-lower", "What is listed may need less than the default.", allowed, |s| {
            s.levels(json!({"state_default": 51, "events": {"m.room.name": 50}})).names_room(BOB)
        })
        .variant("users-default", "Who is not listed has the default level.", allowed, |s| {
            s.joined(CAROL).levels(json!({"users_default": 50})).names_room(CAROL)
        })
        .variant("listed-user", "Who is listed may have less than the default.", rejected, |s| {
            s.levels(json!({"users_default": 50, "users": {BOB: 0}})).names_room(BOB)
        })
        .variant("no-levels", "Without power levels, state needs 50 and members have 0.", rejected, |s| {
            s.only(Beginning::Joined).names_room(BOB)
        })
        .variant("no-levels-creator", "Without power levels, the creator sends state.", allowed, |s| {
            s.only(Beginning::Joined).names_room(ALICE)
        })
        .variant(
            "unlisted-creator",
            "With power levels, the creator is a user like any other.",
            rejected,
            |s| {
                s.happens(s.relevels(ALICE, |levels| levels["users"] = json!({BOB: 50})));
                s.names_room(ALICE)
            },
        )
        .only(|version| !version.privileged_creators)
        .variant("creator", "A creator is above every level.", allowed, move |s| {
            s.levels(json!({"state_default": top, "users_default": -1})).names_room(ALICE)
        })
        .only(|version| version.privileged_creators)
        .variant("additional-creator", "An additional creator is above every level.", allowed, move |s| {
            let bob = |content: &mut protocol::Object| {
                drop(content.insert("additional_creators".into(), json!([BOB])));
            };
            s.created_with(bob).joined(ALICE).join_rule("public").joined(BOB);
            s.happens(s.sets(ALICE, "m.room.power_levels", "", json!({"state_default": top})));
            s.names_room(BOB)
        })
        .only(|version| version.privileged_creators)
        .variant("additional-creator", "Additional creators mean nothing yet.", rejected, move |s| {
            let bob = |content: &mut protocol::Object| {
                drop(content.insert("additional_creators".into(), json!([BOB])));
            };
            s.created_with(bob).joined(ALICE).join_rule("public").joined(BOB).names_room(BOB)
        })
        .only(|version| !version.privileged_creators)
        .variant("by-state", "The levels of the state are others.", rejected, |s| {
            let name = s.names_room(BOB);
            s.levels(json!({"state_default": 51})).by_state();
            name
        })
}

fn message_level() -> Leaf {
    let (allowed, rejected) = (Allowed(Otherwise), Rejected(RequiredPowerLevel));
    leaf(RequiredPowerLevel)
        .variant("message", "A message needs one more than the sender has.", rejected, |s| {
            s.levels(json!({"events_default": 51})).sends(BOB)
        })
        .variant("message-reached", "A message needs what the sender has.", allowed, |s| {
            s.levels(json!({"events_default": 50})).sends(BOB)
        })
        .variant("message-default", "Without a default for messages, it is 0.", allowed, |s| {
            s.levels(json!({"users": {BOB: 0}})).sends(BOB)
        })
        .variant("message-negative", "Without a default for messages, it is 0 and not less.", rejected, |s| {
            s.levels(json!({"users": {BOB: -1}})).sends(BOB)
        })
        .variant("message-state-default", "The default for state is no matter for messages.", allowed, |s| {
            s.levels(json!({"state_default": 100})).sends(BOB)
        })
        .variant("message-listed", "What is listed needs what the list says.", allowed, |s| {
            s.levels(json!({"events_default": 51, "events": {"m.room.message": 50}})).sends(BOB)
        })
        .variant("message-no-levels", "Without power levels, members send messages.", allowed, |s| {
            s.only(Beginning::Joined).sends(BOB)
        })
        .variant("notifications", "What notifications need is no matter.", allowed, |s| {
            s.levels(json!({"notifications": {"room": 100}})).sends(BOB)
        })
        .variant("by-type", "A listed type needs its level as state and as message.", rejected, |s| {
            s.levels(json!({"events": {"m.room.message": 51}}));
            s.sets(BOB, "m.room.message", "", json!({"body": "hello"}))
        })
}

fn otherwise() -> Leaf {
    leaf(Otherwise)
        .accepted("A member sends a message.", Otherwise, |s| s.sends(BOB))
        .rejected("A member sends a message without the power to.", RequiredPowerLevel, |s| {
            s.levels(json!({"events_default": 51})).sends(BOB)
        })
        .variant("state", "A member sends state of any type.", Allowed(Otherwise), |s| {
            s.sets(BOB, "com.example.type", "key", json!({"any": ["content"]}))
        })
}
