//! What one room version allows and its neighbour does not.

use protocol::RoomVersion;
use rstest::rstest;
use serde_json::json;

use super::scene::Scene;
use super::{ALICE, BOB, CAROL};
use crate::{Event, Rule};

fn decide(version: &str, event: impl FnOnce(&mut Scene) -> Event) -> Rule {
    let mut scene = Scene::new(RoomVersion::find(version).unwrap());
    let event = event(&mut scene);
    scene.decide(&event).rule()
}

#[rstest]
#[case("5", Rule::AliasesAllowed)]
#[case("6", Rule::SenderNotJoined)]
fn aliases(#[case] version: &str, #[case] rule: Rule) {
    let aliases = |s: &mut Scene| s.event(CAROL, "m.room.aliases", Some("c.example"), json!({}));
    assert_eq!(decide(version, aliases), rule);
}

#[rstest]
#[case("2", Rule::RedactionOtherwise)]
#[case("3", Rule::Otherwise)]
fn redactions(#[case] version: &str, #[case] rule: Rule) {
    let redaction = |s: &mut Scene| {
        s.levels(json!({"redact": 51}));
        let event = s.event(BOB, "m.room.redaction", None, json!({}));
        s.altered(&event, |pdu| drop(pdu.insert("redacts".into(), json!("$x:c.example"))))
    };
    assert_eq!(decide(version, redaction), rule);
}

#[rstest]
#[case("5", Rule::LevelsAllowed)]
#[case("6", Rule::EventLevelsNew)]
fn notification_levels(#[case] version: &str, #[case] rule: Rule) {
    let change = |s: &mut Scene| {
        let content = s.changed_levels(|levels| levels["notifications"] = json!({"room": 51}));
        s.event(BOB, "m.room.power_levels", Some(""), content)
    };
    assert_eq!(decide(version, change), rule);
}

#[rstest]
#[case("6", Rule::MemberOtherwise)]
#[case("7", Rule::KnockAllowed)]
fn knocks(#[case] version: &str, #[case] rule: Rule) {
    assert_eq!(decide(version, |s| s.join_rule("knock").membership(CAROL, CAROL, "knock")), rule);
}

#[rstest]
#[case("6", Rule::JoinOtherwise)]
#[case("7", Rule::JoinInvited)]
fn joins_of_the_invited_where_people_knock(#[case] version: &str, #[case] rule: Rule) {
    let join = |s: &mut Scene| s.join_rule("knock").member(CAROL, "invite").membership(CAROL, CAROL, "join");
    assert_eq!(decide(version, join), rule);
}

#[rstest]
#[case("6", false)]
#[case("7", true)]
fn withdrawing_a_knock(#[case] version: &str, #[case] allowed: bool) {
    let mut scene = Scene::new(RoomVersion::find(version).unwrap());
    let leave = scene.member(CAROL, "knock").membership(CAROL, CAROL, "leave");
    assert_eq!(scene.decide(&leave).into_result().is_ok(), allowed);
}

#[rstest]
#[case("7", "restricted", Rule::JoinOtherwise)]
#[case("8", "restricted", Rule::JoinRestrictedAllowed)]
#[case("9", "knock_restricted", Rule::JoinOtherwise)]
#[case("10", "knock_restricted", Rule::JoinRestrictedAllowed)]
fn authorised_joins(#[case] version: &str, #[case] join_rule: &str, #[case] rule: Rule) {
    let join = |s: &mut Scene| {
        let content = json!({"membership": "join", "join_authorised_via_users_server": BOB});
        s.join_rule(join_rule).event(CAROL, "m.room.member", Some(CAROL), content)
    };
    assert_eq!(decide(version, join), rule);
}

#[rstest]
#[case("9", Rule::KnockJoinRule)]
#[case("10", Rule::KnockAllowed)]
fn knocks_where_joins_are_restricted(#[case] version: &str, #[case] rule: Rule) {
    assert_eq!(decide(version, |s| s.join_rule("knock_restricted").membership(CAROL, CAROL, "knock")), rule);
}

#[rstest]
#[case("5", json!(50.9), Rule::LevelsAllowed)]
#[case("6", json!(50.9), Rule::UserLevelsMalformed)]
#[case("9", json!(" +0050 "), Rule::LevelsAllowed)]
#[case("10", json!("50"), Rule::UserLevelsMalformed)]
fn spellings_of_user_levels(#[case] version: &str, #[case] level: serde_json::Value, #[case] rule: Rule) {
    let change = |s: &mut Scene| {
        let content = s.changed_levels(|levels| levels["users"][CAROL] = level);
        s.event(BOB, "m.room.power_levels", Some(""), content)
    };
    assert_eq!(decide(version, change), rule);
}

/// Up to room version 10 the content names the creator, later the sender is.
#[rstest]
#[case("10", BOB, Rule::JoinOfCreator)]
#[case("10", ALICE, Rule::JoinOtherwise)]
#[case("11", ALICE, Rule::JoinOfCreator)]
#[case("11", BOB, Rule::JoinOtherwise)]
#[case("12", ALICE, Rule::JoinOfCreator)]
fn creators(#[case] version: &str, #[case] user_id: &str, #[case] rule: Rule) {
    let join = |s: &mut Scene| {
        s.replace_create(|pdu| pdu["content"]["creator"] = json!(BOB));
        s.state.retain(|(event_type, _), _| event_type == "m.room.create");
        let join = s.membership(user_id, user_id, "join");
        let (version, create) = (s.version, super::scene::id(s.version, "C"));
        s.altered(&join, |pdu| super::scene::refer(version, pdu, "prev_events", &[create]))
    };
    assert_eq!(decide(version, join), rule);
}

/// In room version 12 only, additional creators stand above every level, and above nobody who is one too.
#[rstest]
#[case("11", CAROL, ALICE, Rule::BanOtherwise)]
#[case("11", CAROL, BOB, Rule::BanOtherwise)]
#[case("12", CAROL, ALICE, Rule::BanOtherwise)]
#[case("12", CAROL, BOB, Rule::BanAllowed)]
#[case("12", BOB, CAROL, Rule::BanOtherwise)]
fn additional_creators(
    #[case] version: &str,
    #[case] sender: &str,
    #[case] target: &str,
    #[case] rule: Rule,
) {
    let ban = |s: &mut Scene| {
        s.replace_create(|pdu| pdu["content"]["additional_creators"] = json!([CAROL]));
        s.levels(json!({"ban": 50})).member(CAROL, "join").membership(sender, target, "ban")
    };
    assert_eq!(decide(version, ban), rule);
}
