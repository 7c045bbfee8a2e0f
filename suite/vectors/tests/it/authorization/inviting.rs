//! "If `membership` is `invite`", without a third party.

use oracle::Rule::*;
use serde_json::json;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, Beginning, CAROL, DAVE};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(InviteByOutsider)
            .rejected("Somebody invites who is not joined.", InviteByOutsider, |s| s.invites(DAVE, CAROL))
            .accepted("A member invites.", InviteAllowed, |s| s.joined(DAVE).invites(DAVE, CAROL))
            .variant("invited", "Who is only invited does not invite.", Rejected(InviteByOutsider), |s| {
                s.invited(DAVE).invites(DAVE, CAROL)
            })
            .variant("left", "Who left does not invite.", Rejected(InviteByOutsider), |s| {
                s.left(BOB).invites(BOB, CAROL)
            })
            .variant("oneself", "Nobody invites themselves.", Rejected(InviteByOutsider), |s| {
                s.invites(CAROL, CAROL)
            }),
        leaf(InviteOfMember)
            .rejected("The target is joined.", InviteOfMember, |s| s.joined(CAROL).invites(BOB, CAROL))
            .accepted("The target has left.", InviteAllowed, |s| {
                s.joined(CAROL).left(CAROL).invites(BOB, CAROL)
            })
            .variant("banned", "The target is banned.", Rejected(InviteOfMember), |s| {
                s.banned(CAROL).invites(ALICE, CAROL)
            })
            .variant("oneself", "Members do not invite themselves.", Rejected(InviteOfMember), |s| {
                s.invites(BOB, BOB)
            })
            .variant("invited", "The target is invited already.", Allowed(InviteAllowed), |s| {
                s.invited(CAROL).invites(BOB, CAROL)
            })
            .variant("knocking", "The target knocked.", Allowed(InviteAllowed), |s| {
                s.join_rule("knock").knocked(CAROL).invites(BOB, CAROL)
            })
            .only(|version| version.knock)
            .variant("by-state", "The target is joined in the state.", Rejected(InviteOfMember), |s| {
                let invite = s.invites(BOB, CAROL);
                s.joined(CAROL).by_state();
                invite
            }),
        leaf(InviteAllowed)
            .accepted("The sender is at the invite level.", InviteAllowed, |s| {
                s.levels(json!({"invite": 50})).invites(BOB, CAROL)
            })
            .rejected("The sender is one below the invite level.", InviteOtherwise, |s| {
                s.levels(json!({"invite": 51})).invites(BOB, CAROL)
            })
            .variant("default", "Without an invite level, it is 0.", Allowed(InviteAllowed), |s| {
                s.joined(DAVE).invites(DAVE, CAROL)
            })
            .variant("no-levels", "Without power levels, members invite.", Allowed(InviteAllowed), |s| {
                s.only(Beginning::Joined).invites(BOB, CAROL)
            })
            .variant("state-default", "What state needs is no matter.", Allowed(InviteAllowed), |s| {
                let levels = json!({"state_default": 100, "events": {"m.room.member": 100}});
                s.levels(levels).invites(BOB, CAROL)
            })
            .variant("creator", "A creator invites at any level.", Allowed(InviteAllowed), |s| {
                s.levels(json!({"invite": 9_007_199_254_740_991_i64})).invites(ALICE, CAROL)
            })
            .only(|version| version.privileged_creators),
        leaf(InviteOtherwise)
            .rejected("The sender is below the invite level.", InviteOtherwise, |s| {
                s.joined(DAVE).levels(json!({"invite": 1})).invites(DAVE, CAROL)
            })
            .accepted("The sender is above the invite level.", InviteAllowed, |s| {
                s.joined(DAVE).levels(json!({"invite": -1})).invites(DAVE, CAROL)
            })
            .variant("negative", "The sender is below 0.", Rejected(InviteOtherwise), |s| {
                s.joined(DAVE).levels(json!({"users_default": -1})).invites(DAVE, CAROL)
            }),
    ]
}
