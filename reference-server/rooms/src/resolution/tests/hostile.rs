//! Graphs that no honest server sends: every one ends in a state or a clear error.

use protocol::room_version::{V2, V12};

use super::room::{ALICE, Fork, MOD, Room, id_at, member, topic};
use crate::resolution::{AuthChains, ResolutionError, resolve, resolve_with};
use crate::state::StateMap;

fn states(forks: &[&Fork]) -> Vec<StateMap> {
    forks.iter().map(|fork| fork.state.clone()).collect()
}

#[test]
fn a_cycle_of_auth_events_is_an_error() {
    let (mut room, trunk) = Room::new(&V2);
    let (mut left, right) = (trunk.clone(), trunk);
    room.send(&mut left, topic("a", ALICE).resting_on(&["create", "alice", "b"]));
    room.send(&mut left, topic("b", ALICE).resting_on(&["create", "alice", "c"]));
    room.send(&mut left, topic("c", ALICE).resting_on(&["create", "alice", "a"]));
    let error = resolve(&V2, &states(&[&left, &right]), &room).unwrap_err();
    assert_eq!(error, ResolutionError::Cycle { event_id: "$c".to_owned() });
}

#[test]
fn an_event_that_rests_on_itself_is_an_error() {
    let (mut room, trunk) = Room::new(&V2);
    let (mut left, right) = (trunk.clone(), trunk);
    room.send(&mut left, topic("a", ALICE).resting_on(&["create", "alice", "a"]));
    let error = resolve(&V2, &states(&[&left, &right]), &room).unwrap_err();
    assert_eq!(error, ResolutionError::Cycle { event_id: "$a".to_owned() });
}

#[test]
fn a_missing_event_is_an_error_that_can_be_remedied() {
    let (mut room, trunk) = Room::new(&V12);
    let (mut left, right) = (trunk.clone(), trunk);
    room.send(&mut left, member("left", MOD, MOD, "leave"));
    let states = states(&[&left, &right]);
    let mut chains = AuthChains::default();

    let lost = room.events.remove("$rules").unwrap();
    let error = resolve_with(&mut chains, &V12, &states, &room).unwrap_err();
    assert_eq!(
        error,
        ResolutionError::Missing { event_id: "$rules".to_owned(), cited_by: "$mod".to_owned() }
    );
    room.events.insert("$rules".to_owned(), lost);
    let resolved = resolve_with(&mut chains, &V12, &states, &room).unwrap();
    assert_eq!(id_at(&resolved.state, "m.room.member", MOD), Some("left"));
}

#[test]
fn a_store_that_answers_with_another_event_has_not_got_it() {
    let (mut room, trunk) = Room::new(&V12);
    let (mut left, right) = (trunk.clone(), trunk);
    room.send(&mut left, topic("topic", ALICE));
    let other = room.events["$mod"].clone();
    room.events.insert("$levels".to_owned(), other);
    let error = resolve(&V12, &states(&[&left, &right]), &room).unwrap_err();
    assert!(matches!(error, ResolutionError::Missing { event_id, .. } if event_id == "$levels"));
}

#[test]
fn a_chain_too_long_for_recursion_is_walked() {
    for version in [&V2, &V12] {
        let (mut room, trunk) = Room::new(version);
        let (mut left, mut right) = (trunk.clone(), trunk);
        let ids: Vec<String> = (0..20_000).map(|index| format!("levels-{index}")).collect();
        for id in &ids {
            let levels = room.levels(id, ALICE, &[]);
            room.send(&mut left, levels);
        }
        room.send(&mut left, topic("left", ALICE));
        room.send(&mut right, topic("right", ALICE));
        let resolved = room.resolve(&[&left, &right]);
        assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("left"));
        assert_eq!(id_at(&resolved.state, "m.room.power_levels", ""), Some("levels-19999"));
    }
}

#[test]
fn more_states_than_a_word_has_bits() {
    for version in [&V2, &V12] {
        let (mut room, trunk) = Room::new(version);
        let ids: Vec<String> = (0..130).map(|index| format!("topic-{index:03}")).collect();
        let forks: Vec<Fork> = ids
            .iter()
            .map(|id| {
                let mut fork = trunk.clone();
                room.send(&mut fork, topic(id, ALICE));
                fork
            })
            .collect();
        let resolved = room.resolve(&forks.iter().collect::<Vec<_>>());
        assert_eq!(resolved.judged.len(), 130, "{:?}", resolved.judged.first());
        assert_eq!(id_at(&resolved.state, "m.room.topic", ""), Some("topic-129"));
    }
}

#[test]
fn no_states_resolve_to_no_state() {
    let (room, _) = Room::new(&V12);
    assert!(resolve(&V12, &[], &room).unwrap().state.is_empty());
    assert!(resolve(&V12, &[StateMap::default()], &room).unwrap().state.is_empty());
}
