//! Checks 4 to 6, and the state of rooms in which some of them failed.

use protocol::RoomVersion;
use protocol::keys::{KeyRing, SigningKey};
use serde_json::json;

use super::room::Room;
use super::scene::{Scene, room_id};
use super::{ALICE, BOB, CAROL, DAVE};
use crate::WithKeys;
use crate::{AuthState, Event, HistoryError, Receipt, Rule, decide};

#[test]
fn a_plain_room_is_accepted_in_every_version() {
    for version in RoomVersion::ALL {
        let room = Room::plain(version).topic("T", BOB).member("L", CAROL, CAROL, "leave");
        for name in ["A", "P", "J", "B", "D", "T", "L"] {
            assert_eq!(*room.receipt(name), Receipt::Accepted, "v{}: {name}", version.id);
        }
        assert_eq!(room.history.current_state().unwrap().state.len(), 7);
    }
}

/// The example of server-server-api/#soft-failure: B bans X, who evades it with C.
#[test]
fn evading_a_ban_fails_softly() {
    for version in RoomVersion::ALL {
        let room = Room::plain(version).member("ban", ALICE, BOB, "ban").after(["D"]).topic("T", BOB);
        match room.receipt("T") {
            Receipt::SoftFailed(rejection) => assert_eq!(rejection.name, Rule::SenderNotJoined),
            other => panic!("v{}: {other:?}", version.id),
        }
        assert!(room.history.extremities().iter().eq([&room.id("ban")]));
        assert!(!room.history.events().is_rejected(&room.id("T")));
    }
}

#[test]
fn an_event_before_a_rejected_one_is_no_extremity_once_that_is_followed() {
    for version in RoomVersion::ALL {
        let mut room = Room::plain(version).member("ban", ALICE, BOB, "ban");
        let receipt = room.send("T", BOB, "m.room.topic", "", json!({}));
        assert!(matches!(receipt, Receipt::Rejected { .. }), "{receipt:?}");
        assert!(room.history.extremities().iter().eq([&room.id("ban")]));
        let room = room.after(["T"]).topic("N", ALICE);
        assert_eq!(*room.receipt("N"), Receipt::Accepted, "v{}", version.id);
        assert!(room.history.extremities().iter().eq([&room.id("N")]), "v{}", version.id);
    }
}

#[test]
fn the_state_before_an_event_rejects_it() {
    for version in RoomVersion::ALL {
        let mut room = Room::plain(version).member("ban", ALICE, BOB, "ban");
        let receipt = room.send("T", BOB, "m.room.topic", "", json!({}));
        // The auth events were chosen from the state before, so that they show the ban as well.
        assert!(matches!(receipt, Receipt::Rejected { check: 4, .. }), "{receipt:?}");
        assert_eq!(room.state_after("T"), room.state_after("ban"));

        let stale = with_auth_events(&room, "U", &["C", "P", "B"]);
        let receipt = room.history.receive(stale).unwrap();
        assert!(matches!(receipt, Receipt::Rejected { check: 5, .. }), "{receipt:?}");
    }
}

/// A topic by Bob after the ban.
fn with_auth_events(room: &Room, name: &str, auth_events: &[&str]) -> Event {
    let mut pdu = super::scene::object(json!({
        "type": "m.room.topic", "state_key": "", "sender": BOB, "content": {}, "room_id": room_id(room.version),
        "depth": 9, "origin_server_ts": 9,
    }));
    let selected = |name: &&&str| **name != "C" || room.version.create_in_auth_events;
    let auth_events: Vec<String> = auth_events.iter().filter(selected).map(|name| room.id(name)).collect();
    super::scene::refer(room.version, &mut pdu, "auth_events", &auth_events);
    super::scene::refer(room.version, &mut pdu, "prev_events", &[room.id("ban")]);
    Event::new(room.version, room.id(name), pdu).unwrap()
}

#[test]
fn events_come_after_what_they_refer_to_and_once() {
    let version = RoomVersion::find("12").unwrap();
    let mut room = Room::plain(version).member("ban", ALICE, BOB, "ban");
    let foundling = with_auth_events(&room, "U", &["X"]);
    let expected = HistoryError::Missing { id: room.id("X"), needed_by: room.id("U") };
    assert_eq!(room.history.receive(foundling), Err(expected));
    let again = room.history.events().get(&room.id("B")).unwrap().clone();
    assert_eq!(room.history.receive(again), Err(HistoryError::Repeated(room.id("B"))));
}

#[test]
fn the_authoriser_s_server_must_have_signed() {
    for version in RoomVersion::ALL.into_iter().filter(|version| version.restricted) {
        let mut scene = Scene::new(version);
        scene.join_rule("restricted");
        let content = json!({"membership": "join", "join_authorised_via_users_server": BOB});
        let join = scene.event(DAVE, "m.room.member", Some(DAVE), content);
        let key = SigningKey::from_seed("1", &[1; 32]).unwrap();
        let mut keys = KeyRing::default();
        keys.trust("b.example", key.id().clone(), key.verify_key());

        let decide_by = |server_name| {
            let signed = scene.altered(&join, |pdu| {
                protocol::event::hash_and_sign(pdu, server_name, &key, version).unwrap();
            });
            let state = WithKeys { state: &scene as &dyn AuthState, version, keys: &keys };
            decide(version, &signed, &state).rule()
        };
        assert_eq!(decide_by("b.example"), Rule::JoinRestrictedAllowed);
        assert_eq!(decide_by("d.example"), Rule::MemberAuthoriserSignature);
    }
}
