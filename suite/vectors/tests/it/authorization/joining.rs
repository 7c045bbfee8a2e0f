//! "If `membership` is `join`".

use oracle::Rule::*;
use protocol::RoomVersion;
use serde_json::json;
use vectors::Draft;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, Beginning, CAROL, DAVE, Scene};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        first_join(),
        creators(),
        leaf(JoinOfAnother)
            .rejected("A member joins somebody else.", JoinOfAnother, |s| s.member(BOB, CAROL, "join"))
            .accepted("Somebody joins.", JoinPublic, |s| s.joins(CAROL))
            .variant(
                "of-the-invited",
                "A member joins somebody who is invited.",
                Rejected(JoinOfAnother),
                |s| s.invited(CAROL).member(ALICE, CAROL, "join"),
            ),
        leaf(JoinBanned)
            .rejected("A banned user joins.", JoinBanned, |s| s.banned(CAROL).joins(CAROL))
            .accepted("A user whose ban was lifted joins.", JoinPublic, |s| {
                s.banned(CAROL).kicked(CAROL).joins(CAROL)
            })
            .variant("by-state", "The user is banned in the state.", Rejected(JoinBanned), |s| {
                let join = s.joins(CAROL);
                s.banned(CAROL).by_state();
                join
            }),
        invited(),
        restricted_and_invited(),
        authorised(),
        leaf(JoinRestrictedAllowed)
            .accepted("A join is authorised by a member who may invite.", JoinRestrictedAllowed, |s| {
                s.join_rule("restricted").joins_by(CAROL, BOB)
            })
            .rejected("A join is authorised by nobody.", JoinRestrictedAuthoriser, |s| {
                s.join_rule("restricted").joins(CAROL)
            })
            .variant("knock", "Knocking may be restricted as well.", Allowed(JoinRestrictedAllowed), |s| {
                s.join_rule("knock_restricted").joins_by(CAROL, BOB)
            })
            .only(knock_restricts)
            .variant(
                "after-knock",
                "Somebody who knocked is authorised.",
                Allowed(JoinRestrictedAllowed),
                |s| s.join_rule("knock_restricted").knocked(CAROL).joins_by(CAROL, BOB),
            )
            .only(knock_restricts),
        leaf(JoinPublic)
            .accepted("Anybody joins where the join rule is public.", JoinPublic, |s| s.joins(CAROL))
            .rejected("Nobody joins where the join rule is private.", JoinOtherwise, |s| {
                s.join_rule("private").joins(CAROL)
            })
            .variant("again", "A member joins again.", Allowed(JoinPublic), |s| s.joins(BOB))
            .variant("authorised", "Who authorises a join means nothing yet.", Allowed(JoinPublic), |s| {
                Draft { signers: vec!["c.example"], ..s.joins_by(CAROL, BOB) }
            })
            .only(|version| !version.restricted),
        otherwise(),
    ]
}

fn restricts(version: &RoomVersion) -> bool {
    version.restricted
}

fn knock_restricts(version: &RoomVersion) -> bool {
    version.knock_restricted
}

fn first_join() -> Leaf {
    leaf(JoinOfCreator)
        .accepted("The creator joins right after the create event.", JoinOfCreator, |s| {
            s.only(Beginning::Created).joins(ALICE)
        })
        .rejected("The creator joins after the create event and another.", JoinOtherwise, |s| {
            let later = s.last();
            let join = s.only(Beginning::Created).joins(ALICE);
            Draft { prev_events: [join.prev_events, later].concat(), ..join }
        })
        .variant(
            "somebody-else",
            "Somebody else joins right after the create event.",
            Rejected(JoinOtherwise),
            |s| s.only(Beginning::Created).joins(CAROL),
        )
        .variant("not-after-create", "The creator joins after another event.", Rejected(JoinOtherwise), |s| {
            let later = s.last();
            Draft { prev_events: later, ..s.only(Beginning::Created).joins(ALICE) }
        })
        .variant(
            "sent-by-another",
            "Who sends the first join of the creator is no matter.",
            Allowed(JoinOfCreator),
            |s| s.only(Beginning::Created).member(CAROL, ALICE, "join"),
        )
}

/// Who the creator is: a property of the content up to room version 10, the sender since.
fn creators() -> Leaf {
    let made_for_bob = |s: &mut Scene| {
        s.created_with(|content| drop(content.insert("creator".into(), json!(BOB))));
    };
    leaf(JoinOfCreator)
        .variant("named", "The named creator joins.", Allowed(JoinOfCreator), move |s| {
            made_for_bob(s);
            s.joins(BOB)
        })
        .only(|version| version.creator_in_content)
        .variant(
            "sender",
            "The sender joins, who is not the named creator.",
            Rejected(JoinOtherwise),
            move |s| {
                made_for_bob(s);
                s.joins(ALICE)
            },
        )
        .only(|version| version.creator_in_content)
        .variant(
            "named",
            "The content names a creator, which means nothing.",
            Rejected(JoinOtherwise),
            move |s| {
                made_for_bob(s);
                s.joins(BOB)
            },
        )
        .only(|version| !version.creator_in_content)
        .variant("sender", "The sender joins, whatever creator is named.", Allowed(JoinOfCreator), move |s| {
            made_for_bob(s);
            s.joins(ALICE)
        })
        .only(|version| !version.creator_in_content)
        .variant("additional", "An additional creator joins first.", Rejected(JoinOtherwise), |s| {
            s.created_with(|content| drop(content.insert("additional_creators".into(), json!([BOB]))))
                .joins(BOB)
        })
        .only(|version| version.privileged_creators)
}

fn invited() -> Leaf {
    leaf(JoinInvited)
        .accepted("The invited join.", JoinInvited, |s| s.join_rule("invite").invited(CAROL).joins(CAROL))
        .rejected("Who is not invited does not join.", JoinOtherwise, |s| s.join_rule("invite").joins(CAROL))
        .variant("again", "A member joins again.", Allowed(JoinInvited), |s| s.join_rule("invite").joins(BOB))
        .variant("declined", "An invite was declined.", Rejected(JoinOtherwise), |s| {
            s.join_rule("invite").invited(CAROL).left(CAROL).joins(CAROL)
        })
        .variant("revoked", "An invite was revoked.", Rejected(JoinOtherwise), |s| {
            s.join_rule("invite").invited(CAROL).kicked(CAROL).joins(CAROL)
        })
        .variant("knock", "The invited join where people knock.", Allowed(JoinInvited), |s| {
            s.join_rule("knock").invited(CAROL).joins(CAROL)
        })
        .only(|version| version.knock)
        .variant("knock", "Knocking is no join rule yet.", Rejected(JoinOtherwise), |s| {
            s.join_rule("knock").invited(CAROL).joins(CAROL)
        })
        .only(|version| !version.knock)
        .variant("knocking", "Who knocked is not invited.", Rejected(JoinOtherwise), |s| {
            s.join_rule("knock").knocked(CAROL).joins(CAROL)
        })
        .only(|version| version.knock)
        .variant("by-state", "The invite is in the state.", Allowed(JoinInvited), |s| {
            let join = s.join_rule("invite").joins(CAROL);
            s.invited(CAROL).by_state();
            join
        })
}

fn restricted_and_invited() -> Leaf {
    leaf(JoinRestrictedInvited)
        .accepted("The invited join, and nobody has to authorise it.", JoinRestrictedInvited, |s| {
            s.join_rule("restricted").invited(CAROL).joins(CAROL)
        })
        .rejected("Who is not invited needs somebody to authorise it.", JoinRestrictedAuthoriser, |s| {
            s.join_rule("restricted").joins(CAROL)
        })
        .variant("again", "A member joins again.", Allowed(JoinRestrictedInvited), |s| {
            s.join_rule("restricted").joins(BOB)
        })
        .variant(
            "stranger",
            "The invited join, authorised by a stranger.",
            Allowed(JoinRestrictedInvited),
            |s| s.join_rule("restricted").invited(CAROL).joins_by(CAROL, DAVE),
        )
        .variant(
            "knock",
            "The invited join where knocking is restricted.",
            Allowed(JoinRestrictedInvited),
            |s| s.join_rule("knock_restricted").invited(CAROL).joins(CAROL),
        )
        .only(knock_restricts)
        .variant("after-leaving", "Who left is not invited.", Rejected(JoinRestrictedAuthoriser), |s| {
            s.joined(CAROL).left(CAROL).join_rule("restricted").joins(CAROL)
        })
}

fn authorised() -> Leaf {
    let rejected = Rejected(JoinRestrictedAuthoriser);
    leaf(JoinRestrictedAuthoriser)
        .rejected("The authoriser is not joined.", JoinRestrictedAuthoriser, |s| {
            s.left(BOB).join_rule("restricted").joins_by(CAROL, BOB)
        })
        .accepted("The authoriser is joined.", JoinRestrictedAllowed, |s| {
            s.left(BOB).joined(BOB).join_rule("restricted").joins_by(CAROL, BOB)
        })
        .variant("unknown", "The authoriser never was in the room.", rejected, |s| {
            s.join_rule("restricted").joins_by(CAROL, DAVE)
        })
        .variant("invited", "The authoriser is only invited.", rejected, |s| {
            s.invited(DAVE).join_rule("restricted").joins_by(CAROL, DAVE)
        })
        .variant("below-the-level", "The authoriser may not invite.", rejected, |s| {
            s.levels(json!({"invite": 51})).join_rule("restricted").joins_by(CAROL, BOB)
        })
        .variant(
            "at-the-level",
            "The authoriser is at the invite level.",
            Allowed(JoinRestrictedAllowed),
            |s| s.levels(json!({"invite": 50})).join_rule("restricted").joins_by(CAROL, BOB),
        )
        .variant("oneself", "The one who joins is the authoriser.", rejected, |s| {
            s.join_rule("restricted").joins_by(CAROL, CAROL)
        })
        .variant("unselected", "The authoriser is not among the auth events.", rejected, |s| {
            s.join_rule("restricted").without("m.room.member", BOB).joins_by(CAROL, BOB)
        })
        .variant("creator", "A creator may invite at any level.", Allowed(JoinRestrictedAllowed), |s| {
            s.levels(json!({"invite": 1000})).join_rule("restricted").joins_by(CAROL, ALICE)
        })
        .only(|version| version.privileged_creators)
        .variant("knock", "Where knocking is restricted, the authoriser is joined too.", rejected, |s| {
            s.join_rule("knock_restricted").joins_by(CAROL, DAVE)
        })
        .only(knock_restricts)
        .variant("by-state", "In the state, the authoriser has left.", rejected, |s| {
            let join = s.join_rule("restricted").joins_by(CAROL, BOB);
            s.left(BOB).by_state();
            join
        })
}

fn otherwise() -> Leaf {
    let rejected = Rejected(JoinOtherwise);
    leaf(JoinOtherwise)
        .rejected("Who is not invited does not join where the join rule is private.", JoinOtherwise, |s| {
            s.join_rule("private").joins(CAROL)
        })
        .accepted("Who is not invited joins where the join rule is public.", JoinPublic, |s| s.joins(CAROL))
        .variant("private", "Invites do not count where the join rule is private.", rejected, |s| {
            s.join_rule("private").invited(CAROL).joins(CAROL)
        })
        .variant("unheard-of", "Invites do not count where nobody knows the join rule.", rejected, |s| {
            s.join_rule("unheard-of").invited(CAROL).joins(CAROL)
        })
        .variant("no-join-rules", "Without join rules, a stranger does not join.", rejected, |s| {
            s.only(Beginning::Founded).joins(CAROL)
        })
        .variant("restricted", "Restricted is no join rule yet.", rejected, |s| {
            s.join_rule("restricted").invited(CAROL).joins_by(CAROL, BOB)
        })
        .only(|version| !restricts(version))
        .variant("knock-restricted", "Knocking is not restricted yet.", rejected, |s| {
            s.join_rule("knock_restricted").invited(CAROL).joins_by(CAROL, BOB)
        })
        .only(|version| !knock_restricts(version))
        .variant("by-state", "The join rules of the state are others.", rejected, |s| {
            let join = s.joins(CAROL);
            s.join_rule("invite").by_state();
            join
        })
}
