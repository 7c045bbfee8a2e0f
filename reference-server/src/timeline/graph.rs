//! Which events of a room follow which, and the state at each of them.
//!
//! Every event has a state before it and a state after it. Where its predecessors left different states, the state
//! before it is their resolution; the state of the room is the resolution of what its forward extremities left
//! (server-server-api/#room-state-resolution). States are numbered, and one is kept as what it changes on another, in
//! memory ([`StateMap`] shares what is the same) as in the store: so the state at any event is at hand at once, after a
//! restart too, and takes no more room than what changed.

mod growth;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

pub(super) use self::growth::{Grown, Growth, Placed};
use crate::rooms::event::Pdu;
use crate::rooms::resolution::AuthChains;
use crate::rooms::state::StateMap;
pub(crate) use crate::store::events::Standing;
use crate::store::states::Kept;

/// The number of a state; unique in the server.
pub(crate) type StateId = i64;

/// The state before anything has happened.
pub(crate) const NOTHING: StateId = 0;

/// An event that no other follows yet: a forward extremity.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    /// The event.
    pub(crate) pdu: Pdu,
    /// The state after it.
    pub(crate) after: StateId,
}

/// A state event that is known.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The event as it was sent, even when it was redacted: it has to be judged as all others judge it.
    pub(crate) pdu: Pdu,
    /// What became of it.
    pub(crate) standing: Standing,
    /// The states before and after it, unless it is an outlier.
    pub(crate) states: (StateId, StateId),
}

/// The graph of one room.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    states: HashMap<StateId, StateMap>,
    events: HashMap<String, Known>,
    tips: Vec<Tip>,
    current: StateId,
    chains: Mutex<AuthChains>,
}

/// Hands out the numbers of states.
#[derive(Debug, Default)]
pub(crate) struct StateIds(AtomicI64);

impl StateIds {
    /// Numbers after `last`.
    pub(crate) fn after(last: StateId) -> Self {
        Self(AtomicI64::new(last))
    }

    fn next(&self) -> StateId {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Graph {
    /// A graph as it was kept: states in the order of their numbers.
    pub(super) fn load(events: HashMap<String, Known>, states: Vec<Kept>) -> Self {
        let mut graph = Self { events, ..Self::default() };
        for kept in states {
            let mut state = graph.state(kept.base);
            for (event_type, state_key) in &kept.emptied {
                state.remove((event_type, state_key));
            }
            for event_id in &kept.set {
                match graph.events.get(event_id) {
                    Some(known) => drop(state.insert(&known.pdu)),
                    None => tracing::error!("state {} has the event {event_id}, which is not there", kept.id),
                }
            }
            graph.states.insert(kept.id, state);
        }
        graph
    }

    /// Takes up where the room stood.
    pub(super) fn stand(&mut self, tips: Vec<Tip>, current: StateId) {
        (self.tips, self.current) = (tips, current);
    }

    /// The state of that number.
    pub(crate) fn state(&self, id: StateId) -> StateMap {
        self.states.get(&id).cloned().unwrap_or_default()
    }

    /// The number of the room's state.
    pub(crate) fn current(&self) -> StateId {
        self.current
    }

    /// The forward extremities.
    pub(crate) fn tips(&self) -> &[Tip] {
        &self.tips
    }

    /// A state event, whatever became of it.
    pub(crate) fn known(&self, event_id: &str) -> Option<&Known> {
        self.events.get(event_id)
    }

    /// Whether a state event that is known, and not rejected, follows an event.
    pub(crate) fn is_followed(&self, event_id: &str) -> bool {
        let follows = |known: &Known| known.pdu.prev_events().iter().any(|id| id == event_id);
        self.events.values().any(|known| known.standing != Standing::Rejected && follows(known))
    }

    /// Takes over what has been added, once that is kept.
    pub(super) fn grow(&mut self, grown: growth::Grown) {
        self.states.extend(grown.states);
        self.events.extend(grown.events);
        (self.tips, self.current) = (grown.tips, grown.current);
    }
}
