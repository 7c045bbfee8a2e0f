//! The rules on member events: for each an event that it lets pass and one that it rejects.

use protocol::keys::KeyRing;
use protocol::{Object, RoomVersion, base64, signatures};
use rstest::rstest;
use serde_json::{Value, json};

use super::room::{ALICE, BOB, EVE, MOD, Room, in_every_version, key, key_ring, levels};
use crate::authorize::{Rule, authorize};
use crate::check::strike_invalid_signatures;
use crate::event::Pdu;

/// Puts a user into a membership.
fn member(room: &mut Room, user_id: &str, membership: &str) {
    room.given((user_id, "m.room.member", Some(user_id), json!({"membership": membership})));
}

fn join_rule(room: &mut Room, rule: &str) {
    room.given((ALICE, "m.room.join_rules", Some(""), json!({"join_rule": rule})));
}

/// Checks what happens when a sender sets a target's membership under a join rule, from some membership.
fn change(
    rule: &str,
    from: (&str, &str),
    to: (&'static str, &'static str, &'static str),
    expected: &[(usize, Option<Rule>)],
) {
    let (sender, target, membership) = to;
    in_every_version(
        |room| {
            join_rule(room, rule);
            member(room, from.0, from.1);
        },
        |_| (sender, "m.room.member", Some(target), json!({"membership": membership})),
        expected,
    );
}

#[rstest]
#[case("public", "leave", &[(1, None)])]
#[case("public", "join", &[(1, None)])]
#[case("public", "ban", &[(1, Some(Rule::JoinBanned))])]
#[case("invite", "leave", &[(1, Some(Rule::JoinNotAllowed))])]
#[case("invite", "invite", &[(1, None)])]
#[case("invite", "join", &[(1, None)])]
#[case("invite", "knock", &[(1, Some(Rule::JoinNotAllowed))])]
#[case("private", "invite", &[(1, Some(Rule::JoinNotAllowed))])]
#[case("knock", "invite", &[(1, Some(Rule::JoinNotAllowed)), (7, None)])]
#[case("knock", "knock", &[(1, Some(Rule::JoinNotAllowed))])]
#[case("restricted", "invite", &[(1, Some(Rule::JoinNotAllowed)), (8, None)])]
#[case("restricted", "leave", &[(1, Some(Rule::JoinNotAllowed)), (8, Some(Rule::JoinAuthoriser))])]
#[case("knock_restricted", "join", &[(1, Some(Rule::JoinNotAllowed)), (10, None)])]
#[case("knock_restricted", "leave", &[(1, Some(Rule::JoinNotAllowed)), (10, Some(Rule::JoinAuthoriser))])]
fn joining(#[case] rule: &str, #[case] from: &str, #[case] expected: &[(usize, Option<Rule>)]) {
    change(rule, (BOB, from), (BOB, BOB, "join"), expected);
}

#[test]
fn joining_without_join_rules_needs_an_invite() {
    let said = |_: &Room| (BOB, "m.room.member", Some(BOB), json!({"membership": "join"}));
    in_every_version(|_| (), said, &[(1, Some(Rule::JoinNotAllowed))]);
    in_every_version(|room| member(room, BOB, "invite"), said, &[(1, None)]);
}

#[test]
fn joining_for_somebody_else() {
    change("public", (BOB, "leave"), (MOD, BOB, "join"), &[(1, Some(Rule::JoinOfOther))]);
}

#[test]
fn only_the_creator_joins_first() {
    for version in protocol::RoomVersion::ALL {
        let mut room = Room::empty(version);
        room.given((ALICE, "m.room.create", Some(""), super::room::create_content(version)));
        let join = |user_id| (user_id, "m.room.member", Some(user_id), json!({"membership": "join"}));
        assert_eq!(room.verdict(join(ALICE)), None, "room version {}", version.id);
        assert_eq!(room.verdict(join(BOB)), Some(Rule::JoinNotAllowed), "room version {}", version.id);
    }
}

#[rstest]
#[case(MOD, &[(8, None)])]
#[case(EVE, &[(8, Some(Rule::JoinAuthoriser))])]
#[case("@stranger:a.org", &[(8, Some(Rule::JoinAuthoriser))])]
fn restricted_joins_need_an_authoriser_who_can_invite(
    #[case] authoriser: &str,
    #[case] expected: &[(usize, Option<Rule>)],
) {
    for (from, expected) in expected {
        for version in protocol::RoomVersion::ALL.into_iter().skip(from - 1) {
            let mut room = Room::new(version);
            room.given((ALICE, "m.room.power_levels", Some(""), levels(version, json!({"invite": 50}))));
            join_rule(&mut room, "restricted");
            member(&mut room, EVE, "join");
            let content = json!({"membership": "join", "join_authorised_via_users_server": authoriser});
            let unsigned = room.build((BOB, "m.room.member", Some(BOB), content));
            let server_name = authoriser.split_once(':').unwrap().1;
            if server_name != "b.org" {
                let rejection = authorize(&unsigned, &room.state).unwrap_err();
                assert_eq!(rejection.rule, Rule::AuthoriserSignature, "room version {}", version.id);
            }
            let mut object = unsigned.object().clone();
            protocol::event::sign(&mut object, server_name, &key(server_name), version).unwrap();
            let signed = Pdu::parse(object, version).unwrap();
            let rule = authorize(&signed, &room.state).err().map(|rejection| rejection.rule);
            assert_eq!(rule, *expected, "room version {}", version.id);
        }
    }
}

#[test]
fn an_authoriser_signature_that_does_not_hold_does_not_count() {
    for version in RoomVersion::ALL.into_iter().filter(|version| version.restricted) {
        let mut room = Room::new(version);
        join_rule(&mut room, "restricted");
        let content = json!({"membership": "join", "join_authorised_via_users_server": MOD});
        let mut genuine = room.build((BOB, "m.room.member", Some(BOB), content)).object().clone();
        protocol::event::sign(&mut genuine, "a.org", &key("a.org"), version).unwrap();
        let mut forged = genuine.clone();
        forged["signatures"]["a.org"] = forged["signatures"]["b.org"].clone();
        let mut late = genuine.clone();
        late.insert("origin_server_ts".to_owned(), json!(genuine["origin_server_ts"].as_i64().unwrap() + 1));

        let rule = |mut object: Object, keys: &KeyRing| {
            strike_invalid_signatures(&mut object, version, keys);
            let event = Pdu::with_id("$join:b.org".to_owned(), object, version).unwrap();
            authorize(&event, &room.state).err().map(|rejection| rejection.rule)
        };
        let rejected = Some(Rule::AuthoriserSignature);
        assert_eq!(rule(genuine.clone(), &key_ring()), None, "room version {}", version.id);
        assert_eq!(rule(forged, &key_ring()), rejected, "room version {}", version.id);
        assert_eq!(rule(late, &key_ring()), rejected, "room version {}", version.id);
        assert_eq!(rule(genuine, &KeyRing::default()), rejected, "room version {}", version.id);
    }
}

#[rstest]
#[case(MOD, "leave", None)]
#[case(MOD, "invite", None)]
#[case(MOD, "join", Some(Rule::InviteOfMember))]
#[case(MOD, "ban", Some(Rule::InviteOfMember))]
#[case("@stranger:a.org", "leave", Some(Rule::InviteByStranger))]
fn inviting(#[case] sender: &'static str, #[case] from: &str, #[case] expected: Option<Rule>) {
    change("invite", (BOB, from), (sender, BOB, "invite"), &[(1, expected)]);
}

#[test]
fn inviting_needs_the_invite_level() {
    for (level, expected) in [(50, None), (51, Some(Rule::InviteLevel))] {
        in_every_version(
            |room| {
                let content = levels(room.version, json!({"invite": level}));
                room.given((ALICE, "m.room.power_levels", Some(""), content));
            },
            |_| (MOD, "m.room.member", Some(BOB), json!({"membership": "invite"})),
            &[(1, expected)],
        );
    }
}

#[rstest]
#[case("invite", None, &[(1, None)])]
#[case("join", None, &[(1, None)])]
#[case("knock", None, &[(1, Some(Rule::LeaveByStranger)), (7, None)])]
#[case("leave", None, &[(1, Some(Rule::LeaveByStranger))])]
#[case("ban", None, &[(1, Some(Rule::LeaveByStranger))])]
#[case("join", Some(MOD), &[(1, None)])]
#[case("ban", Some(MOD), &[(1, None)])]
#[case("join", Some(EVE), &[(1, Some(Rule::KickByStranger))])]
fn leaving_and_kicking(
    #[case] from: &str,
    #[case] by: Option<&'static str>,
    #[case] expected: &[(usize, Option<Rule>)],
) {
    change("invite", (BOB, from), (by.unwrap_or(BOB), BOB, "leave"), expected);
}

#[rstest]
#[case(json!({"kick": 51}), "join", BOB, "leave", Some(Rule::KickLevel))]
#[case(json!({"ban": 51}), "ban", BOB, "leave", Some(Rule::UnbanLevel))]
#[case(json!({"users": {BOB: 50}}), "join", BOB, "leave", Some(Rule::KickLevel))]
#[case(json!({"users": {BOB: 49}}), "join", BOB, "leave", None)]
#[case(json!({}), "join", ALICE, "leave", Some(Rule::KickLevel))]
#[case(json!({"ban": 51}), "join", BOB, "ban", Some(Rule::BanLevel))]
#[case(json!({"users": {BOB: 50}}), "join", BOB, "ban", Some(Rule::BanLevel))]
#[case(json!({"users": {BOB: 49}}), "join", BOB, "ban", None)]
#[case(json!({}), "leave", BOB, "ban", None)]
#[case(json!({}), "join", ALICE, "ban", Some(Rule::BanLevel))]
fn kicking_and_banning_need_power(
    #[case] changes: Value,
    #[case] from: &str,
    #[case] target: &'static str,
    #[case] to: &str,
    #[case] expected: Option<Rule>,
) {
    in_every_version(
        |room| {
            let content = levels(room.version, changes.clone());
            room.given((ALICE, "m.room.power_levels", Some(""), content));
            member(room, BOB, from);
        },
        |_| (MOD, "m.room.member", Some(target), json!({"membership": to})),
        &[(1, expected)],
    );
}

#[test]
fn strangers_cannot_ban() {
    change("public", (BOB, "join"), (EVE, BOB, "ban"), &[(1, Some(Rule::BanByStranger))]);
}

#[rstest]
#[case("knock", "leave", BOB, &[(1, Some(Rule::MembershipUnknown)), (7, None)])]
#[case("knock", "knock", BOB, &[(1, Some(Rule::MembershipUnknown)), (7, None)])]
#[case("knock_restricted", "leave", BOB, &[(7, Some(Rule::KnockRule)), (10, None)])]
#[case("restricted", "leave", BOB, &[(7, Some(Rule::KnockRule))])]
#[case("invite", "leave", BOB, &[(7, Some(Rule::KnockRule))])]
#[case("public", "leave", BOB, &[(7, Some(Rule::KnockRule))])]
#[case("knock", "leave", EVE, &[(7, Some(Rule::KnockOfOther))])]
#[case("knock", "ban", BOB, &[(7, Some(Rule::KnockMembership))])]
#[case("knock", "invite", BOB, &[(7, Some(Rule::KnockMembership))])]
#[case("knock", "join", BOB, &[(7, Some(Rule::KnockMembership))])]
fn knocking(
    #[case] rule: &str,
    #[case] from: &str,
    #[case] sender: &'static str,
    #[case] expected: &[(usize, Option<Rule>)],
) {
    change(rule, (BOB, from), (sender, BOB, "knock"), expected);
}

#[rstest]
#[case(None, json!({"membership": "join"}), Rule::MemberIncomplete)]
#[case(Some(ALICE), json!({}), Rule::MemberIncomplete)]
#[case(Some(ALICE), json!({"membership": "dance"}), Rule::MembershipUnknown)]
#[case(Some(ALICE), json!({"membership": 1}), Rule::MembershipUnknown)]
fn malformed_members(#[case] state_key: Option<&'static str>, #[case] content: Value, #[case] rule: Rule) {
    in_every_version(|_| (), |_| (ALICE, "m.room.member", state_key, content.clone()), &[(1, Some(rule))]);
}

/// A signed block as an identity server makes it.
fn signed(user_id: &str) -> Value {
    let mut block = json!({"mxid": user_id, "token": "t"}).as_object().unwrap().clone();
    signatures::sign(&mut block, "i.org", &key("i.org")).unwrap();
    Value::Object(block)
}

#[rstest]
#[case("leave", MOD, json!({"signed": signed(BOB)}), None)]
#[case("join", MOD, json!({"signed": signed(BOB)}), None)]
#[case("ban", MOD, json!({"signed": signed(BOB)}), Some(Rule::ThirdPartyBanned))]
#[case("leave", MOD, json!({}), Some(Rule::ThirdPartyUnsigned))]
#[case("leave", MOD, json!({"signed": {"mxid": BOB}}), Some(Rule::ThirdPartyIncomplete))]
#[case("leave", MOD, json!({"signed": signed(EVE)}), Some(Rule::ThirdPartyOtherTarget))]
#[case("leave", MOD, json!({"signed": {"mxid": BOB, "token": "x"}}), Some(Rule::ThirdPartyToken))]
#[case("leave", ALICE, json!({"signed": signed(BOB)}), Some(Rule::ThirdPartyOtherSender))]
#[case("leave", MOD, json!({"signed": {"mxid": BOB, "token": "t"}}), Some(Rule::ThirdPartySignature))]
fn third_party_invites(
    #[case] from: &str,
    #[case] sender: &'static str,
    #[case] invite: Value,
    #[case] expected: Option<Rule>,
) {
    let public_key = base64::decode(&key("i.org").verify_key().to_base64()).unwrap();
    let other_key = key("a.org").verify_key().to_base64();
    let offers = [
        json!({"public_key": base64::encode(&public_key)}),
        json!({"public_key": other_key, "public_keys": [{"public_key": base64::encode_url_safe(&public_key)}]}),
    ];
    for offer in offers {
        in_every_version(
            |room| {
                room.given((MOD, "m.room.third_party_invite", Some("t"), offer.clone()));
                member(room, BOB, from);
            },
            |_| {
                let content = json!({"membership": "invite", "third_party_invite": invite});
                (sender, "m.room.member", Some(BOB), content)
            },
            &[(1, expected)],
        );
    }
}
