//! The rules on an event's own `auth_events`, and their selection.

use protocol::RoomVersion;
use serde_json::json;

use super::scene::Scene;
use super::{ALICE, BOB, CAROL};
use crate::{AuthEvent, Decision, Event, Rule, auth_event_keys, decide_by_auth_events};

/// The rules that look at `auth_events`.
pub(super) const RULES: [Rule; 5] = [
    Rule::AuthEventsDuplicate,
    Rule::AuthEventsUnselected,
    Rule::AuthEventsRejected,
    Rule::AuthEventsLackCreate,
    Rule::AuthEventsOtherRoom,
];

/// Puts Bob's message before its auth events, altered.
fn decide(version: &'static RoomVersion, alter: impl FnOnce(&Scene, &mut Vec<(Event, bool)>)) -> Decision {
    let scene = Scene::new(version);
    let message = scene.message(BOB);
    let find = |id: &String| (scene.events.get(id).unwrap().clone(), false);
    let mut entries: Vec<(Event, bool)> = message.auth_events().iter().map(find).collect();
    alter(&scene, &mut entries);
    let entries: Vec<AuthEvent<'_>> =
        entries.iter().map(|(event, rejected)| AuthEvent { event, rejected: *rejected }).collect();
    decide_by_auth_events(version, &message, &entries, Some(&scene.create(|_| {})), None)
}

#[test]
fn what_was_selected_is_allowed() {
    for version in RoomVersion::ALL {
        assert_eq!(decide(version, |_, _| {}).rule(), Rule::Otherwise);
    }
}

#[test]
fn every_rule_on_them_rejects() {
    for version in RoomVersion::ALL {
        let rule = |alter: fn(&Scene, &mut Vec<(Event, bool)>)| decide(version, alter).rule();
        assert_eq!(rule(|_, entries| entries.push(entries[0].clone())), Rule::AuthEventsDuplicate);
        let unselected = rule(|scene, entries| {
            entries.push((scene.event(ALICE, "m.room.join_rules", Some(""), json!({})), false));
        });
        assert_eq!(unselected, Rule::AuthEventsUnselected);
        assert_eq!(rule(|_, entries| entries[0].1 = true), Rule::AuthEventsRejected);
        let other_room = rule(|scene, entries| {
            let last = entries.len() - 1;
            let alter =
                |pdu: &mut protocol::Object| drop(pdu.insert("room_id".into(), json!("!other:a.example")));
            entries[last].0 = scene.altered(&entries[last].0, alter);
        });
        assert_eq!(other_room, Rule::AuthEventsOtherRoom);
    }
}

#[test]
fn the_create_event_is_required_until_it_is_forbidden() {
    let is_create = |(event, _): &(Event, bool)| event.event_type() == "m.room.create";
    for version in RoomVersion::ALL {
        let without = decide(version, |_, entries| entries.retain(|entry| !is_create(entry))).rule();
        let with = decide(version, |scene, entries| {
            entries.retain(|entry| !is_create(entry));
            entries.push((scene.create(|_| {}), false));
        });
        let expected = if version.create_in_auth_events {
            (Rule::AuthEventsLackCreate, Rule::Otherwise)
        } else {
            (Rule::Otherwise, Rule::AuthEventsUnselected)
        };
        assert_eq!((without, with.rule()), expected, "v{}", version.id);
    }
}

/// Rule 2 of room version 12: not any event will do.
#[test]
fn the_room_id_implies_a_create_event() {
    let version = RoomVersion::find("12").unwrap();
    let scene = Scene::new(version);
    let member = scene.events.get(&scene.state[&("m.room.member".to_owned(), BOB.to_owned())]).unwrap();
    let message = scene.altered(&scene.message(BOB), |pdu| {
        pdu.insert("room_id".into(), json!(member.id().replacen('$', "!", 1)));
    });
    let decision = decide_by_auth_events(version, &message, &[], Some(member), None);
    assert_eq!(decision.rule(), Rule::RoomIdIsCreateEvent);
}

#[test]
fn selection_follows_the_membership() {
    let keys = |version: &str, content| {
        let scene = Scene::new(RoomVersion::find(version).unwrap());
        let event = scene.event(BOB, "m.room.member", Some(CAROL), content);
        auth_event_keys(scene.version, &event)
            .into_iter()
            .map(|(event_type, state_key)| {
                format!("{}/{state_key}", event_type.trim_start_matches("m.room."))
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    let base = "power_levels/ member/@bob:b.example member/@carol:c.example";
    assert_eq!(keys("12", json!({"membership": "ban"})), base);
    assert_eq!(keys("11", json!({"membership": "leave"})), format!("create/ {base}"));
    assert_eq!(keys("12", json!({"membership": "knock"})), format!("{base} join_rules/"));
    let invite = json!({"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}});
    assert_eq!(keys("12", invite), format!("{base} join_rules/ third_party_invite/t"));
    let join = json!({"membership": "join", "join_authorised_via_users_server": ALICE});
    assert_eq!(keys("12", join.clone()), format!("{base} join_rules/ member/@alice:a.example"));
    assert_eq!(keys("7", join), format!("create/ {base} join_rules/"));
}
