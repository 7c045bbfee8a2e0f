//! "If type is `m.room.member`": what all memberships have in common.

use oracle::Rule::*;
use protocol::RoomVersion;
use serde_json::{Value, json};
use vectors::Draft;
use vectors::room::published_keys;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, ANNA, BOB, CAROL, Scene};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(MemberProperties)
            .rejected("A member event has no membership.", MemberProperties, |s| member(s, json!({})))
            .accepted("A member event has a membership.", JoinPublic, |s| {
                member(s, json!({"membership": "join"}))
            })
            .variant("no-state-key", "A member event has no state key.", Rejected(MemberProperties), |s| {
                s.event(CAROL, "m.room.member", None, json!({"membership": "join"}))
            }),
        authoriser_signature(),
        with_keys(),
        leaf(MemberOtherwise)
            .rejected("Nobody knows the membership.", MemberOtherwise, |s| {
                member(s, json!({"membership": "unheard-of"}))
            })
            .accepted("The membership is known.", JoinPublic, |s| member(s, json!({"membership": "join"})))
            .variant("upper-case", "A membership is in lower case.", Rejected(MemberOtherwise), |s| {
                member(s, json!({"membership": "Join"}))
            })
            .variant("empty", "The membership is empty.", Rejected(MemberOtherwise), |s| {
                member(s, json!({"membership": ""}))
            })
            .variant("number", "The membership is a number.", Rejected(MemberOtherwise), |s| {
                member(s, json!({"membership": 1}))
            })
            .variant("null", "The membership is there, and null.", Rejected(MemberOtherwise), |s| {
                member(s, json!({"membership": null}))
            })
            .variant("knock-too-early", "Knocking is no membership yet.", Rejected(MemberOtherwise), |s| {
                s.join_rule("knock").knocks(CAROL)
            })
            .only(|version| !version.knock),
    ]
}

fn member(s: &Scene, content: Value) -> Draft<'static> {
    s.sets(CAROL, "m.room.member", CAROL, content)
}

fn restricts(version: &RoomVersion) -> bool {
    version.restricted
}

/// A join to a restricted room that Bob authorised, signed by these servers.
fn signed_by(s: &mut Scene, signers: &[&'static str]) -> Draft<'static> {
    Draft { signers: signers.to_vec(), ..s.join_rule("restricted").joins_by(CAROL, BOB) }
}

fn authoriser_signature() -> Leaf {
    let rejected = Rejected(MemberAuthoriserSignature);
    leaf(MemberAuthoriserSignature)
        .rejected("The authoriser's server did not sign the join.", MemberAuthoriserSignature, |s| {
            signed_by(s, &["c.example"])
        })
        .accepted("The authoriser's server signed the join.", JoinRestrictedAllowed, |s| {
            signed_by(s, &["c.example", "b.example"])
        })
        .variant("third-server", "A server signed that has nothing to do with it.", rejected, |s| {
            signed_by(s, &["c.example", "a.example"])
        })
        .variant(
            "same-server",
            "The authoriser is of the server that joins.",
            Allowed(JoinRestrictedAllowed),
            |s| {
                let join = s.join_rule("restricted").joins_by(ANNA, ALICE);
                Draft { signers: vec!["a.example"], ..join }
            },
        )
        .variant("public", "The signature is needed where anybody may join, too.", rejected, |s| Draft {
            signers: vec!["c.example"],
            ..s.joins_by(CAROL, BOB)
        })
        .variant("leave", "The signature is needed for every membership.", rejected, |s| {
            let content = json!({"membership": "leave", "join_authorised_via_users_server": BOB});
            let leave = s.joined(CAROL).sets(CAROL, "m.room.member", CAROL, content);
            Draft { signers: vec!["c.example"], ..leave }
        })
        .variant("no-domain", "The authoriser has no domain that could have signed.", rejected, |s| {
            s.join_rule("restricted").joins_by(CAROL, "@bob")
        })
        .variant("no-string", "The authoriser is no string.", rejected, |s| {
            let content = json!({"membership": "join", "join_authorised_via_users_server": null});
            s.join_rule("restricted").sets(CAROL, "m.room.member", CAROL, content)
        })
}

/// Where a judge is given keys, a signature that is there but does not verify is none.
fn with_keys() -> Leaf {
    let signers = ["c.example", "b.example"];
    leaf(MemberAuthoriserSignature)
        .variant(
            "valid",
            "The authoriser's server signed by its key.",
            Allowed(JoinRestrictedAllowed),
            move |s| signed_by(s.with_keys(published_keys(signers)), &signers),
        )
        .variant(
            "another-key",
            "The authoriser's server has another key than signed.",
            Rejected(MemberAuthoriserSignature),
            move |s| {
                let mut keys = published_keys(signers);
                keys.insert("b.example".to_owned(), keys["c.example"].clone());
                signed_by(s.with_keys(keys), &signers)
            },
        )
        .variant(
            "unknown-key",
            "The authoriser's server has no key.",
            Rejected(MemberAuthoriserSignature),
            move |s| signed_by(s.with_keys(published_keys(["c.example"])), &signers),
        )
        .variant(
            "expired-key",
            "The key of the authoriser's server expired before the join.",
            Rejected(MemberAuthoriserSignature),
            move |s| {
                let mut keys = published_keys(signers);
                let ours = keys.get_mut("b.example").and_then(|keys| keys.values_mut().next()).unwrap();
                ours.expired_ts = Some(1_600_000_000_000);
                signed_by(s.with_keys(keys), &signers)
            },
        )
        .only(restricts)
}
