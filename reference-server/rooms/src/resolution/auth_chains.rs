//! The graph of a room's auth events, kept from one resolution to the next.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::conflict::Conflict;
use super::{EventStore, ResolutionError};
use crate::event::Pdu;
use crate::state::{StateMap, place_of};

/// What is known about the auth chains of a room: which event rests on which, and the other way round.
///
/// One value serves one room and may be kept as long as that pays: it only makes the next resolution cheaper.
/// It holds ids and places, not events, and grows with the number of state events that resolutions have come across,
/// by some 300 bytes for each. Drop it to forget.
#[derive(Clone, Debug, Default)]
pub struct AuthChains {
    entries: Vec<Entry>,
    nodes: HashMap<Arc<str>, Node>,
    /// A state all of whose events are known.
    covered: StateMap,
}

/// An event in [`AuthChains`]. Events come after their auth events, so that walking a chain downwards is walking
/// numbers downwards, and nothing below the least number of interest has to be visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(usize);

#[derive(Clone, Debug)]
struct Entry {
    event_id: Arc<str>,
    /// Type and state key; messages have none, and no business among auth events.
    place: Option<(Box<str>, Box<str>)>,
    auth_events: Box<[Node]>,
    cited_by: Vec<Node>,
    /// The `m.room.power_levels` event among the auth events.
    power_levels: Option<Node>,
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
        for (_, added) in covered.differences(state) {
            if let Some(event) = added {
                self.insert(event, events)?;
            }
        }
        self.covered = state.clone();
        Ok(())
    }

    /// The node of an event that was taken in.
    pub(super) fn node(&self, event_id: &str) -> Option<Node> {
        self.nodes.get(event_id).copied()
    }

    pub(super) fn event_id(&self, node: Node) -> &str {
        &self.entries[node.0].event_id
    }

    pub(super) fn place(&self, node: Node) -> Option<(&str, &str)> {
        self.entries[node.0].place.as_ref().map(|(event_type, state_key)| (&**event_type, &**state_key))
    }

    pub(super) fn auth_events(&self, node: Node) -> &[Node] {
        &self.entries[node.0].auth_events
    }

    pub(super) fn cited_by(&self, node: Node) -> &[Node] {
        &self.entries[node.0].cited_by
    }

    pub(super) fn is_power_levels(&self, node: Node) -> bool {
        self.place(node) == Some(("m.room.power_levels", ""))
    }

    pub(super) fn is_create(&self, node: Node) -> bool {
        self.place(node) == Some(("m.room.create", ""))
    }

    pub(super) fn power_levels(&self, node: Node) -> Option<Node> {
        self.entries[node.0].power_levels
    }

    /// The events in the auth chains of some events, without those that lie below a floor.
    pub(super) fn chains(&self, of: impl IntoIterator<Item = Node>, floor: Node) -> BTreeSet<Node> {
        let mut found = BTreeSet::new();
        let mut open: Vec<Node> = of.into_iter().collect();
        while let Some(node) = open.pop() {
            let above = self.auth_events(node).iter().copied().filter(|node| *node >= floor);
            open.extend(above.filter(|node| found.insert(*node)));
        }
        found
    }

    /// Takes in an event after its whole auth chain, which can be too long for recursion.
    fn insert(&mut self, event: &Pdu, events: &dyn EventStore) -> Result<(), ResolutionError> {
        if self.nodes.contains_key(event.event_id()) || self.insert_above_known(event) {
            return Ok(());
        }
        let mut on_path = HashSet::from([event.event_id().to_owned()]);
        let mut path = vec![(event.clone(), 0)];
        while let Some((current, next)) = path.last_mut() {
            let Some(event_id) = current.auth_events().get(*next) else {
                on_path.remove(current.event_id());
                self.insert_above_known(current);
                path.pop();
                continue;
            };
            *next += 1;
            if self.nodes.contains_key(event_id.as_str()) {
                continue;
            }
            if !on_path.insert(event_id.clone()) {
                return Err(ResolutionError::Cycle { event_id: event_id.clone() });
            }
            let auth_event = find(events, event_id, current)?;
            path.push((auth_event, 0));
        }
        Ok(())
    }

    /// Takes in an event, if all its auth events are known.
    fn insert_above_known(&mut self, event: &Pdu) -> bool {
        let auth_events: Option<Vec<Node>> = event.auth_events().iter().map(|id| self.node(id)).collect();
        let Some(mut auth_events) = auth_events else { return false };
        let node = Node(self.entries.len());
        let power_levels = auth_events.iter().copied().find(|node| self.is_power_levels(*node));
        auth_events.sort_unstable();
        auth_events.dedup();
        for auth_event in &auth_events {
            self.entries[auth_event.0].cited_by.push(node);
        }
        let event_id: Arc<str> = event.event_id().into();
        self.nodes.insert(event_id.clone(), node);
        self.entries.push(Entry {
            event_id,
            place: place_of(event).map(|(event_type, state_key)| (event_type.into(), state_key.into())),
            auth_events: auth_events.into(),
            cited_by: Vec::new(),
            power_levels,
        });
        true
    }
}

/// Looks an event up that another one cites.
pub(super) fn find(events: &dyn EventStore, event_id: &str, cited_by: &Pdu) -> Result<Pdu, ResolutionError> {
    events.event(event_id).filter(|event| event.event_id() == event_id).ok_or_else(|| {
        ResolutionError::Missing { event_id: event_id.to_owned(), cited_by: cited_by.event_id().to_owned() }
    })
}
