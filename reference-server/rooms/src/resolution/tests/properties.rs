//! What holds of every resolution, whatever users do on either side of a fork.

use proptest::prelude::*;
use protocol::RoomVersion;
use protocol::room_version::StateResolution;
use serde_json::json;

use super::room::{ALICE, BOB, Draft, EVE, Fork, MOD, Room, id_at};
use crate::authorize::authorize;
use crate::event::Pdu;
use crate::resolution::{AuthChains, resolve, resolve_with};
use crate::state::{StateLookup, StateMap};

const USERS: [&str; 4] = [ALICE, MOD, BOB, EVE];

/// Something that a user tries on one of the forks.
#[derive(Clone, Debug)]
struct Attempt {
    fork: prop::sample::Index,
    sender: usize,
    act: Act,
    timestamp_ms: i64,
}

#[derive(Clone, Debug)]
enum Act {
    Membership(usize, &'static str),
    Level(usize, i64),
    JoinRule(&'static str),
    Topic,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let user = || 0..USERS.len();
    let membership = prop::sample::select(vec!["join", "invite", "leave", "ban"]);
    let act = prop_oneof![
        5 => (user(), membership).prop_map(|(target, membership)| Act::Membership(target, membership)),
        2 => (user(), prop::sample::select(vec![0, 50, 100])).prop_map(|(user, level)| Act::Level(user, level)),
        2 => prop::sample::select(vec!["public", "invite"]).prop_map(Act::JoinRule),
        2 => Just(Act::Topic),
    ];
    (any::<prop::sample::Index>(), user(), act, 0..4_i64)
        .prop_map(|(fork, sender, act, timestamp_ms)| Attempt { fork, sender, act, timestamp_ms })
}

/// A few rounds of forking and coming together again.
fn history() -> impl Strategy<Value = (&'static RoomVersion, usize, Vec<Vec<Attempt>>)> {
    let version = prop::sample::select(RoomVersion::ALL.as_slice());
    (version, 2..4_usize, prop::collection::vec(prop::collection::vec(attempt(), 1..16), 1..4))
}

/// Sends what the fork allows.
fn send(room: &mut Room, fork: &mut Fork, attempt: &Attempt) {
    let id = format!("event-{}", room.events.len());
    let sender = USERS[attempt.sender];
    let draft = match &attempt.act {
        Act::Membership(target, membership) => {
            Draft::new(&id, sender, "m.room.member", USERS[*target], json!({"membership": membership}))
        }
        Act::Level(user, level) => {
            let current = fork.state.find("m.room.power_levels", "").map(Pdu::object);
            let mut content = current.map_or(json!({"users": {}}), |object| object["content"].clone());
            content["users"][USERS[*user]] = json!(level);
            Draft::new(&id, sender, "m.room.power_levels", "", content)
        }
        Act::JoinRule(rule) => Draft::new(&id, sender, "m.room.join_rules", "", json!({"join_rule": rule})),
        Act::Topic => Draft::new(&id, sender, "m.room.topic", "", json!({"topic": id})),
    };
    let mut next = fork.clone();
    let event = room.send(&mut next, draft.at(attempt.timestamp_ms));
    if authorize(&event, &fork.state).is_ok() {
        *fork = next;
    } else {
        room.events.remove(event.event_id());
    }
}

fn ids(state: &StateMap) -> Vec<&str> {
    state.iter().map(Pdu::event_id).collect()
}

fn places(state: &StateMap) -> Vec<(String, String)> {
    let place = |event: &Pdu| (event.event_type().to_owned(), event.state_key().unwrap().to_owned());
    state.iter().map(place).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn resolution((version, forks, rounds) in history()) {
        let (mut room, mut trunk) = Room::new(version);
        let mut chains = AuthChains::default();
        for attempts in rounds {
            let mut forks = vec![trunk.clone(); forks];
            for attempt in &attempts {
                let fork = attempt.fork.index(forks.len());
                send(&mut room, &mut forks[fork], attempt);
            }
            let states: Vec<StateMap> = forks.iter().map(|fork| fork.state.clone()).collect();
            let resolved = resolve(version, &states, &room).unwrap();

            // What earlier calls have left behind changes nothing.
            let again = resolve_with(&mut chains, version, &states, &room).unwrap();
            prop_assert_eq!(ids(&again.state), ids(&resolved.state));
            prop_assert_eq!(
                again.judged.iter().map(|judged| (judged.event.event_id(), &judged.rejection)).collect::<Vec<_>>(),
                resolved.judged.iter().map(|judged| (judged.event.event_id(), &judged.rejection)).collect::<Vec<_>>()
            );

            // Neither does the order of the states, nor that one occurs twice.
            let mut turned: Vec<StateMap> = states.iter().rev().cloned().collect();
            turned.push(states[0].clone());
            let turned = resolve(version, &turned, &room).unwrap();
            prop_assert_eq!(ids(&turned.state), ids(&resolved.state));

            // A state agrees with itself, also when its events are other copies.
            for state in &states {
                let copy = state.iter().map(|event| {
                    Pdu::with_id(event.event_id().to_owned(), event.object().clone(), version).unwrap()
                }).collect();
                let same = resolve(version, &[state.clone(), copy], &room).unwrap();
                prop_assert_eq!(ids(&same.state), ids(state));
                prop_assert!(same.judged.is_empty());
            }

            // What all states agree on stays.
            let (first, others) = states.split_first().unwrap();
            for event in first.iter() {
                let (event_type, state_key) = (event.event_type(), event.state_key().unwrap());
                let agrees = |other: &StateMap| id_at(other, event_type, state_key) == Some(&event.event_id()[1..]);
                if others.iter().all(agrees) {
                    prop_assert!(agrees(&resolved.state));
                }
            }

            // Every place of the result was one of a state, and its event was in conflict or agreed on.
            for (event_type, state_key) in places(&resolved.state) {
                prop_assert!(states.iter().any(|state| state.find(&event_type, &state_key).is_some()));
            }
            // Nothing rejected is in the result, but where all states have it.
            if version.state_resolution != StateResolution::V1 {
                for (event, _) in resolved.rejected() {
                    let (event_type, state_key) = (event.event_type(), event.state_key().unwrap());
                    let is_agreed = states.iter().all(|state| id_at(state, event_type, state_key) == Some(&event.event_id()[1..]));
                    prop_assert!(is_agreed || id_at(&resolved.state, event_type, state_key) != Some(&event.event_id()[1..]));
                }
            }
            trunk = forks.swap_remove(0);
            trunk.state = resolved.state;
        }
    }
}
