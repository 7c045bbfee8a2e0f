//! At least one event for every rule of every room version; two where a rule both allows and rejects.

mod levels;
mod membership;

use protocol::RoomVersion;
use serde_json::json;

use super::scene::{Scene, id, refer};
use super::{ALICE, BOB, CAROL};
use crate::Rule::*;
use crate::{Decision, Event, Rule};

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
    use levels::changing_levels;
    use membership::{inviting, joining, knocking, leaving};
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

/// The own event id is of `a.example`.
fn redaction(scene: &Scene, sender: &str, redacts: &str) -> Event {
    let event = scene.event(sender, "m.room.redaction", None, json!({}));
    scene.altered(&event, |pdu| drop(pdu.insert("redacts".into(), json!(redacts))))
}
