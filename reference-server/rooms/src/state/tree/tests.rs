//! The tree against a map of the standard library.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::room_version::V11;
use serde_json::json;

use super::{Node, Tree, WIDTH};
use crate::event::Pdu;
use crate::state::StateMap;

type Model = BTreeMap<(String, String), String>;

#[derive(Clone, Debug)]
enum Change {
    Insert(&'static str, u16, u8),
    Remove(&'static str, u16),
}

fn event(event_type: &str, state_key: &str, id: u8) -> Pdu {
    let object = json!({
        "type": event_type, "state_key": state_key, "sender": "@alice:a.org", "room_id": "!room:a.org", "content": {},
        "prev_events": [], "auth_events": [],
    });
    let id = format!("${event_type}-{state_key}-{id}");
    Pdu::with_id(id, object.as_object().unwrap().clone(), &V11).unwrap()
}

fn apply(change: &Change, state: &mut StateMap, model: &mut Model) {
    match change {
        Change::Insert(event_type, key, id) => {
            let event = event(event_type, &key.to_string(), *id);
            let replaced = state.insert(&event).map(|event| event.event_id().to_owned());
            let place = ((*event_type).to_owned(), key.to_string());
            assert_eq!(replaced, model.insert(place, event.event_id().to_owned()));
        }
        Change::Remove(event_type, key) => {
            state.remove((event_type, &key.to_string()));
            model.remove(&((*event_type).to_owned(), key.to_string()));
        }
    }
}

fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let event_type = prop::sample::select(vec!["a", "b", "m.room.member"]);
    let change =
        (event_type, 0..300_u16, 0..3_u8, 0..4_u8).prop_map(|(event_type, key, id, kind)| match kind {
            0 => Change::Remove(event_type, key),
            _ => Change::Insert(event_type, key, id),
        });
    prop::collection::vec(change, 0..most)
}

fn id_at<'a>(model: &'a Model, place: &(String, String)) -> Option<&'a str> {
    model.get(place).map(String::as_str)
}

fn check(state: &StateMap, model: &Model) {
    assert_eq!(state.len(), model.len());
    let ids: Vec<_> = state.iter().map(Pdu::event_id).collect();
    assert_eq!(ids, model.values().collect::<Vec<_>>());
    for event_type in ["", "a", "b", "c", "m.room.member", "n"] {
        let of_type = model.iter().filter(|(place, _)| place.0 == event_type).map(|(_, id)| id);
        assert_eq!(
            state.of_type(event_type).map(Pdu::event_id).collect::<Vec<_>>(),
            of_type.collect::<Vec<_>>()
        );
    }
    for (place, id) in model {
        assert_eq!(state.events.find((&place.0, &place.1)).unwrap().event_id(), id);
    }
}

proptest! {
    #[test]
    fn a_tree_is_a_map_and_forks_differ_where_maps_do(
        trunk in changes(1500), left in changes(40), right in changes(40),
    ) {
        let (mut state, mut model) = (StateMap::default(), Model::new());
        trunk.iter().for_each(|change| apply(change, &mut state, &mut model));
        check(&state, &model);
        let trunk = (state.clone(), model.clone());
        let (mut left_state, mut left_model) = trunk.clone();
        left.iter().for_each(|change| apply(change, &mut left_state, &mut left_model));
        right.iter().for_each(|change| apply(change, &mut state, &mut model));
        check(&left_state, &left_model);
        check(&state, &model);
        check(&trunk.0, &trunk.1);

        let places: BTreeSet<_> = left_model.keys().chain(model.keys()).collect();
        let expected: Vec<_> = places
            .into_iter()
            .map(|place| (id_at(&left_model, place), id_at(&model, place)))
            .filter(|(left, right)| left != right)
            .collect();
        let found: Vec<_> = left_state
            .differences(&state)
            .into_iter()
            .map(|(left, right)| (left.map(Pdu::event_id), right.map(Pdu::event_id)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

/// The nodes of a tree that another one does not share.
fn own_nodes(tree: &Tree, other: &Tree) -> usize {
    fn nodes<'a>(node: &'a Node, into: &mut Vec<&'a Node>) {
        into.push(node);
        if let Node::Branch(children) = node {
            children.iter().for_each(|child| nodes(&child.node, into));
        }
    }
    let (mut own, mut others) = (Vec::new(), Vec::new());
    nodes(&tree.root, &mut own);
    nodes(&other.root, &mut others);
    own.retain(|node| !others.iter().any(|other| node.is_same(other)));
    own.len()
}

#[test]
fn a_change_copies_one_path() {
    let mut state = StateMap::default();
    for key in 0..5000_u16 {
        state.insert(&event("m.room.member", &key.to_string(), 0));
    }
    let trunk = state.clone();
    state.insert(&event("m.room.member", "2500", 1));
    let height = trunk.events.height;
    assert!(WIDTH.pow(u32::try_from(height).unwrap()) < 5000 * 2, "{height} levels are too many");
    assert_eq!(own_nodes(&state.events, &trunk.events), height + 1);
    assert_eq!(own_nodes(&state.clone().events, &state.events), 0);
}
