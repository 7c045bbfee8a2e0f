//! At least one event for every rule of every room version; two where a rule both allows and rejects.

use protocol::RoomVersion;
use protocol::keys::SigningKey;
use protocol::{base64, signatures};
use serde_json::{Value, json};

use super::scene::{Scene, id, object, refer};
use super::{ALICE, BOB, CAROL, DAVE};
use crate::oracle::Rule::*;
use crate::oracle::{Decision, Event, Rule};

const ALLOW: bool = true;
const REJECT: bool = false;

/// What a case shows, the rule that must decide, how, and the event in its scene.
type Case = (&'static str, Rule, bool, fn(&mut Scene) -> Event);

#[test]
fn every_case_is_decided_by_its_rule_in_every_version_that_has_it() {
    for version in RoomVersion::ALL {
        for (name, rule, allowed, event) in cases() {
            if rule.number(version).is_some() {
                let mut scene = Scene::new(version);
                let event = event(&mut scene);
                let decision = scene.decide(&event);
                let is_allowed = matches!(decision, Decision::Allow { .. });
                assert_eq!(
                    (decision.rule(), is_allowed),
                    (rule, allowed),
                    "v{}: {name}: {decision:?}",
                    version.id
                );
                assert_eq!(Some(decision.number()), rule.number(version));
            }
        }
    }
}

#[test]
fn every_rule_has_a_case() {
    let covered: Vec<Rule> = cases().into_iter().map(|(_, rule, ..)| rule).collect();
    for version in RoomVersion::ALL {
        for rule in Rule::of(version).filter(|rule| !super::auth_events::RULES.contains(rule)) {
            assert!(covered.contains(&rule), "no case for {rule}");
        }
    }
}

fn cases() -> Vec<Case> {
    [creation(), joining(), inviting(), leaving(), knocking(), sending(), changing_levels(), redacting()]
        .concat()
}

fn creation() -> Vec<Case> {
    vec![
        ("a create event", CreateAllowed, ALLOW, |s| s.create(|_| {})),
        ("no room version means 1", CreateAllowed, ALLOW, |s| {
            s.create(|pdu| drop(content(pdu).remove("room_version")))
        }),
        ("previous events", CreateHasPrevEvents, REJECT, |s| {
            let version = s.version;
            s.create(|pdu| refer(version, pdu, "prev_events", &[id(version, "M")]))
        }),
        ("a room id of another server, or any", CreateRoomId, REJECT, |s| {
            s.create(|pdu| drop(pdu.insert("room_id".into(), json!("!room:b.example"))))
        }),
        ("an unheard-of room version", CreateRoomVersion, REJECT, |s| {
            s.create(|pdu| drop(content(pdu).insert("room_version".into(), json!("unheard-of"))))
        }),
        ("a room version that is a number", CreateRoomVersion, REJECT, |s| {
            s.create(|pdu| drop(content(pdu).insert("room_version".into(), json!(6))))
        }),
        ("no creator", CreateCreator, REJECT, |s| s.create(|pdu| drop(content(pdu).remove("creator")))),
        ("an additional creator without a domain", CreateAdditionalCreators, REJECT, |s| {
            s.create(|pdu| drop(content(pdu).insert("additional_creators".into(), json!([BOB, "@bob"]))))
        }),
        ("additional creators that are no list", CreateAdditionalCreators, REJECT, |s| {
            s.create(|pdu| drop(content(pdu).insert("additional_creators".into(), json!(BOB))))
        }),
        ("additional creators", CreateAllowed, ALLOW, |s| {
            s.create(|pdu| drop(content(pdu).insert("additional_creators".into(), json!([BOB]))))
        }),
        ("a room id that is not the create event's", RoomIdIsCreateEvent, REJECT, |s| {
            let message = s.message(BOB);
            s.altered(&message, |pdu| drop(pdu.insert("room_id".into(), json!("!D"))))
        }),
        ("another server in a room that is not federated", NotFederated, REJECT, |s| {
            s.replace_create(|pdu| drop(content(pdu).insert("m.federate".into(), json!(false))));
            s.message(BOB)
        }),
        ("the own server in a room that is not federated", Otherwise, ALLOW, |s| {
            s.replace_create(|pdu| drop(content(pdu).insert("m.federate".into(), json!(false))));
            s.message(ALICE)
        }),
        ("m.federate that is no false", Otherwise, ALLOW, |s| {
            s.replace_create(|pdu| drop(content(pdu).insert("m.federate".into(), json!("false"))));
            s.message(BOB)
        }),
        ("aliases without state key", AliasesStateKey, REJECT, |s| {
            s.event(BOB, "m.room.aliases", None, json!({}))
        }),
        ("aliases of another server", AliasesDomain, REJECT, |s| {
            s.event(BOB, "m.room.aliases", Some("a.example"), json!({}))
        }),
        ("aliases by somebody who never joined", AliasesAllowed, ALLOW, |s| {
            s.event(CAROL, "m.room.aliases", Some("c.example"), json!({}))
        }),
    ]
}

fn joining() -> Vec<Case> {
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
        ("no join rules", JoinOtherwise, REJECT, |s| {
            s.forget("m.room.join_rules", "").member(CAROL, "invite").membership(CAROL, CAROL, "join")
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

fn inviting() -> Vec<Case> {
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

fn leaving() -> Vec<Case> {
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

fn knocking() -> Vec<Case> {
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

fn sending() -> Vec<Case> {
    vec![
        ("a message", Otherwise, ALLOW, |s| s.message(BOB)),
        ("a message by an outsider", SenderNotJoined, REJECT, |s| s.message(CAROL)),
        ("a message by the invited", SenderNotJoined, REJECT, |s| s.member(CAROL, "invite").message(CAROL)),
        ("an offer at the invite level", ThirdPartyInviteLevel, ALLOW, |s| {
            s.levels(json!({"invite": 50, "state_default": 100}));
            s.event(BOB, "m.room.third_party_invite", Some("token"), json!({}))
        }),
        ("an offer below the invite level", ThirdPartyInviteLevel, REJECT, |s| {
            s.levels(json!({"invite": 51, "state_default": 0}));
            s.event(BOB, "m.room.third_party_invite", Some("token"), json!({}))
        }),
        ("a message below events_default", RequiredPowerLevel, REJECT, |s| {
            s.levels(json!({"events_default": 51})).message(BOB)
        }),
        ("a message above events", Otherwise, ALLOW, |s| {
            s.levels(json!({"events_default": 51, "events": {"m.room.message": 50}})).message(BOB)
        }),
        ("state below the default of 50", RequiredPowerLevel, REJECT, |s| {
            s.member(CAROL, "join").event(CAROL, "m.room.topic", Some(""), json!({}))
        }),
        ("state below state_default", RequiredPowerLevel, REJECT, |s| {
            s.levels(json!({"state_default": 51})).event(BOB, "m.room.topic", Some(""), json!({}))
        }),
        ("state above events", Otherwise, ALLOW, |s| {
            s.levels(json!({"state_default": 51, "events": {"m.room.topic": 50}}));
            s.event(BOB, "m.room.topic", Some(""), json!({}))
        }),
        ("state without power levels needs 50", RequiredPowerLevel, REJECT, |s| {
            s.forget("m.room.power_levels", "").event(BOB, "m.room.topic", Some(""), json!({}))
        }),
        ("the creator without power levels", Otherwise, ALLOW, |s| {
            s.forget("m.room.power_levels", "").event(ALICE, "m.room.topic", Some(""), json!({}))
        }),
        ("state of another user", StateKeyOfAnother, REJECT, |s| {
            s.event(BOB, "x.mine", Some(ALICE), json!({}))
        }),
        ("the own state", Otherwise, ALLOW, |s| s.event(BOB, "x.mine", Some(BOB), json!({}))),
    ]
}

fn changing_levels() -> Vec<Case> {
    vec![
        ("no change", LevelsAllowed, ALLOW, |s| change(s, BOB, |_| {})),
        ("the first power levels", FirstLevels, ALLOW, |s| {
            s.forget("m.room.power_levels", "").event(
                ALICE,
                "m.room.power_levels",
                Some(""),
                json!({"ban": 999}),
            )
        }),
        ("a level in a string", LevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["ban"] = json!("50"))
        }),
        ("a level that is null", LevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["kick"] = json!(null))
        }),
        ("an event level in a string", EventLevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["events"] = json!({"m.room.name": "50"}))
        }),
        ("notifications that are a list", EventLevelsNotIntegers, REJECT, |s| {
            change(s, BOB, |levels| levels["notifications"] = json!([]))
        }),
        ("users that are a list", UserLevelsMalformed, REJECT, |s| {
            change(s, BOB, |levels| levels["users"] = json!([]))
        }),
        ("a user without a domain", UserLevelsMalformed, REJECT, |s| {
            change(s, BOB, |levels| levels["users"]["@carol"] = json!(0))
        }),
        ("a user level that is a word", UserLevelsMalformed, REJECT, |s| {
            change(s, BOB, |levels| levels["users"][CAROL] = json!("much"))
        }),
        ("no users at all", LevelsAllowed, ALLOW, |s| {
            change(s, ALICE, |levels| drop(levels.as_object_mut().unwrap().remove("users")))
        }),
        ("the creator among the users", UserLevelsNameCreators, REJECT, |s| {
            change(s, ALICE, |levels| levels["users"][ALICE] = json!(100))
        }),
        ("an additional creator among the users", UserLevelsNameCreators, REJECT, |s| {
            s.replace_create(|pdu| drop(content(pdu).insert("additional_creators".into(), json!([CAROL]))));
            change(s, ALICE, |levels| levels["users"][CAROL] = json!(0))
        }),
        ("a level from above the sender", LevelsCurrent, REJECT, |s| {
            s.levels(json!({"ban": 51}));
            change(s, BOB, |levels| levels["ban"] = json!(50))
        }),
        ("the removal of a level above the sender", LevelsCurrent, REJECT, |s| {
            s.levels(json!({"ban": 51}));
            change(s, BOB, |levels| drop(levels.as_object_mut().unwrap().remove("ban")))
        }),
        ("a level to above the sender", LevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["kick"] = json!(51))
        }),
        ("a level to that of the sender", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"users_default": 10}));
            change(s, BOB, |levels| levels["users_default"] = json!(50))
        }),
        ("a level above the sender that stays", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"ban": 51}));
            change(s, BOB, |levels| levels["kick"] = json!(49))
        }),
        ("an event level from above the sender", EventLevelsCurrent, REJECT, |s| {
            s.levels(json!({"events": {"m.room.name": 51}}));
            change(s, BOB, |levels| levels["events"] = json!({}))
        }),
        ("an event level to above the sender", EventLevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["events"] = json!({"m.room.name": 51}))
        }),
        ("an event level within reach", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"events": {"m.room.name": 50}}));
            change(s, BOB, |levels| levels["events"] = json!({"m.room.name": 0, "m.room.topic": 50}))
        }),
        ("the level of somebody equal", UserLevelsCurrent, REJECT, |s| {
            s.levels(json!({"users": {CAROL: 50}}));
            change(s, BOB, |levels| levels["users"][CAROL] = json!(0))
        }),
        ("the removal of somebody equal", UserLevelsCurrent, REJECT, |s| {
            s.levels(json!({"users": {CAROL: 50}}));
            change(s, BOB, |levels| drop(levels["users"].as_object_mut().unwrap().remove(CAROL)))
        }),
        ("the own level, downwards", LevelsAllowed, ALLOW, |s| {
            change(s, BOB, |levels| levels["users"][BOB] = json!(0))
        }),
        ("the own level, upwards", UserLevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["users"][BOB] = json!(51))
        }),
        ("somebody raised to above the sender", UserLevelsNew, REJECT, |s| {
            change(s, BOB, |levels| levels["users"][CAROL] = json!(51))
        }),
        ("somebody raised to the sender", LevelsAllowed, ALLOW, |s| {
            s.levels(json!({"users": {CAROL: 49}}));
            change(s, BOB, |levels| levels["users"][CAROL] = json!(50))
        }),
    ]
}

fn redacting() -> Vec<Case> {
    vec![
        ("a redaction at the redact level", RedactionLevel, ALLOW, |s| redaction(s, BOB, "$x:c.example")),
        ("a redaction on the same server", RedactionDomain, ALLOW, |s| {
            s.levels(json!({"redact": 51}));
            redaction(s, BOB, "$x:a.example")
        }),
        ("a redaction on another server", RedactionOtherwise, REJECT, |s| {
            s.levels(json!({"redact": 51}));
            redaction(s, BOB, "$x:c.example")
        }),
        ("a redaction of nothing", RedactionOtherwise, REJECT, |s| {
            s.levels(json!({"redact": 51}));
            s.event(BOB, "m.room.redaction", None, json!({}))
        }),
    ]
}

fn content(pdu: &mut protocol::Object) -> &mut protocol::Object {
    pdu["content"].as_object_mut().unwrap()
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

fn change(scene: &Scene, sender: &str, change: impl FnOnce(&mut Value)) -> Event {
    scene.event(sender, "m.room.power_levels", Some(""), scene.changed_levels(change))
}

/// The own event id is of `a.example`.
fn redaction(scene: &Scene, sender: &str, redacts: &str) -> Event {
    let event = scene.event(sender, "m.room.redaction", None, json!({}));
    scene.altered(&event, |pdu| drop(pdu.insert("redacts".into(), json!(redacts))))
}

/// Bob offered a place to an address that turned out to be Carol's, and invites her by the identity server's proof.
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
