//! Sets and orders over random graphs, against their definitions spelled out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use protocol::room_version::V11;
use serde_json::json;

use crate::event::Pdu;
use crate::resolution::auth_chains::{AuthChains, Node};
use crate::resolution::conflict::Conflict;
use crate::resolution::full_conflicted_set::{
    auth_difference, conflicted_state_set, conflicted_state_subgraph,
};
use crate::resolution::iterative_auth_checks::AuthEvents;
use crate::resolution::{mainline, power_ordering};
use crate::state::StateMap;

/// Events that cite any earlier ones, and states that hold any of them.
#[derive(Clone, Debug)]
struct Graph {
    events: Vec<Pdu>,
    states: Vec<StateMap>,
}

/// Senders: one whose level the power levels state, and one who always has 0.
const USERS: [&str; 2] = ["@alice:a.org", "@bob:b.org"];

/// The number of places; the first is that of power levels.
const PLACES: usize = 5;

fn graph() -> impl Strategy<Value = Graph> {
    let event = (0..PLACES, prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..3_i64);
    let state = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    let changes = prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..4);
    (prop::collection::vec(event, 1..24), state, changes).prop_map(|(drafts, common, changes)| {
        let mut events: Vec<Pdu> = Vec::new();
        for (index, (place, cited, timestamp_ms)) in drafts.iter().enumerate() {
            let cited: Vec<_> = cited
                .iter()
                .filter(|_| index > 0)
                .map(|cited| events[cited.index(index)].event_id())
                .collect();
            events.push(event_at(*place, index, &cited, *timestamp_ms));
        }
        let pick = |index: &prop::sample::Index| events[index.index(events.len())].clone();
        let common: StateMap = common.iter().map(pick).collect();
        let states = changes.iter().map(|change| {
            let mut state = common.clone();
            for event in change.iter().map(pick) {
                state.insert(&event);
            }
            state
        });
        let states = states.collect();
        Graph { events, states }
    })
}

fn event_at(place: usize, index: usize, auth_events: &[&str], timestamp_ms: i64) -> Pdu {
    let (event_type, state_key) =
        if place == 0 { ("m.room.power_levels", String::new()) } else { ("place", place.to_string()) };
    let content = json!({"users": {(USERS[0]): index % 3}});
    let object = json!({
        "type": event_type, "state_key": state_key, "sender": USERS[index % 2], "room_id": "!room:a.org",
        "content": content, "origin_server_ts": timestamp_ms, "prev_events": [], "auth_events": auth_events,
    });
    // Ids whose order is not that of the graph.
    let event_id = format!("${:02}", (index * 7) % 24);
    Pdu::with_id(event_id, object.as_object().unwrap().clone(), &V11).unwrap()
}

impl Graph {
    fn by_id(&self) -> HashMap<String, Pdu> {
        self.events.iter().map(|event| (event.event_id().to_owned(), event.clone())).collect()
    }

    /// A cache that knows every event.
    fn all_chains(&self) -> AuthChains {
        let mut chains = AuthChains::default();
        for event in &self.events {
            let states = [StateMap::from_iter([event.clone()]), StateMap::default()];
            chains.learn(&Conflict::between(&states), &self.by_id()).unwrap();
        }
        chains
    }

    /// The auth chain of each event.
    fn chains(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut chains: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for event in &self.events {
            let mut chain = BTreeSet::new();
            for cited in event.auth_events() {
                chain.insert(cited.as_str());
                chain.extend(&chains[cited.as_str()]);
            }
            chains.insert(event.event_id(), chain);
        }
        chains
    }

    fn auth_difference(&self) -> BTreeSet<&str> {
        let chains = self.chains();
        let of_state = |state: &StateMap| -> BTreeSet<&str> {
            state.iter().flat_map(|event| chains[event.event_id()].iter().copied()).collect()
        };
        let of_states: Vec<BTreeSet<&str>> = self.states.iter().map(of_state).collect();
        let all = of_states.iter().flatten().copied();
        all.filter(|id| !of_states.iter().all(|chain| chain.contains(id))).collect()
    }

    fn subgraph<'a>(&'a self, conflicted: &BTreeSet<&str>) -> BTreeSet<&'a str> {
        let chains = self.chains();
        let is_on_path = |id: &&str| {
            let is_below = conflicted.iter().any(|top| top == id || chains[top].contains(id));
            let is_above = conflicted.iter().any(|end| end == id || chains[id].contains(end));
            is_below && is_above
        };
        chains.keys().copied().filter(is_on_path).collect()
    }

    fn power_levels_of(&self, event: &Pdu) -> Option<&Pdu> {
        let cited = |id: &String| self.events.iter().find(|event| event.event_id() == id);
        event.auth_events().iter().filter_map(cited).find(|event| event.is_state("m.room.power_levels", ""))
    }

    fn levels_behind(&self, event: &Pdu) -> Vec<&Pdu> {
        std::iter::successors(self.power_levels_of(event), |event| self.power_levels_of(event)).collect()
    }
}

/// Every order of some things.
fn permutations<T: Copy>(things: &[T]) -> Vec<Vec<T>> {
    let Some((&first, others)) = things.split_first() else { return vec![Vec::new()] };
    let insert = |order: Vec<T>| {
        (0..=order.len()).map(move |position| {
            let mut order = order.clone();
            order.insert(position, first);
            order
        })
    };
    permutations(others).into_iter().flat_map(insert).collect()
}

fn ids(nodes: &BTreeSet<Node>, chains: &AuthChains) -> BTreeSet<String> {
    nodes.iter().map(|node| chains.event_id(*node).to_owned()).collect()
}

fn owned(ids: &BTreeSet<&str>) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn sets_are_those_of_the_definitions(graph in graph()) {
        let conflict = Conflict::between(&graph.states);
        let mut chains = AuthChains::default();
        chains.learn(&conflict, &graph.by_id()).unwrap();
        let conflicted = conflicted_state_set(&conflict, &chains);
        let difference = auth_difference(&conflict, &conflicted, &chains);
        prop_assert_eq!(ids(&difference, &chains), owned(&graph.auth_difference()));

        let literal: BTreeSet<&str> = graph.states.iter().flat_map(|state| {
            state.iter().filter(|event| !graph.states.iter().all(|other| {
                other.iter().any(|other| other.event_id() == event.event_id())
            }))
        }).map(Pdu::event_id).collect();
        prop_assert_eq!(ids(&conflicted, &chains), owned(&literal));
        let subgraph = conflicted_state_subgraph(&conflicted, &chains);
        prop_assert_eq!(ids(&subgraph, &chains), owned(&graph.subgraph(&literal)));
    }

    #[test]
    fn the_mainline_ordering_is_that_of_the_definition(graph in graph(), top: prop::sample::Index) {
        let chains = graph.all_chains();
        let levels: Vec<&Pdu> = graph.events.iter().filter(|event| event.is_state("m.room.power_levels", "")).collect();
        let top = (!levels.is_empty()).then(|| levels[top.index(levels.len())]);
        let mut mainline: Vec<&Pdu> = Vec::new();
        if let Some(top) = top {
            mainline.push(top);
            mainline.extend(graph.levels_behind(top));
        }
        let position = |event: &Pdu| {
            let mut behind = graph.levels_behind(event).into_iter();
            behind.find_map(|level| mainline.iter().position(|other| other.event_id() == level.event_id()))
        };
        let mut expected: Vec<&Pdu> = graph.events.iter().collect();
        expected.sort_by_key(|event| {
            let position = position(event).unwrap_or(usize::MAX);
            (Reverse(position), event.origin_server_ts(), event.event_id())
        });
        let node = |event: &Pdu| chains.node(event.event_id()).unwrap();
        let mut sorted: Vec<(Node, &Pdu)> = graph.events.iter().map(|event| (node(event), event)).collect();
        mainline::sort(&mut sorted, top.map(node), &chains);
        let sorted: Vec<&str> = sorted.iter().map(|(_, event)| event.event_id()).collect();
        prop_assert_eq!(sorted, expected.iter().map(|event| event.event_id()).collect::<Vec<_>>());
    }

    #[test]
    fn the_power_ordering_is_the_least_topological_one(graph in graph(), size in 1..7_usize) {
        let chains = graph.all_chains();
        let by_id = graph.by_id();
        let events: Vec<&Pdu> = graph.events.iter().rev().take(size).collect();
        let is_topological = |order: &Vec<&Pdu>| order.iter().enumerate().all(|(index, event)| {
            order[index..].iter().all(|later| !event.auth_events().iter().any(|id| id == later.event_id()))
        });
        let rank = |event: &&Pdu| {
            let levels = graph.power_levels_of(event).filter(|_| event.sender() == USERS[0]);
            let level = levels.map_or(0, |levels| levels.content("users").unwrap()[USERS[0]].as_i64().unwrap());
            (Reverse(level), event.origin_server_ts(), event.event_id().to_owned())
        };
        let orders = permutations(&events).into_iter().filter(is_topological);
        let expected = orders.min_by_key(|order| order.iter().map(rank).collect::<Vec<_>>()).unwrap();

        let conflict = Conflict::between(&graph.states);
        let auth_events = AuthEvents::new(&V11, &conflict, &by_id);
        let nodes = events.iter().map(|event| (chains.node(event.event_id()).unwrap(), *event)).collect();
        let sorted = power_ordering::sort(&V11, &nodes, &chains, &auth_events).unwrap();
        let ids = |events: Vec<&Pdu>| events.iter().map(|event| event.event_id().to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(ids(sorted), ids(expected));
    }
}
