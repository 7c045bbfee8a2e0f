//! The rules on everything that is neither creation, membership nor power.

use rstest::rstest;
use serde_json::{Value, json};

use super::room::{ALICE, BOB, MOD, Room, create_content, in_every_version, levels};
use crate::authorize::Rule;

#[rstest]
#[case("join", &[(1, None)])]
#[case("invite", &[(1, Some(Rule::SenderNotJoined))])]
#[case("leave", &[(1, Some(Rule::SenderNotJoined))])]
#[case("ban", &[(1, Some(Rule::SenderNotJoined))])]
fn only_members_send(#[case] membership: &str, #[case] expected: &[(usize, Option<Rule>)]) {
    in_every_version(
        |room| drop(room.given((BOB, "m.room.member", Some(BOB), json!({"membership": membership})))),
        |_| (BOB, "m.room.message", None, json!({"body": "hi"})),
        expected,
    );
}

#[rstest]
#[case(json!({}), "m.room.message", None, None)]
#[case(json!({"events_default": 51}), "m.room.message", None, Some(Rule::RequiredLevel))]
#[case(json!({"events_default": 51, "events": {"m.room.message": 50}}), "m.room.message", None, None)]
#[case(json!({}), "m.room.topic", Some(""), None)]
#[case(json!({"state_default": 51}), "m.room.topic", Some(""), Some(Rule::RequiredLevel))]
#[case(json!({"events": {"m.room.topic": 51}}), "m.room.topic", Some(""), Some(Rule::RequiredLevel))]
#[case(json!({"events": {"m.room.redaction": 51}}), "m.room.redaction", None, Some(Rule::RequiredLevel))]
#[case(json!({}), "org.example", Some(MOD), None)]
#[case(json!({}), "org.example", Some(BOB), Some(Rule::StateKeyOfOther))]
#[case(json!({}), "org.example", Some("@"), Some(Rule::StateKeyOfOther))]
#[case(json!({}), "org.example", Some("_@bob:b.org"), None)]
#[case(json!({}), "m.room.third_party_invite", Some("t"), None)]
#[case(json!({"invite": 51}), "m.room.third_party_invite", Some("t"), Some(Rule::ThirdPartyInviteLevel))]
#[case(json!({"events": {"m.room.third_party_invite": 99}}), "m.room.third_party_invite", Some("t"), None)]
fn levels_of_types(
    #[case] changes: Value,
    #[case] event_type: &'static str,
    #[case] state_key: Option<&'static str>,
    #[case] expected: Option<Rule>,
) {
    in_every_version(
        |room| {
            drop(room.given((ALICE, "m.room.power_levels", Some(""), levels(room.version, changes.clone()))))
        },
        |_| (MOD, event_type, state_key, json!({"redacts": "$x:a.org"})),
        &[(1, expected)],
    );
}

#[test]
fn rooms_can_be_closed_to_other_servers() {
    for version in protocol::RoomVersion::ALL {
        for federates in [true, false] {
            let mut room = Room::empty(version);
            let mut content = create_content(version);
            content["m.federate"] = json!(federates);
            room.given((ALICE, "m.room.create", Some(""), content));
            room.given((ALICE, "m.room.join_rules", Some(""), json!({"join_rule": "public"})));
            let join = |user_id| (user_id, "m.room.member", Some(user_id), json!({"membership": "join"}));
            let expected = (!federates).then_some(Rule::NotFederated);
            assert_eq!(room.verdict(join(BOB)), expected, "room version {}", version.id);
            assert_eq!(room.verdict(join(MOD)), None, "room version {}", version.id);
        }
    }
}

#[rstest]
#[case(BOB, Some("b.org"), &[(1, None), (6, Some(Rule::SenderNotJoined))])]
#[case(BOB, Some("a.org"), &[(1, Some(Rule::AliasesOfOtherServer)), (6, Some(Rule::SenderNotJoined))])]
#[case(BOB, None, &[(1, Some(Rule::AliasesWithoutStateKey)), (6, Some(Rule::SenderNotJoined))])]
#[case(MOD, Some("b.org"), &[(1, Some(Rule::AliasesOfOtherServer)), (6, None)])]
fn aliases(
    #[case] sender: &'static str,
    #[case] state_key: Option<&'static str>,
    #[case] expected: &[(usize, Option<Rule>)],
) {
    in_every_version(|_| (), |_| (sender, "m.room.aliases", state_key, json!({"aliases": []})), expected);
}

#[rstest]
#[case(MOD, "$x:c.org", &[(1, None)])]
#[case(BOB, "$x:b.org", &[(1, None)])]
#[case(BOB, "$x:c.org", &[(1, Some(Rule::RedactionLevel)), (3, None)])]
fn redactions(
    #[case] sender: &'static str,
    #[case] target: &'static str,
    #[case] expected: &[(usize, Option<Rule>)],
) {
    in_every_version(
        |room| drop(room.given((BOB, "m.room.member", Some(BOB), json!({"membership": "join"})))),
        |_| (sender, "m.room.redaction", None, json!({"redacts": target})),
        expected,
    );
}
