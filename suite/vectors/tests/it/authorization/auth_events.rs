//! "Considering the event's `auth_events`".

use oracle::Rule::*;
use protocol::RoomVersion;
use serde_json::json;
use vectors::Draft;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, CAROL, DAVE, Scene};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        duplicates(),
        leaf(AuthEventsUnselected)
            .rejected("A message refers to the join rules.", AuthEventsUnselected, |s| {
                citing(s, s.sends(BOB), "m.room.join_rules", "")
            })
            .accepted("A message refers to what is selected.", Otherwise, |s| s.sends(BOB)),
        unselected(),
        rejected(),
        leaf(AuthEventsLackCreate)
            .rejected("A message does not refer to the create event.", AuthEventsLackCreate, |s| {
                s.without("m.room.create", "").sends(BOB)
            })
            .accepted("A message refers to the create event.", Otherwise, |s| s.sends(BOB))
            .variant("no-auth-events", "A message refers to nothing.", Rejected(AuthEventsLackCreate), |s| {
                Draft { auth_events: Vec::new(), ..s.sends(BOB) }
            }),
        other_room(),
    ]
}

/// A draft that refers to one more event of the current state.
fn citing(s: &Scene, draft: Draft<'static>, event_type: &str, state_key: &str) -> Draft<'static> {
    let mut auth_events = draft.auth_events.clone();
    auth_events.push(s.current(event_type, state_key));
    Draft { auth_events, ..draft }
}

fn restricts(version: &RoomVersion) -> bool {
    version.restricted
}

fn duplicates() -> Leaf {
    let rejected = Rejected(AuthEventsDuplicate);
    leaf(AuthEventsDuplicate)
        .rejected("A message refers to the old and the new power levels.", AuthEventsDuplicate, |s| {
            let old = s.current("m.room.power_levels", "");
            let message = s.levels(json!({"invite": 10})).sends(BOB);
            Draft { auth_events: [message.auth_events, vec![old]].concat(), ..message }
        })
        .accepted("A message refers to the new power levels only.", Otherwise, |s| {
            s.levels(json!({"invite": 10})).sends(BOB)
        })
        .variant("same-event", "A message refers to the power levels twice.", rejected, |s| {
            citing(s, s.sends(BOB), "m.room.power_levels", "")
        })
        .variant("members", "A message refers to two joins of its sender.", rejected, |s| {
            let old = s.current("m.room.member", BOB);
            let message = s.joined(BOB).sends(BOB);
            Draft { auth_events: [message.auth_events, vec![old]].concat(), ..message }
        })
        .variant(
            "by-state",
            "By a state, two power levels among the auth events are no matter.",
            Allowed(Otherwise),
            |s| {
                let old = s.current("m.room.power_levels", "");
                let message = s.levels(json!({"invite": 10})).by_state().sends(BOB);
                Draft { auth_events: [message.auth_events, vec![old]].concat(), ..message }
            },
        )
}

fn unselected() -> Leaf {
    let rejected = Rejected(AuthEventsUnselected);
    leaf(AuthEventsUnselected)
        .variant(
            "third-member",
            "A kick refers to a member who is neither sender nor target.",
            rejected,
            |s| {
                let kick = s.joined(CAROL).joined(DAVE).kicks(BOB, CAROL);
                citing(s, kick, "m.room.member", DAVE)
            },
        )
        .variant("target-member", "A kick refers to its target.", Allowed(LeaveAllowed), |s| {
            s.joined(CAROL).kicks(BOB, CAROL)
        })
        .variant("message", "A message refers to a message.", rejected, |s| {
            let message = s.sends(ALICE);
            let message = s.happens(message);
            let answer = s.sends(BOB);
            Draft { auth_events: [answer.auth_events, vec![message]].concat(), ..answer }
        })
        .variant("join-rules-of-leave", "A leave refers to the join rules.", rejected, |s| {
            citing(s, s.leaves(BOB), "m.room.join_rules", "")
        })
        .variant("join-rules-of-ban", "A ban refers to the join rules.", rejected, |s| {
            citing(s, s.bans(BOB, CAROL), "m.room.join_rules", "")
        })
        .variant("join-rules-of-invite", "An invite refers to the join rules.", Allowed(InviteAllowed), |s| {
            s.invites(BOB, CAROL)
        })
        .variant(
            "third-party-invite",
            "An invite that is no third-party invite refers to one.",
            rejected,
            |s| {
                let content = json!({"display_name": "c…"});
                let offer = s.sets(BOB, "m.room.third_party_invite", "token", content);
                s.happens(offer);
                citing(s, s.invites(BOB, CAROL), "m.room.third_party_invite", "token")
            },
        )
        .variant(
            "create",
            "A message refers to the create event, which the room id implies.",
            rejected,
            |s| citing(s, s.sends(BOB), "m.room.create", ""),
        )
        .only(|version| !version.create_in_auth_events)
        .variant(
            "authoriser",
            "A join refers to the user who authorised it.",
            Allowed(JoinRestrictedAllowed),
            |s| s.join_rule("restricted").joins_by(CAROL, BOB),
        )
        .only(restricts)
        .variant(
            "authoriser-too-early",
            "A join refers to the user who authorised it, in a room version that has no such joins.",
            rejected,
            |s| citing(s, s.joins_by(CAROL, BOB), "m.room.member", BOB),
        )
        .only(|version| !restricts(version))
        .variant("no-authoriser", "A join that nobody authorised refers to a third member.", rejected, |s| {
            citing(s, s.joins(CAROL), "m.room.member", BOB)
        })
        .variant("by-state", "By a state, further auth events are no matter.", Allowed(Otherwise), |s| {
            let message = s.by_state().sends(BOB);
            citing(s, message, "m.room.join_rules", "")
        })
}

fn rejected() -> Leaf {
    leaf(AuthEventsRejected)
        .rejected("A message refers to power levels that were rejected.", AuthEventsRejected, |s| {
            let levels = s.is_rejected(s.relevels(BOB, |levels| levels["kick"] = json!(51)));
            referring(s, levels)
        })
        .accepted("A message refers to power levels that were accepted.", Otherwise, |s| {
            let levels = s.relevels(BOB, |levels| levels["kick"] = json!(50));
            let levels = s.happens(levels);
            referring(s, levels)
        })
        .variant(
            "rejected-join",
            "A message refers to a join that was rejected.",
            Rejected(AuthEventsRejected),
            |s| {
                let join = s.join_rule("invite").joins(CAROL);
                let join = s.is_rejected(join);
                let message = s.sends(CAROL);
                Draft { auth_events: [message.auth_events, vec![join]].concat(), ..message }
            },
        )
        .variant("by-state", "By a state, rejected auth events are no matter.", Allowed(Otherwise), |s| {
            let levels = s.is_rejected(s.relevels(BOB, |levels| levels["kick"] = json!(51)));
            s.by_state();
            referring(s, levels)
        })
}

/// A message that refers to these power levels instead of those in force.
fn referring(s: &mut Scene, levels: String) -> Draft<'static> {
    let mut message = s.without("m.room.power_levels", "").sends(BOB);
    message.auth_events.push(levels);
    message
}

fn other_room() -> Leaf {
    leaf(AuthEventsOtherRoom)
        .rejected("A message refers to the power levels of another room.", AuthEventsOtherRoom, |s| {
            let other = s.other_room();
            referring(s, other.current("m.room.power_levels", ""))
        })
        .accepted("A message refers to the power levels of its room.", Otherwise, |s| {
            let levels = s.current("m.room.power_levels", "");
            referring(s, levels)
        })
        .variant(
            "member",
            "A message refers to its sender's join to another room.",
            Rejected(AuthEventsOtherRoom),
            |s| {
                let other = s.other_room();
                let mut message = s.without("m.room.member", BOB).sends(BOB);
                message.auth_events.push(other.current("m.room.member", BOB));
                message
            },
        )
        .variant(
            "create",
            "A message refers to the create event of another room.",
            Rejected(AuthEventsOtherRoom),
            |s| {
                let other = s.other_room();
                let mut message = s.without("m.room.create", "").sends(BOB);
                message.auth_events.push(other.create_event());
                message
            },
        )
        .only(|version| version.create_in_auth_events)
        .variant(
            "by-state",
            "By a state, auth events of another room are no matter.",
            Allowed(Otherwise),
            |s| {
                let other = s.other_room();
                let mut message = s.by_state().sends(BOB);
                message.auth_events.push(other.current("m.room.member", BOB));
                message
            },
        )
}
