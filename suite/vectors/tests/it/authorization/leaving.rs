//! "If `membership` is `leave`" and "if `membership` is `ban`".

use oracle::Rule::*;
use serde_json::json;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, Beginning, CAROL, DAVE, Scene};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leave_of_sender(),
        leaf(LeaveByOutsider)
            .rejected("Somebody kicks who is not joined.", LeaveByOutsider, |s| {
                moderator(s).left(DAVE).kicks(DAVE, CAROL)
            })
            .accepted("A member kicks.", LeaveAllowed, |s| moderator(s).kicks(DAVE, CAROL))
            .variant("invited", "Who is only invited does not kick.", Rejected(LeaveByOutsider), |s| {
                moderator(s).left(DAVE).invited(DAVE).kicks(DAVE, CAROL)
            })
            .variant("banned", "Who is banned does not kick.", Rejected(LeaveByOutsider), |s| {
                moderator(s).banned(DAVE).kicks(DAVE, CAROL)
            }),
        leaf(LeaveOfBanned)
            .rejected("A ban is lifted below the ban level.", LeaveOfBanned, |s| {
                s.levels(json!({"ban": 51})).banned(CAROL).kicks(BOB, CAROL)
            })
            .accepted("A ban is lifted at the ban level.", LeaveAllowed, |s| {
                s.levels(json!({"ban": 50})).banned(CAROL).kicks(BOB, CAROL)
            })
            .variant(
                "kick-level",
                "To lift a ban needs the kick level too.",
                Rejected(LeaveOtherwise),
                |s| s.levels(json!({"kick": 51})).banned(CAROL).kicks(BOB, CAROL),
            ),
        kicking(),
        leaf(LeaveOtherwise)
            .rejected("The sender is below the kick level.", LeaveOtherwise, |s| {
                s.joined(CAROL).levels(json!({"kick": 51})).kicks(BOB, CAROL)
            })
            .accepted("The sender is at the kick level.", LeaveAllowed, |s| {
                s.joined(CAROL).levels(json!({"kick": 50})).kicks(BOB, CAROL)
            })
            .variant("default", "Without a kick level, it is 50.", Rejected(LeaveOtherwise), |s| {
                s.joined(CAROL).levels(json!({"users": {BOB: 49}})).kicks(BOB, CAROL)
            })
            .variant(
                "no-levels",
                "Without power levels, members do not kick.",
                Rejected(LeaveOtherwise),
                |s| s.only(Beginning::Joined).joined(CAROL).kicks(BOB, CAROL),
            )
            .variant("above", "The target is above the sender.", Rejected(LeaveOtherwise), |s| {
                s.kicks(BOB, ALICE)
            })
            .variant("creator", "Nobody kicks a creator.", Rejected(LeaveOtherwise), |s| {
                s.levels(json!({"users": {BOB: 9_007_199_254_740_991_i64}})).kicks(BOB, ALICE)
            })
            .only(|version| version.privileged_creators),
        leaf(BanByOutsider)
            .rejected("Somebody bans who is not joined.", BanByOutsider, |s| {
                moderator(s).left(DAVE).bans(DAVE, CAROL)
            })
            .accepted("A member bans.", BanAllowed, |s| moderator(s).bans(DAVE, CAROL))
            .variant("invited", "Who is only invited does not ban.", Rejected(BanByOutsider), |s| {
                moderator(s).left(DAVE).invited(DAVE).bans(DAVE, CAROL)
            }),
        banning(),
        leaf(BanOtherwise)
            .rejected("The sender is below the ban level.", BanOtherwise, |s| {
                s.joined(CAROL).levels(json!({"ban": 51})).bans(BOB, CAROL)
            })
            .accepted("The sender is at the ban level.", BanAllowed, |s| {
                s.joined(CAROL).levels(json!({"ban": 50})).bans(BOB, CAROL)
            })
            .variant("default", "Without a ban level, it is 50.", Rejected(BanOtherwise), |s| {
                s.joined(CAROL).levels(json!({"users": {BOB: 49}})).bans(BOB, CAROL)
            })
            .variant("no-levels", "Without power levels, members do not ban.", Rejected(BanOtherwise), |s| {
                s.only(Beginning::Joined).joined(CAROL).bans(BOB, CAROL)
            })
            .variant("oneself", "Nobody is below themselves.", Rejected(BanOtherwise), |s| s.bans(BOB, BOB))
            .variant("creator", "Nobody bans a creator.", Rejected(BanOtherwise), |s| {
                s.levels(json!({"users": {BOB: 9_007_199_254_740_991_i64}})).bans(BOB, ALICE)
            })
            .only(|version| version.privileged_creators)
            .variant("by-state", "The levels of the state are others.", Rejected(BanOtherwise), |s| {
                let ban = s.joined(CAROL).bans(BOB, CAROL);
                s.levels(json!({"ban": 51})).by_state();
                ban
            }),
    ]
}

/// Dave is joined with level 50, and so is Carol without any.
fn moderator(s: &mut Scene) -> &mut Scene {
    s.joined(CAROL).joined(DAVE).levels(json!({"users": {DAVE: 50}}))
}

fn leave_of_sender() -> Leaf {
    let (allowed, rejected) = (Allowed(LeaveOfSender), Rejected(LeaveOfSender));
    leaf(LeaveOfSender)
        .accepted("A member leaves.", LeaveOfSender, |s| s.joined(CAROL).leaves(CAROL))
        .rejected("Somebody leaves who never was there.", LeaveOfSender, |s| s.leaves(CAROL))
        .variant("declined", "The invited decline.", allowed, |s| s.invited(CAROL).leaves(CAROL))
        .variant("left", "Who left does not leave again.", rejected, |s| {
            s.joined(CAROL).left(CAROL).leaves(CAROL)
        })
        .variant("banned", "The banned do not leave.", rejected, |s| s.banned(CAROL).leaves(CAROL))
        .variant("banned-moderator", "Not even with the levels to lift a ban.", rejected, |s| {
            s.banned(BOB).leaves(BOB)
        })
        .variant("withdrawn", "A knock is withdrawn.", allowed, |s| {
            s.join_rule("knock").knocked(CAROL).leaves(CAROL)
        })
        .only(|version| version.knock)
        .variant("declined-by-state", "The invite is in the state.", allowed, |s| {
            let leave = s.leaves(CAROL);
            s.invited(CAROL).by_state();
            leave
        })
}

fn kicking() -> Leaf {
    leaf(LeaveAllowed)
        .accepted("The target is one below the sender.", LeaveAllowed, |s| {
            s.joined(CAROL).levels(json!({"users": {CAROL: 49}})).kicks(BOB, CAROL)
        })
        .rejected("The target has the level of the sender.", LeaveOtherwise, |s| {
            s.joined(CAROL).levels(json!({"users": {CAROL: 50}})).kicks(BOB, CAROL)
        })
        .variant("default", "Without a kick level, it is 50.", Allowed(LeaveAllowed), |s| {
            s.joined(CAROL).kicks(BOB, CAROL)
        })
        .variant("invite", "An invite is revoked.", Allowed(LeaveAllowed), |s| {
            s.invited(CAROL).kicks(BOB, CAROL)
        })
        .variant("knock", "A knock is refused.", Allowed(LeaveAllowed), |s| {
            s.join_rule("knock").knocked(CAROL).kicks(BOB, CAROL)
        })
        .only(|version| version.knock)
        .variant(
            "nobody",
            "Somebody is kicked who never was there, which no rule forbids.",
            Allowed(LeaveAllowed),
            |s| s.kicks(BOB, CAROL),
        )
        .variant("no-levels", "Without power levels, the creator kicks.", Allowed(LeaveAllowed), |s| {
            s.only(Beginning::Joined).kicks(ALICE, BOB)
        })
        .variant("users-default", "Who is not listed has the default level.", Rejected(LeaveOtherwise), |s| {
            s.joined(CAROL).levels(json!({"users_default": 50})).kicks(BOB, CAROL)
        })
        .variant("creator", "A creator kicks at any level.", Allowed(LeaveAllowed), |s| {
            let top = 9_007_199_254_740_991_i64;
            s.levels(json!({"kick": top, "users": {BOB: top}})).kicks(ALICE, BOB)
        })
        .only(|version| version.privileged_creators)
        .variant("creator-by-creator", "Creators do not kick each other.", Rejected(LeaveOtherwise), |s| {
            with_two_creators(s).kicks(BOB, ALICE)
        })
        .only(|version| version.privileged_creators)
        .variant("additional-creator", "An additional creator kicks.", Allowed(LeaveAllowed), |s| {
            with_two_creators(s).joined(CAROL).kicks(BOB, CAROL)
        })
        .only(|version| version.privileged_creators)
}

/// A room in which Bob is a creator too, and nobody has another level than that of creators or none.
fn with_two_creators(s: &mut Scene) -> &mut Scene {
    s.created_with(|content| drop(content.insert("additional_creators".into(), json!([BOB]))));
    s.joined(ALICE).join_rule("public").joined(BOB)
}

fn banning() -> Leaf {
    leaf(BanAllowed)
        .accepted("The target is one below the sender.", BanAllowed, |s| {
            s.joined(CAROL).levels(json!({"users": {CAROL: 49}})).bans(BOB, CAROL)
        })
        .rejected("The target has the level of the sender.", BanOtherwise, |s| {
            s.joined(CAROL).levels(json!({"users": {CAROL: 50}})).bans(BOB, CAROL)
        })
        .variant("default", "Without a ban level, it is 50.", Allowed(BanAllowed), |s| {
            s.joined(CAROL).bans(BOB, CAROL)
        })
        .variant("stranger", "Somebody is banned who never was there.", Allowed(BanAllowed), |s| {
            s.bans(BOB, CAROL)
        })
        .variant("again", "Somebody is banned again.", Allowed(BanAllowed), |s| {
            s.banned(CAROL).bans(BOB, CAROL)
        })
        .variant("kick-level", "The kick level is no matter.", Allowed(BanAllowed), |s| {
            s.joined(CAROL).levels(json!({"kick": 51})).bans(BOB, CAROL)
        })
        .variant("gone", "The target keeps the level after leaving.", Rejected(BanOtherwise), |s| {
            s.joined(CAROL).levels(json!({"users": {CAROL: 50}})).left(CAROL).bans(BOB, CAROL)
        })
        .variant("creator", "A creator bans at any level.", Allowed(BanAllowed), |s| {
            let top = 9_007_199_254_740_991_i64;
            s.levels(json!({"ban": top, "users": {BOB: top}})).bans(ALICE, BOB)
        })
        .only(|version| version.privileged_creators)
}
