//! "If type is `m.room.aliases`", up to room version 5.

use oracle::Rule::*;
use serde_json::json;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{BOB, CAROL, Scene};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(AliasesStateKey)
            .rejected("Aliases have no state key.", AliasesStateKey, |s| aliases(s, BOB, None))
            .accepted("Aliases have a state key.", AliasesAllowed, |s| aliases(s, BOB, Some("b.example"))),
        leaf(AliasesDomain)
            .rejected("The state key is not the sender's domain.", AliasesDomain, |s| {
                aliases(s, BOB, Some("a.example"))
            })
            .accepted("The state key is the sender's domain.", AliasesAllowed, |s| {
                aliases(s, BOB, Some("b.example"))
            })
            .variant("other-port", "A port is part of the domain.", Rejected(AliasesDomain), |s| {
                aliases(s, BOB, Some("b.example:8448"))
            })
            .variant("same-port", "A port is part of the sender's domain.", Allowed(AliasesAllowed), |s| {
                aliases(s, "@bob:b.example:8448", Some("b.example:8448"))
            })
            .variant("empty", "The state key is empty.", Rejected(AliasesDomain), |s| {
                aliases(s, BOB, Some(""))
            }),
        leaf(AliasesAllowed)
            .accepted("Aliases by a server that is not in the room.", AliasesAllowed, |s| {
                aliases(s, CAROL, Some("c.example"))
            })
            .rejected("Aliases of another server, by one that is not in the room.", AliasesDomain, |s| {
                aliases(s, CAROL, Some("b.example"))
            })
            .variant(
                "banned",
                "Aliases by a banned user, in spite of all levels.",
                Allowed(AliasesAllowed),
                |s| {
                    let levels = json!({"events": {"m.room.aliases": 100}});
                    aliases(s.levels(levels).banned(CAROL), CAROL, Some("c.example"))
                },
            ),
    ]
}

fn aliases(s: &Scene, sender: &'static str, state_key: Option<&'static str>) -> vectors::Draft<'static> {
    s.event(sender, "m.room.aliases", state_key, json!({"aliases": ["#room:b.example"]}))
}
