//! State resolution v2 and what it shares with v2.1: forks and what becomes of them.

use protocol::RoomVersion;
use protocol::room_version::StateResolution;
use serde_json::json;

use super::room::{Merged, Room, names, versions};
use super::scene::refer;
use super::{ALICE, BOB, CAROL, DAVE};
use crate::{Event, Events, ResolutionError, Rule, StateMap, resolve};

/// All room versions but the first.
fn since_v2() -> impl Iterator<Item = &'static RoomVersion> {
    versions(StateResolution::V2).chain(versions(StateResolution::V2_1))
}

/// What is expected by state resolution v2, and by v2.1.
fn by<T>(version: &RoomVersion, v2: T, v2_1: T) -> T {
    if version.state_resolution == StateResolution::V2_1 { v2_1 } else { v2 }
}

#[test]
fn without_a_fork_there_is_nothing_to_resolve() {
    for version in RoomVersion::ALL {
        let room = Room::plain(version).topic("T", BOB);
        let merged = room.merge(["T"]);
        assert_eq!(merged.0.state, room.state_after("T"));
        assert_eq!(merged.0.state, room.history.current_state().unwrap().state);
        assert_eq!((merged.topic(), merged.0.steps.len()), ("T", 0));
    }
}

#[test]
fn a_ban_beats_the_power_levels_of_the_banned() {
    for version in since_v2() {
        let room = Room::plain(version).member("ban", ALICE, BOB, "ban").after(["D"]).levels(
            "Q",
            BOB,
            json!({BOB: 50, CAROL: 50}),
        );
        let merged = room.merge(["ban", "Q"]);
        assert_eq!((merged.member(BOB), merged.levels()), ("ban", "P"));
        assert_eq!(merged.rejected(), [("Q", Rule::SenderNotJoined)]);
        // Bob's join is no power event, but the power levels that he sent need it. From the join, a path
        // leads over the join rules to the contended power levels P.
        assert_eq!(merged.power_events(), by(version, "P B ban Q", "P J B ban Q"));
    }
}

#[test]
fn power_levels_of_the_mightier_come_first() {
    for version in since_v2() {
        let room = Room::plain(version).levels("N", ALICE, json!({BOB: 0})).after(["D"]).at(0).levels(
            "Q",
            BOB,
            json!({BOB: 50, CAROL: 50}),
        );
        let merged = room.merge(["N", "Q"]);
        assert_eq!((merged.levels(), merged.power_events().as_str()), ("N", "N B Q"));
        assert_eq!(merged.rejected(), [("Q", Rule::RequiredPowerLevel)]);
    }
}

#[test]
fn a_ban_beats_the_topic_of_the_banned() {
    for version in since_v2() {
        let room = Room::plain(version)
            .topic("T", ALICE)
            .member("ban", ALICE, BOB, "ban")
            .after(["T"])
            .topic("U", BOB)
            .after(["U"]);
        let merged = room.merge(["ban", "U"]);
        assert_eq!((merged.topic(), merged.member(BOB)), ("T", "ban"));
        assert_eq!(merged.rejected(), [("U", Rule::SenderNotJoined)]);
    }
}

#[test]
fn join_rules_beat_joins() {
    for version in since_v2() {
        let room =
            Room::plain(version).join_rule("I", ALICE, "invite").after(["D"]).member("E", DAVE, DAVE, "join");
        let merged = room.merge(["I", "E"]);
        assert_eq!((merged.join_rule(), merged.member(DAVE)), ("I", "-"));
        assert_eq!(merged.rejected(), [("E", Rule::JoinOtherwise)]);
    }
}

#[test]
fn a_kick_is_a_power_event_and_a_departure_is_not() {
    for version in since_v2() {
        let kick = Room::plain(version).member("K", BOB, CAROL, "leave").after(["D"]).topic("T", BOB);
        assert_eq!(kick.merge(["K", "T"]).power_events(), "D K");
        let departure = Room::plain(version).member("K", CAROL, CAROL, "leave").after(["D"]).topic("T", BOB);
        let merged = departure.merge(["K", "T"]);
        assert_eq!((merged.power_events().as_str(), merged.remaining_events().as_str()), ("", "B D K T"));
    }
}

#[test]
fn power_events_of_equal_senders_go_by_time_and_then_by_id() {
    for version in since_v2() {
        let fork = |later| {
            Room::plain(version)
                .levels("Q", ALICE, json!({BOB: 50, CAROL: 50}))
                .at(50_000)
                .member("Z", BOB, DAVE, "ban")
                .after(["Q"])
                .at(later)
                .member("Y", BOB, DAVE, "ban")
        };
        assert_eq!(fork(50_001).merge(["Z", "Y"]).power_events(), "Z Y");
        assert_eq!(fork(50_000).merge(["Z", "Y"]).power_events(), "Y Z");
        assert_eq!(fork(49_999).merge(["Z", "Y"]).power_events(), "Y Z");
    }
}

#[test]
fn what_is_based_on_newer_power_levels_comes_later() {
    for version in since_v2() {
        let room = Room::plain(version)
            .levels("Q", ALICE, json!({BOB: 50, CAROL: 50}))
            .topic("new", BOB)
            .after(["D"])
            .at(90_000)
            .topic("old", BOB);
        let merged = room.merge(["new", "old"]);
        assert_eq!(
            (merged.mainline().as_str(), merged.remaining_events().as_str()),
            ("Q P", by(version, "old new", "B old new"))
        );
        assert_eq!(merged.topic(), "new");
        let positions = merged.0.remaining_events.iter().rev().map(|event| event.mainline_position);
        assert!(positions.take(2).eq([Some(0), Some(1)]));
    }
}

#[test]
fn mainline_ties_go_by_time_and_then_by_id() {
    for version in since_v2() {
        let fork =
            |later| Room::plain(version).at(50_000).topic("Z", BOB).after(["D"]).at(later).topic("Y", BOB);
        assert_eq!(fork(50_001).merge(["Z", "Y"]).topic(), "Y");
        assert_eq!(fork(50_000).merge(["Z", "Y"]).topic(), "Z");
        assert_eq!(fork(49_999).merge(["Z", "Y"]).topic(), "Z");
    }
}

#[test]
fn what_is_based_on_no_power_levels_comes_first() {
    for version in since_v2() {
        let room = Room::new(version)
            .member("A", ALICE, ALICE, "join")
            .levels("P", ALICE, json!({}))
            .topic("T", ALICE)
            .after(["A"])
            .at(90_000)
            .topic("before", ALICE);
        let merged = room.merge(["T", "before"]);
        assert_eq!(merged.remaining_events(), "before T");
        assert_eq!(merged.0.remaining_events[0].mainline_position, None);
        assert_eq!(merged.topic(), "T");
    }
}

#[test]
fn without_power_levels_there_is_no_mainline() {
    for version in since_v2() {
        let room = Room::new(version)
            .member("A", ALICE, ALICE, "join")
            .topic("T", ALICE)
            .after(["A"])
            .topic("U", ALICE);
        let merged = room.merge(["T", "U"]);
        assert_eq!((merged.mainline().as_str(), merged.topic()), ("", "U"));
    }
}

#[test]
fn a_fork_of_power_levels_that_lost_still_leads_to_the_mainline() {
    for version in since_v2() {
        // Bob's levels Q lose to Alice's N, so that the topic on top of Q counts from P.
        let room = Room::plain(version)
            .levels("N", ALICE, json!({BOB: 0}))
            .topic("T", ALICE)
            .after(["D"])
            .levels("Q", BOB, json!({BOB: 50, CAROL: 50}))
            .at(90_000)
            .topic("U", ALICE);
        let merged = room.merge(["T", "U"]);
        assert_eq!((merged.mainline().as_str(), merged.remaining_events().as_str()), ("N P", "U T"));
        assert_eq!(merged.topic(), "T");
    }
}

#[test]
fn the_auth_difference_brings_back_what_no_set_has() {
    for version in since_v2() {
        // Q made Carol's topic possible; in the sets it is replaced on both sides.
        let room = Room::plain(version)
            .levels("Q", ALICE, json!({BOB: 50, CAROL: 50}))
            .topic("T", CAROL)
            .levels("R", ALICE, json!({BOB: 50}))
            .after(["D"])
            .levels("S", ALICE, json!({BOB: 50}));
        let merged = room.merge(["R", "S"]);
        assert!(merged.0.auth_difference.contains(&room.id("Q")));
        assert!(!merged.0.conflicted_state.contains(&room.id("Q")));
        assert_eq!(merged.power_events(), "Q R S");
        assert_eq!((merged.levels(), merged.topic()), ("S", "-"));
    }
}

#[test]
fn three_branches() {
    for version in since_v2() {
        let room = Room::plain(version)
            .topic("T", BOB)
            .after(["D"])
            .member("ban", ALICE, BOB, "ban")
            .after(["D"])
            .topic("U", ALICE);
        let merged = room.merge(["T", "ban", "U"]);
        assert_eq!((merged.topic(), merged.member(BOB)), ("U", "ban"));
    }
}

#[test]
fn rejected_auth_events_are_not_used() {
    for version in since_v2() {
        // Dave's second join F stands on his first one, E, because the room is closed by then.
        let room = Room::plain(version)
            .levels("Q", ALICE, json!({BOB: 50, DAVE: 50}))
            .member("E", DAVE, DAVE, "join")
            .topic("T", DAVE)
            .join_rule("I", ALICE, "invite")
            .member("F", DAVE, DAVE, "join");
        let joined = room.state_after("F");
        let mut unknown = joined.clone();
        unknown.remove(&("m.room.member".to_owned(), DAVE.to_owned()));

        let mut events = room.history.events().clone();
        let resolve =
            |events: &Events| Merged(resolve(version, &[joined.clone(), unknown.clone()], events).unwrap());
        assert_eq!(resolve(&events).member(DAVE), "F");
        events.reject(&room.id("E"));
        assert_eq!(resolve(&events).member(DAVE), "-");
        assert_eq!(resolve(&events).rejected(), [("F", Rule::JoinOtherwise)]);
    }
}

#[test]
fn missing_events_are_named() {
    for version in since_v2() {
        let room = Room::plain(version).topic("T", BOB).after(["D"]).topic("U", BOB);
        let sets = [room.state_after("T"), room.state_after("U")];
        for missing in ["C", "P", "B", "T"] {
            let events = room.history.events().iter().filter(|event| event.id() != room.id(missing)).cloned();
            match resolve(version, &sets, &events.collect()) {
                Err(ResolutionError::Missing { id, .. }) => assert_eq!(id, room.id(missing)),
                other => panic!("{missing} is missing, but {other:?}"),
            }
        }
    }
}

#[test]
fn circles_are_refused() {
    for version in since_v2() {
        let room = Room::plain(version).topic("T", BOB);
        // Bob's join stands on the topic that he set.
        let circle = room.history.events().iter().map(|event| {
            let mut pdu = event.pdu().clone();
            if event.id() == room.id("B") {
                super::scene::refer(version, &mut pdu, "auth_events", &[room.id("T")]);
            }
            crate::Event::new(version, event.id(), pdu).unwrap()
        });
        match resolve(version, &[room.state_after("T")], &circle.collect()) {
            Err(ResolutionError::Circle(ids)) => {
                assert_eq!(names(ids.iter().map(String::as_str)), "B T");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_state_that_files_an_event_wrongly_is_refused() {
    for version in RoomVersion::ALL {
        let room = Room::plain(version);
        let key = ("m.room.topic".to_owned(), String::new());
        let state = StateMap::from([(key.clone(), room.id("B"))]);
        let error = resolve(version, &[state], room.history.events()).unwrap_err();
        assert_eq!(error, ResolutionError::Misfiled { id: room.id("B"), key });
    }
}

/// Whoever names a message among auth events is rejected on receipt, but a resolution has to go on all the same.
#[test]
fn an_auth_event_without_state_key_changes_nothing() {
    for version in since_v2() {
        let room = Room::plain(version).topic("T", ALICE).after(["D"]).topic("U", BOB);
        let topic = room.history.events().get(&room.id("T")).unwrap();
        let mut message = topic.pdu().clone();
        message.remove("state_key");
        let mut auth_events = topic.auth_events().to_vec();
        auth_events.push(room.id("M"));
        let mut pdu = topic.pdu().clone();
        refer(version, &mut pdu, "auth_events", &auth_events);
        let mut events = room.history.events().clone();
        events.insert(Event::new(version, room.id("M"), message).unwrap());
        events.insert(Event::new(version, room.id("T"), pdu).unwrap());

        let states = ["T", "U"].map(|name| room.state_after(name));
        let resolution = resolve(version, &states, &events).unwrap();
        assert!(resolution.full_conflicted_set.contains(&room.id("M")));
        assert_eq!(resolution.state, room.merge(["T", "U"]).0.state);
    }
}

#[test]
fn no_sets_are_no_state() {
    for version in RoomVersion::ALL {
        assert!(resolve(version, &[], &Events::default()).unwrap().state.is_empty());
    }
}

#[test]
fn the_trace_reads_well() {
    let room = Room::plain(RoomVersion::find("11").unwrap())
        .topic("T", ALICE)
        .member("ban", ALICE, BOB, "ban")
        .after(["T"])
        .levels("Q", BOB, json!({BOB: 50, CAROL: 50}))
        .topic("U", BOB);
    insta::assert_snapshot!(room.merge(["ban", "U"]).0);
}
