//! The full conflicted set: the events in conflict, and those in auth chains that not all states share
//! (rooms/v2/#definitions; with the conflicted state subgraph, rooms/v12/#definitions).

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt};

use super::auth_chains::{AuthChains, Node};
use super::conflict::Conflict;
use crate::mistakes::{Mistake, mistaken};

/// The conflicted state set.
pub(super) fn conflicted_state_set(conflict: &Conflict<'_>, chains: &AuthChains) -> BTreeSet<Node> {
    conflict.events().filter_map(|event| chains.node(event.event_id())).collect()
}

/// The auth difference: the events in the auth chains of some states but not of all.
///
/// The text takes the chains of whole states. Those of the unconflicted state map are in the chain of every state,
/// so only the chains of events in conflict can make a difference. They are walked from the top down, each event
/// with the states whose chains it has turned up in, until nothing is left that not every state has.
pub(super) fn auth_difference(
    conflict: &Conflict<'_>,
    conflicted: &BTreeSet<Node>,
    chains: &AuthChains,
) -> BTreeSet<Node> {
    let mut difference = BTreeSet::new();
    let mut shared = SharedChain { chains, conflicted, known: HashMap::new() };
    let states = conflict.states().len();
    let mut frontier = Frontier { states, nodes: BTreeMap::new(), partial: 0 };
    for state in 0..states {
        for node in conflict.events_of(state).filter_map(|event| chains.node(event.event_id())) {
            frontier.add_all(chains.auth_events(node), &Holders::none(states).and(state));
        }
    }
    while frontier.partial > 0 {
        let Some((node, mut holders)) = frontier.pop() else { break };
        if !holders.are_all() {
            if !mistaken(Mistake::AuthDifferenceTooWide) && shared.contains(node) {
                holders = Holders::all(states);
            } else {
                difference.insert(node);
            }
        }
        frontier.add_all(chains.auth_events(node), &holders);
    }
    difference
}

/// The conflicted state subgraph: the events on the paths of auth events between events of a set.
pub(super) fn conflicted_state_subgraph(conflicted: &BTreeSet<Node>, chains: &AuthChains) -> BTreeSet<Node> {
    let Some(&floor) = conflicted.first() else { return BTreeSet::new() };
    let mut candidates = chains.chains(conflicted.iter().copied(), floor);
    candidates.extend(conflicted);
    let mut leading = BTreeSet::new();
    // From the bottom up, so that whether its auth events lead into the set is known before the event itself.
    for node in candidates {
        let leads = || chains.auth_events(node).any(|auth_event| leading.contains(&auth_event));
        if conflicted.contains(&node) || leads() {
            leading.insert(node);
        }
    }
    leading
}

/// The events that the walk has reached but not passed.
struct Frontier {
    states: usize,
    nodes: BTreeMap<Node, Holders>,
    /// How many of them have not turned up in the chains of all states.
    partial: usize,
}

impl Frontier {
    fn add_all(&mut self, nodes: impl Iterator<Item = Node>, holders: &Holders) {
        for node in nodes {
            let present = self.nodes.entry(node).or_insert_with(|| {
                self.partial += 1;
                Holders::none(self.states)
            });
            let was_partial = !present.are_all();
            present.add(holders);
            if was_partial && present.are_all() {
                self.partial -= 1;
            }
        }
    }

    /// The highest event. Nothing that is still to come rests on it, so its holders are complete.
    fn pop(&mut self) -> Option<(Node, Holders)> {
        let (node, holders) = self.nodes.pop_last()?;
        if !holders.are_all() {
            self.partial -= 1;
        }
        Some((node, holders))
    }
}

/// The states, by their index, whose auth chains have an event; kept as those that lack it.
struct Holders {
    lacking: Box<[u64]>,
}

impl Holders {
    fn none(states: usize) -> Self {
        let mut lacking: Box<[u64]> = vec![u64::MAX; states.div_ceil(64)].into();
        if let Some(last) = lacking.last_mut().filter(|_| !states.is_multiple_of(64)) {
            *last = (1 << (states % 64)) - 1;
        }
        Self { lacking }
    }

    fn all(states: usize) -> Self {
        Self { lacking: vec![0; states.div_ceil(64)].into() }
    }

    fn and(mut self, state: usize) -> Self {
        self.lacking[state / 64] &= !(1 << (state % 64));
        self
    }

    fn add(&mut self, others: &Self) {
        for (lacking, other) in self.lacking.iter_mut().zip(&others.lacking) {
            *lacking &= other;
        }
    }

    fn are_all(&self) -> bool {
        self.lacking.iter().all(|lacking| *lacking == 0)
    }
}

/// The auth chain of the unconflicted state map, explored from below and only where it is asked about: an event
/// belongs to it if following the events that cite it leads to an unconflicted one.
struct SharedChain<'a> {
    chains: &'a AuthChains,
    /// The conflicted state set; everything else of the state that `chains` covers is unconflicted.
    conflicted: &'a BTreeSet<Node>,
    known: HashMap<Node, bool>,
}

impl SharedChain<'_> {
    fn contains(&mut self, node: Node) -> bool {
        if let Some(known) = self.known.get(&node) {
            return *known;
        }
        let mut path = vec![(node, self.chains.cited_by(node))];
        while let Some((current, cited_by)) = path.last_mut() {
            let Some(citing) = cited_by.next() else {
                self.known.insert(*current, false);
                path.pop();
                continue;
            };
            if self.is_unconflicted(citing) || self.known.get(&citing) == Some(&true) {
                self.known.extend(path.iter().map(|(node, _)| (*node, true)));
                return true;
            }
            if !self.known.contains_key(&citing) {
                path.push((citing, self.chains.cited_by(citing)));
            }
        }
        false
    }

    fn is_unconflicted(&self, node: Node) -> bool {
        self.chains.is_covered(node) && !self.conflicted.contains(&node)
    }
}
