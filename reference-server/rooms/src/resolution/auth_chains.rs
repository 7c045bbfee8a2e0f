//! The graph of a room's auth events, kept from one resolution to the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::conflict::Conflict;
use super::{EventStore, ResolutionError};
use crate::event::Pdu;
use crate::state::StateMap;

/// What is known about the auth chains of a room: which event rests on which, and the other way round.
///
/// One value serves one room and may be kept as long as that pays: it only makes the next resolution cheaper.
/// It holds ids, not events, and grows with the number of state events that resolutions have come across, by some
/// 200 bytes for each. Drop it to forget.
#[derive(Clone, Debug, Default)]
pub struct AuthChains {
    nodes: HashMap<Arc<str>, Node>,
    entries: Vec<Entry>,
    /// Who cites whom. What an event cites stands together.
    citations: Vec<Citation>,
    /// A state all of whose events are known, and marked as its events.
    covered: StateMap,
}

/// An event in [`AuthChains`]. Events come after their auth events, so that walking a chain downwards is walking
/// numbers downwards, and nothing below the least number of interest has to be visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(u32);

#[derive(Clone, Debug)]
struct Entry {
    event_id: Arc<str>,
    is_create: bool,
    is_power_levels: bool,
    is_covered: bool,
    /// The `m.room.power_levels` event among the auth events.
    power_levels: Option<Node>,
    /// Where its own citations begin. They end where those of the next event begin.
    first_citation: u32,
    /// The latest citation of this event, from which the earlier ones are reached.
    cited: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Citation {
    auth_event: Node,
    citing: Node,
    /// The one before it that cites the same event.
    earlier: Option<u32>,
}

impl Node {
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl AuthChains {
    /// The number of events known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no event is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes in the auth chains of states in conflict, as far as they are new.
    pub(super) fn learn(
        &mut self,
        conflict: &Conflict<'_>,
        events: &dyn EventStore,
    ) -> Result<(), ResolutionError> {
        for event in conflict.events() {
            self.insert(event, events)?;
        }
        let Some(state) = conflict.states().first() else { return Ok(()) };
        let covered = self.covered.clone();
        let differences = covered.differences(state);
        self.reserve(differences.len());
        let mut added = Vec::with_capacity(differences.len());
        for event in differences.iter().filter_map(|(_, event)| *event) {
            added.push(self.insert(event, events)?);
        }
        let removed = differences.iter().filter_map(|(event, _)| self.node((*event)?.event_id()));
        for node in removed.collect::<Vec<_>>() {
            self.entries[node.index()].is_covered = false;
        }
        for node in added {
            self.entries[node.index()].is_covered = true;
        }
        self.covered = state.clone();
        Ok(())
    }

    /// The node of an event that was taken in.
    pub(super) fn node(&self, event_id: &str) -> Option<Node> {
        self.nodes.get(event_id).copied()
    }

    pub(super) fn event_id(&self, node: Node) -> &str {
        &self.entry(node).event_id
    }

    pub(super) fn auth_events(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        let end = self
            .entries
            .get(node.index() + 1)
            .map_or(self.citations.len(), |next| next.first_citation as usize);
        let own = &self.citations[self.entry(node).first_citation as usize..end];
        own.iter().map(|citation| citation.auth_event)
    }

    /// The events that cite one, the latest known first.
    pub(super) fn cited_by(&self, node: Node) -> CitedBy<'_> {
        CitedBy { citations: &self.citations, next: self.entry(node).cited }
    }

    pub(super) fn is_create(&self, node: Node) -> bool {
        self.entry(node).is_create
    }

    /// Whether an event is part of the first of the states that were learned last.
    pub(super) fn is_covered(&self, node: Node) -> bool {
        self.entry(node).is_covered
    }

    pub(super) fn power_levels(&self, node: Node) -> Option<Node> {
        self.entry(node).power_levels
    }

    /// The events in the auth chains of some events, without those that lie below a floor.
    pub(super) fn chains(&self, of: impl IntoIterator<Item = Node>, floor: Node) -> BTreeSet<Node> {
        let mut found = BTreeSet::new();
        let mut open: Vec<Node> = of.into_iter().collect();
        while let Some(node) = open.pop() {
            let above = self.auth_events(node).filter(|node| *node >= floor);
            open.extend(above.filter(|node| found.insert(*node)));
        }
        found
    }

    fn entry(&self, node: Node) -> &Entry {
        &self.entries[node.index()]
    }

    fn reserve(&mut self, events: usize) {
        self.nodes.reserve(events);
        self.entries.reserve(events);
    }

    /// Takes in an event after its whole auth chain, which can be too long for recursion.
    fn insert(&mut self, event: &Pdu, events: &dyn EventStore) -> Result<Node, ResolutionError> {
        if let Some(node) = self.node(event.event_id()).or_else(|| self.insert_above_known(event)) {
            return Ok(node);
        }
        // The events that wait for their auth events, each with the number of those that it has.
        let mut path = vec![(event.clone(), 0)];
        let mut on_path: HashSet<Arc<str>> = [event.shared_event_id().clone()].into_iter().collect();
        loop {
            let Some((current, passed)) = path.last_mut() else { return Ok(self.nodes[event.event_id()]) };
            let Some(event_id) = current.auth_events().get(*passed) else {
                self.insert_above_known(current);
                path.pop();
                continue;
            };
            *passed += 1;
            if self.nodes.contains_key(event_id.as_str()) {
                continue;
            }
            let auth_event = find(events, event_id, current)?;
            if self.insert_above_known(&auth_event).is_none() {
                if !on_path.insert(auth_event.shared_event_id().clone()) {
                    return Err(ResolutionError::Cycle { event_id: event_id.clone() });
                }
                path.push((auth_event, 0));
            }
        }
    }

    /// Takes in an event, if all its auth events are known.
    fn insert_above_known(&mut self, event: &Pdu) -> Option<Node> {
        let citing = Node(u32::try_from(self.entries.len()).ok()?);
        let first = self.citations.len();
        let mut power_levels = None;
        for event_id in event.auth_events() {
            let Some(auth_event) = self.node(event_id) else {
                self.citations.truncate(first);
                return None;
            };
            if power_levels.is_none() && self.entry(auth_event).is_power_levels {
                power_levels = Some(auth_event);
            }
            self.citations.push(Citation { auth_event, citing, earlier: None });
        }
        for (index, citation) in (first as u32..).zip(&mut self.citations[first..]) {
            citation.earlier = self.entries[citation.auth_event.index()].cited.replace(index);
        }
        let event_id = event.shared_event_id().clone();
        self.nodes.insert(event_id.clone(), citing);
        self.entries.push(Entry {
            event_id,
            is_create: event.is_state("m.room.create", ""),
            is_power_levels: event.is_state("m.room.power_levels", ""),
            is_covered: false,
            power_levels,
            first_citation: first as u32,
            cited: None,
        });
        Some(citing)
    }
}

/// A way through the events that cite one.
pub(super) struct CitedBy<'a> {
    citations: &'a [Citation],
    next: Option<u32>,
}

impl Iterator for CitedBy<'_> {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        let citation = self.citations[self.next? as usize];
        self.next = citation.earlier;
        Some(citation.citing)
    }
}

/// Looks an event up that another one cites.
pub(super) fn find(events: &dyn EventStore, event_id: &str, cited_by: &Pdu) -> Result<Pdu, ResolutionError> {
    events.event(event_id).filter(|event| event.event_id() == event_id).ok_or_else(|| {
        ResolutionError::Missing { event_id: event_id.to_owned(), cited_by: cited_by.event_id().to_owned() }
    })
}
