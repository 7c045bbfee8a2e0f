//! Rooms that are not federated.

use oracle::Rule::*;
use protocol::Object;
use serde_json::{Value, json};

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, ANNA, BOB, CAROL, Scene};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(NotFederated)
            .rejected("A user of another server joins a room that is not federated.", NotFederated, |s| {
                unfederated(s, json!(false)).joins(BOB)
            })
            .accepted("A user of the creator's server joins a room that is not federated.", JoinPublic, |s| {
                unfederated(s, json!(false)).kicked(ANNA).joins(ANNA)
            })
            .variant(
                "invite",
                "A user of another server is invited to a room that is not federated, which no rule forbids.",
                Allowed(InviteAllowed),
                |s| unfederated(s, json!(false)).invites(ALICE, BOB),
            )
            .variant("other-port", "A port is part of the domain.", Rejected(NotFederated), |s| {
                unfederated(s, json!(false)).joins("@bob:a.example:8448")
            })
            .variant("string", "Only the boolean keeps other servers out.", Allowed(JoinPublic), |s| {
                unfederated(s, json!("false")).joins(BOB)
            })
            .variant("null", "Null does not keep other servers out.", Allowed(JoinPublic), |s| {
                unfederated(s, json!(null)).joins(BOB)
            })
            .variant(
                "true",
                "A user of another server joins a room that is federated.",
                Allowed(JoinPublic),
                |s| unfederated(s, json!(true)).joins(CAROL),
            )
            .variant(
                "by-state",
                "The state says that the room is not federated.",
                Rejected(NotFederated),
                |s| unfederated(s, json!(false)).by_state().joins(BOB),
            ),
    ]
}

/// A room whose create event has this `m.federate`.
fn unfederated(s: &mut Scene, federate: Value) -> &mut Scene {
    s.made_with(move |content: &mut Object| drop(content.insert("m.federate".into(), federate)))
}
