//! What must hold for any history: rooms grown at random, and any of their states resolved.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::RoomVersion;
use protocol::room_version::StateResolution;
use serde_json::json;

use super::room::Room;
use super::{ALICE, BOB, CAROL, DAVE};
use crate::{Resolution, StateMap, resolve};

const TARGETS: [&str; 4] = [ALICE, BOB, CAROL, DAVE];
/// Those with power act more often, because the rules reject most of what the others try.
const SENDERS: [&str; 7] = [ALICE, ALICE, BOB, BOB, BOB, CAROL, DAVE];
/// The events of a plain room.
const PLAIN: [&str; 6] = ["C", "A", "P", "J", "B", "D"];

/// One event: who sends what to whom, on top of which earlier events, at what time.
#[derive(Clone, Debug)]
struct Act {
    sender: prop::sample::Index,
    target: prop::sample::Index,
    kind: u8,
    parents: Vec<prop::sample::Index>,
    clock: i64,
}

fn act() -> impl Strategy<Value = Act> {
    let index = any::<prop::sample::Index>;
    (index(), index(), 0_u8..10, vec(index(), 1..3), 0_i64..4).prop_map(
        |(sender, target, kind, parents, clock)| Act { sender, target, kind, parents, clock: clock * 10_000 },
    )
}

fn version() -> impl Strategy<Value = &'static RoomVersion> {
    prop::sample::select(RoomVersion::ALL.as_slice())
}

/// Grows a room and takes the states after some of its events.
fn grow(version: &'static RoomVersion, acts: &[Act], picks: &[prop::sample::Index]) -> (Room, Vec<StateMap>) {
    let mut room = Room::plain(version);
    let mut names: Vec<String> = PLAIN.map(str::to_owned).to_vec();
    for (number, act) in acts.iter().enumerate() {
        // Forks start where the room was made already, so that they have something to contend about.
        let parents = act.parents.iter().map(|index| names[4 + index.index(names.len() - 4)].as_str());
        let parents: BTreeSet<&str> = parents.collect();
        let parents: Vec<&str> = parents.into_iter().collect();
        room = match parents.as_slice() {
            [one, two, ..] => room.after([one, two]),
            _ => room.after([parents[0]]),
        };
        room = room.at(act.clock);
        let (sender, target) = (SENDERS[act.sender.index(7)], TARGETS[act.target.index(4)]);
        let name = format!("E{number}");
        perform(&mut room, &name, act.kind, sender, target);
        names.push(name);
    }
    let states = picks.iter().map(|pick| room.state_after(&names[4 + pick.index(names.len() - 4)])).collect();
    (room, states)
}

fn perform(room: &mut Room, name: &str, kind: u8, sender: &str, target: &str) {
    let member = |membership: &str| ("m.room.member", target, json!({"membership": membership}));
    let (event_type, state_key, content) = match kind {
        0 | 1 => ("m.room.topic", "", json!({"topic": name})),
        2 => ("m.room.join_rules", "", json!({"join_rule": "invite"})),
        3 => ("m.room.join_rules", "", json!({"join_rule": "public"})),
        4 => member("ban"),
        5 => member("leave"),
        6 => member("invite"),
        7 => ("m.room.member", sender, json!({"membership": "join"})),
        8 => ("m.room.power_levels", "", json!({"users": {BOB: 50, target: 50}})),
        _ => ("m.room.power_levels", "", json!({"users": {BOB: 50}, "ban": 40, "state_default": 0})),
    };
    room.send(name, sender, event_type, state_key, content);
}

fn resolved(room: &Room, states: &[StateMap]) -> Resolution {
    resolve(room.version, states, room.history.events()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn neither_order_nor_repetition_matters(
        version in version(),
        acts in vec(act(), 4..14),
        picks in vec(any::<prop::sample::Index>(), 2..5),
        rotation in any::<prop::sample::Index>(),
    ) {
        let (room, mut states) = grow(version, &acts, &picks);
        let expected = resolved(&room, &states);
        states.rotate_left(rotation.index(picks.len()));
        prop_assert_eq!(&resolved(&room, &states), &expected);
        states.reverse();
        prop_assert_eq!(&resolved(&room, &states), &expected);
        states.push(states[0].clone());
        prop_assert_eq!(&resolved(&room, &states), &expected);
    }

    #[test]
    fn equal_sets_resolve_to_themselves(
        version in version(),
        acts in vec(act(), 4..14),
        pick in any::<prop::sample::Index>(),
    ) {
        let (room, states) = grow(version, &acts, &[pick, pick]);
        let resolution = resolved(&room, &states);
        prop_assert_eq!(&resolution.state, &states[0]);
        prop_assert!(resolution.steps.is_empty());
    }

    #[test]
    fn what_nobody_disputes_survives(
        version in version(),
        acts in vec(act(), 4..14),
        picks in vec(any::<prop::sample::Index>(), 2..5),
    ) {
        let (room, states) = grow(version, &acts, &picks);
        let resolution = resolved(&room, &states);
        for (key, id) in &resolution.unconflicted_state {
            prop_assert_eq!(resolution.state.get(key), Some(id));
            if version.state_resolution != StateResolution::V1 {
                prop_assert!(states.iter().all(|state| state.get(key) == Some(id)));
            }
        }
        for (key, id) in &resolution.state {
            let is_undisputed = resolution.unconflicted_state.get(key) == Some(id);
            let was_checked = resolution.steps.iter().any(|step| step.event_id == *id);
            prop_assert!(is_undisputed || was_checked);
        }
    }

    #[test]
    fn every_contender_is_checked_once_and_after_what_it_stands_on(
        version in version(),
        acts in vec(act(), 4..14),
        picks in vec(any::<prop::sample::Index>(), 2..5),
    ) {
        prop_assume!(version.state_resolution != StateResolution::V1);
        let (room, states) = grow(version, &acts, &picks);
        let resolution = resolved(&room, &states);
        let checked: Vec<&String> = resolution.steps.iter().map(|step| &step.event_id).collect();
        let distinct: BTreeSet<&String> = checked.iter().copied().collect();
        prop_assert_eq!(checked.len(), distinct.len());
        prop_assert_eq!(distinct, resolution.full_conflicted_set.iter().collect::<BTreeSet<_>>());
        let power_events: Vec<&String> = resolution.power_events.iter().map(|event| &event.event_id).collect();
        for (position, id) in power_events.iter().enumerate() {
            let auth_events = room.history.events().get(id).unwrap().auth_events();
            prop_assert!(!power_events[position..].iter().any(|later| auth_events.contains(later)));
        }
    }
}
