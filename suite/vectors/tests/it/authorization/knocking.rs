//! "If `membership` is `knock`".

use oracle::Rule::*;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{BOB, Beginning, CAROL};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(KnockJoinRule)
            .rejected("The join rule is public.", KnockJoinRule, |s| s.knocks(CAROL))
            .accepted("The join rule is knock.", KnockAllowed, |s| s.join_rule("knock").knocks(CAROL))
            .variant("invite", "The join rule is invite.", Rejected(KnockJoinRule), |s| {
                s.join_rule("invite").knocks(CAROL)
            })
            .variant("restricted", "The join rule is restricted.", Rejected(KnockJoinRule), |s| {
                s.join_rule("restricted").knocks(CAROL)
            })
            .variant("knock-restricted", "Knocking is restricted.", Allowed(KnockAllowed), |s| {
                s.join_rule("knock_restricted").knocks(CAROL)
            })
            .only(|version| version.knock_restricted)
            .variant("knock-restricted", "Knocking is not restricted yet.", Rejected(KnockJoinRule), |s| {
                s.join_rule("knock_restricted").knocks(CAROL)
            })
            .only(|version| !version.knock_restricted)
            .variant("no-join-rules", "There are no join rules.", Rejected(KnockJoinRule), |s| {
                s.only(Beginning::Founded).knocks(CAROL)
            })
            .variant("by-state", "The join rules of the state are others.", Rejected(KnockJoinRule), |s| {
                let knock = s.join_rule("knock").knocks(CAROL);
                s.join_rule("invite").by_state();
                knock
            }),
        leaf(KnockOfAnother)
            .rejected("A member knocks for somebody else.", KnockOfAnother, |s| {
                s.join_rule("knock").member(BOB, CAROL, "knock")
            })
            .accepted("Somebody knocks.", KnockAllowed, |s| s.join_rule("knock").knocks(CAROL)),
        leaf(KnockAllowed)
            .accepted("Who left knocks.", KnockAllowed, |s| {
                s.joined(CAROL).left(CAROL).join_rule("knock").knocks(CAROL)
            })
            .rejected("Who is joined does not knock.", KnockOtherwise, |s| {
                s.joined(CAROL).join_rule("knock").knocks(CAROL)
            })
            .variant("again", "Somebody knocks again.", Allowed(KnockAllowed), |s| {
                s.join_rule("knock").knocked(CAROL).knocks(CAROL)
            }),
        leaf(KnockOtherwise)
            .rejected("The banned do not knock.", KnockOtherwise, |s| {
                s.banned(CAROL).join_rule("knock").knocks(CAROL)
            })
            .accepted("Who was banned knocks when the ban was lifted.", KnockAllowed, |s| {
                s.banned(CAROL).kicked(CAROL).join_rule("knock").knocks(CAROL)
            })
            .variant("invited", "The invited do not knock.", Rejected(KnockOtherwise), |s| {
                s.invited(CAROL).join_rule("knock").knocks(CAROL)
            }),
    ]
}
