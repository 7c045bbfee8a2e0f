//! Joins, invites, leaves, kicks, bans and knocks.

use protocol::keys::SigningKey;
use protocol::{base64, signatures};
use serde_json::{Value, json};

use super::{ALLOW, Case, REJECT};
use crate::Event;
use crate::Rule::*;
use crate::tests::scene::{Scene, id, object, refer};
use crate::tests::{ALICE, BOB, CAROL, DAVE};

pub(super) fn joining() -> Vec<Case> {
    vec![
        ("a member without membership", MemberProperties, REJECT, |s| {
            s.event(BOB, "m.room.member", Some(BOB), json!({}))
        }),
        ("a member without state key", MemberProperties, REJECT, |s| {
            s.event(BOB, "m.room.member", None, json!({"membership": "join"}))
        }),
        ("a membership that is none", MemberOtherwise, REJECT, |s| s.membership(BOB, BOB, "dance")),
        ("a membership that is no string", MemberOtherwise, REJECT, |s| {
            s.event(BOB, "m.room.member", Some(BOB), json!({"membership": 1}))
        }),
        ("the authoriser's server did not sign", MemberAuthoriserSignature, REJECT, |s| {
            s.signed = false;
            authorised_join(s, ALICE)
        }),
        ("the authoriser has no server", MemberAuthoriserSignature, REJECT, |s| authorised_join(s, "alice")),
        ("the creator after the create event", JoinOfCreator, ALLOW, |s| {
            s.state.retain(|(event_type, _), _| event_type == "m.room.create");
            first_join(s, ALICE)
        }),
        ("another after the create event", JoinOtherwise, REJECT, |s| {
            s.state.retain(|(event_type, _), _| event_type == "m.room.create");
            first_join(s, BOB)
        }),
        ("the join of another", JoinOfAnother, REJECT, |s| s.membership(BOB, CAROL, "join")),
        ("the banned", JoinBanned, REJECT, |s| s.member(CAROL, "ban").membership(CAROL, CAROL, "join")),
        ("anybody, publicly", JoinPublic, ALLOW, |s| s.membership(CAROL, CAROL, "join")),
        ("the invited", JoinInvited, ALLOW, |s| {
            s.join_rule("invite").member(CAROL, "invite").membership(CAROL, CAROL, "join")
        }),
        ("the joined once more", JoinInvited, ALLOW, |s| s.join_rule("invite").membership(BOB, BOB, "join")),
        ("the uninvited", JoinOtherwise, REJECT, |s| s.join_rule("invite").membership(CAROL, CAROL, "join")),
        ("private is no rule for joining", JoinOtherwise, REJECT, |s| {
            s.join_rule("private").member(CAROL, "invite").membership(CAROL, CAROL, "join")
        }),
        ("the invited, without join rules", JoinInvited, ALLOW, |s| {
            s.forget("m.room.join_rules", "").member(CAROL, "invite").membership(CAROL, CAROL, "join")
        }),
        ("the uninvited, without join rules", JoinOtherwise, REJECT, |s| {
            s.forget("m.room.join_rules", "").membership(CAROL, CAROL, "join")
        }),
        ("the invited, where joins are restricted", JoinRestrictedInvited, ALLOW, |s| {
            s.join_rule("restricted").member(CAROL, "invite").membership(CAROL, CAROL, "join")
        }),
        ("nobody authorised", JoinRestrictedAuthoriser, REJECT, |s| {
            s.join_rule("restricted").membership(CAROL, CAROL, "join")
        }),
        ("an authoriser who is not joined", JoinRestrictedAuthoriser, REJECT, |s| {
            s.join_rule("restricted").member(BOB, "leave");
            authorised_join(s, BOB)
        }),
        ("an authoriser below the invite level", JoinRestrictedAuthoriser, REJECT, |s| {
            s.join_rule("restricted").levels(json!({"invite": 51}));
            authorised_join(s, BOB)
        }),
        ("an authoriser at the invite level", JoinRestrictedAllowed, ALLOW, |s| {
            s.join_rule("restricted").levels(json!({"invite": 50}));
            authorised_join(s, BOB)
        }),
    ]
}

pub(super) fn inviting() -> Vec<Case> {
    vec![
        ("an invite", InviteAllowed, ALLOW, |s| s.membership(BOB, CAROL, "invite")),
        ("an invite at the invite level", InviteAllowed, ALLOW, |s| {
            s.levels(json!({"invite": 50})).membership(BOB, CAROL, "invite")
        }),
        ("an invite below the invite level", InviteOtherwise, REJECT, |s| {
            s.levels(json!({"invite": 51})).membership(BOB, CAROL, "invite")
        }),
        ("an invite by an outsider", InviteByOutsider, REJECT, |s| s.membership(CAROL, DAVE, "invite")),
        ("an invite of the joined", InviteOfMember, REJECT, |s| s.membership(BOB, ALICE, "invite")),
        ("an invite of the banned", InviteOfMember, REJECT, |s| {
            s.member(CAROL, "ban").membership(BOB, CAROL, "invite")
        }),
        ("a second invite", InviteAllowed, ALLOW, |s| {
            s.member(CAROL, "invite").membership(BOB, CAROL, "invite")
        }),
        ("third party: a proof", ThirdPartySignature, ALLOW, |s| third_party(s, |_| {})),
        ("third party: below the invite level", ThirdPartySignature, ALLOW, |s| {
            s.levels(json!({"invite": 100}));
            third_party(s, |_| {})
        }),
        ("third party: the banned", ThirdPartyBanned, REJECT, |s| {
            s.member(CAROL, "ban");
            third_party(s, |_| {})
        }),
        ("third party: nothing signed", ThirdPartyUnsigned, REJECT, |s| {
            third_party(s, |invite| *invite = json!({"display_name": "carol"}))
        }),
        ("third party: no token", ThirdPartyProperties, REJECT, |s| {
            third_party(s, |invite| drop(invite["signed"].as_object_mut().unwrap().remove("token")))
        }),
        ("third party: no mxid", ThirdPartyProperties, REJECT, |s| {
            third_party(s, |invite| drop(invite["signed"].as_object_mut().unwrap().remove("mxid")))
        }),
        ("third party: somebody else's proof", ThirdPartyTarget, REJECT, |s| {
            third_party(s, |invite| invite["signed"]["mxid"] = json!(DAVE))
        }),
        ("third party: an unknown token", ThirdPartyToken, REJECT, |s| {
            third_party(s, |invite| invite["signed"]["token"] = json!("unknown"))
        }),
        ("third party: not the one who offered", ThirdPartySender, REJECT, |s| {
            let event = third_party(s, |_| {});
            s.altered(&event, |pdu| drop(pdu.insert("sender".into(), json!(ALICE))))
        }),
        ("third party: a signature that does not fit", ThirdPartyOtherwise, REJECT, |s| {
            third_party(s, |invite| invite["signed"]["extra"] = json!("added later"))
        }),
        ("third party: no signature", ThirdPartyOtherwise, REJECT, |s| {
            third_party(s, |invite| invite["signed"]["signatures"] = json!({}))
        }),
        ("third party: a second signature fits", ThirdPartySignature, ALLOW, |s| {
            third_party(s, |invite| invite["signed"]["signatures"]["a.first"] = json!({"ed25519:0": "AAAA"}))
        }),
    ]
}

pub(super) fn leaving() -> Vec<Case> {
    vec![
        ("leaving", LeaveOfSender, ALLOW, |s| s.membership(BOB, BOB, "leave")),
        ("declining an invite", LeaveOfSender, ALLOW, |s| {
            s.member(CAROL, "invite").membership(CAROL, CAROL, "leave")
        }),
        ("leaving twice", LeaveOfSender, REJECT, |s| {
            s.member(CAROL, "leave").membership(CAROL, CAROL, "leave")
        }),
        ("leaving without ever joining", LeaveOfSender, REJECT, |s| s.membership(CAROL, CAROL, "leave")),
        ("leaving a ban", LeaveOfSender, REJECT, |s| {
            s.member(CAROL, "ban").membership(CAROL, CAROL, "leave")
        }),
        ("a kick by an outsider", LeaveByOutsider, REJECT, |s| s.membership(CAROL, BOB, "leave")),
        ("lifting a ban below the ban level", LeaveOfBanned, REJECT, |s| {
            s.levels(json!({"ban": 51})).member(CAROL, "ban").membership(BOB, CAROL, "leave")
        }),
        ("lifting a ban", LeaveAllowed, ALLOW, |s| s.member(CAROL, "ban").membership(BOB, CAROL, "leave")),
        ("lifting a ban below the kick level", LeaveOtherwise, REJECT, |s| {
            s.levels(json!({"kick": 51})).member(CAROL, "ban").membership(BOB, CAROL, "leave")
        }),
        ("a kick", LeaveAllowed, ALLOW, |s| s.member(CAROL, "join").membership(BOB, CAROL, "leave")),
        ("a kick of somebody equal", LeaveOtherwise, REJECT, |s| {
            s.levels(json!({"users": {CAROL: 50}})).member(CAROL, "join").membership(BOB, CAROL, "leave")
        }),
        ("a kick of the creator", LeaveOtherwise, REJECT, |s| s.membership(BOB, ALICE, "leave")),
        ("a ban", BanAllowed, ALLOW, |s| s.membership(BOB, CAROL, "ban")),
        ("a ban by an outsider", BanByOutsider, REJECT, |s| s.membership(CAROL, BOB, "ban")),
        ("a ban below the ban level", BanOtherwise, REJECT, |s| {
            s.levels(json!({"ban": 51})).membership(BOB, CAROL, "ban")
        }),
        ("a ban of oneself", BanOtherwise, REJECT, |s| s.membership(BOB, BOB, "ban")),
        ("a ban of the creator", BanOtherwise, REJECT, |s| s.membership(BOB, ALICE, "ban")),
    ]
}

pub(super) fn knocking() -> Vec<Case> {
    vec![
        ("a knock", KnockAllowed, ALLOW, |s| s.join_rule("knock").membership(CAROL, CAROL, "knock")),
        ("a second knock", KnockAllowed, ALLOW, |s| {
            s.join_rule("knock").member(CAROL, "knock").membership(CAROL, CAROL, "knock")
        }),
        ("a knock where nobody listens", KnockJoinRule, REJECT, |s| s.membership(CAROL, CAROL, "knock")),
        ("a knock for another", KnockOfAnother, REJECT, |s| {
            s.join_rule("knock").membership(BOB, CAROL, "knock")
        }),
        ("a knock by the joined", KnockOtherwise, REJECT, |s| {
            s.join_rule("knock").membership(BOB, BOB, "knock")
        }),
        ("a knock by the banned", KnockOtherwise, REJECT, |s| {
            s.join_rule("knock").member(CAROL, "ban").membership(CAROL, CAROL, "knock")
        }),
        ("a knock by the invited", KnockOtherwise, REJECT, |s| {
            s.join_rule("knock").member(CAROL, "invite").membership(CAROL, CAROL, "knock")
        }),
    ]
}

/// Carol joins on somebody's authority.
fn authorised_join(scene: &Scene, authoriser: &str) -> Event {
    let content = json!({"membership": "join", "join_authorised_via_users_server": authoriser});
    scene.event(CAROL, "m.room.member", Some(CAROL), content)
}

fn first_join(scene: &Scene, user_id: &str) -> Event {
    let join = scene.membership(user_id, user_id, "join");
    let create = id(scene.version, "C");
    scene.altered(&join, |pdu| refer(scene.version, pdu, "prev_events", &[create]))
}

/// Bob offered a place to an address that turned out to be Carol's, and invites her by the identity server's
/// proof.
fn third_party(scene: &mut Scene, alter: impl FnOnce(&mut Value)) -> Event {
    let key = SigningKey::from_seed("0", &[7; 32]).unwrap();
    let other = SigningKey::from_seed("0", &[8; 32]).unwrap();
    let offer = json!({
        "public_key": base64::encode_url_safe(base64::decode(&other.verify_key().to_base64()).unwrap()),
        "public_keys": [{"key_validity_url": "none"}, {"public_key": key.verify_key().to_base64()}],
    });
    scene.set(BOB, "m.room.third_party_invite", "token", offer);
    let mut signed = object(json!({"mxid": CAROL, "token": "token"}));
    signatures::sign(&mut signed, "identity.example", &key).unwrap();
    let mut invite = json!({"display_name": "carol", "signed": signed});
    alter(&mut invite);
    let content = json!({"membership": "invite", "third_party_invite": invite});
    scene.event(BOB, "m.room.member", Some(CAROL), content)
}
