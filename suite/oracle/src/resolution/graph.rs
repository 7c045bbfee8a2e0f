//! The graph that `auth_events` make: chains, differences, subgraphs (rooms/v12/#definitions).

use std::collections::{BTreeMap, BTreeSet};

use protocol::RoomVersion;

use super::ResolutionError;
use crate::event::{Event, Events, StateMap};

/// The events of a resolution and how they authorize each other.
pub(super) struct AuthGraph<'a> {
    pub(super) version: &'a RoomVersion,
    pub(super) events: &'a Events,
}

impl<'a> AuthGraph<'a> {
    /// The event, or an error that says who needs it.
    pub(super) fn event(&self, id: &str, needed_by: &str) -> Result<&'a Event, ResolutionError> {
        self.events
            .get(id)
            .ok_or_else(|| ResolutionError::Missing { id: id.to_owned(), needed_by: needed_by.to_owned() })
    }

    /// The auth events of an event, looked up.
    pub(super) fn auth_events(&self, event: &Event) -> Result<Vec<&'a Event>, ResolutionError> {
        event.auth_events().iter().map(|id| self.event(id, event.id())).collect()
    }

    /// The *auth chain* of an event: its auth events, all of theirs, and so on.
    pub(super) fn auth_chain(&self, event: &Event) -> Result<BTreeSet<String>, ResolutionError> {
        let mut chain = BTreeSet::new();
        let mut next = self.auth_events(event)?;
        while let Some(event) = next.pop() {
            if chain.insert(event.id().to_owned()) {
                next.extend(self.auth_events(event)?);
            }
        }
        Ok(chain)
    }

    /// The *full auth chain* of a state: the union of the auth chains of its events.
    pub(super) fn full_auth_chain(&self, state: &StateMap) -> Result<BTreeSet<String>, ResolutionError> {
        let mut full = BTreeSet::new();
        for id in state.values() {
            full.extend(self.auth_chain(self.event(id, "a state set")?)?);
        }
        Ok(full)
    }

    /// The *auth difference* of states: ∪ Cᵢ − ∩ Cᵢ.
    pub(super) fn auth_difference(
        &self,
        state_sets: &[StateMap],
    ) -> Result<BTreeSet<String>, ResolutionError> {
        let chains =
            state_sets.iter().map(|state| self.full_auth_chain(state)).collect::<Result<Vec<_>, _>>()?;
        let union: BTreeSet<String> = chains.iter().flatten().cloned().collect();
        Ok(union.into_iter().filter(|id| !chains.iter().all(|chain| chain.contains(id))).collect())
    }

    /// The *conflicted state subgraph*: everything on a path of auth events from one conflicted event to
    /// another.
    pub(super) fn conflicted_state_subgraph(
        &self,
        conflicted: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, ResolutionError> {
        let mut reached = BTreeSet::new();
        for id in conflicted {
            reached.extend(self.auth_chain(self.event(id, "a state set")?)?);
        }
        let mut subgraph = BTreeSet::new();
        for id in conflicted.union(&reached) {
            let ends_a_path = conflicted.contains(id) && reached.contains(id);
            let chain = self.auth_chain(self.event(id, "a state set")?)?;
            if ends_a_path || !chain.is_disjoint(conflicted) {
                subgraph.insert(id.clone());
            }
        }
        Ok(subgraph)
    }

    /// Checks everything that resolving the states will walk over: it is there, and has no circles.
    pub(super) fn check(&self, state_sets: &[StateMap]) -> Result<(), ResolutionError> {
        let mut unsettled: BTreeMap<&str, &Event> = BTreeMap::new();
        for id in state_sets.iter().flat_map(StateMap::values) {
            self.collect(self.event(id, "a state set")?, &mut unsettled)?;
        }
        // What remains when events without unsettled auth events are taken away again and again, is circles.
        loop {
            let is_settled =
                |event: &&Event| !event.auth_events().iter().any(|id| unsettled.contains_key(id.as_str()));
            let settled: Vec<&str> = unsettled.values().copied().filter(is_settled).map(Event::id).collect();
            if settled.is_empty() {
                break;
            }
            for id in settled {
                unsettled.remove(id);
            }
        }
        match unsettled.is_empty() {
            true => Ok(()),
            false => Err(ResolutionError::Circle(unsettled.into_keys().map(str::to_owned).collect())),
        }
    }

    fn collect(
        &self,
        event: &'a Event,
        found: &mut BTreeMap<&'a str, &'a Event>,
    ) -> Result<(), ResolutionError> {
        let mut next = vec![event];
        while let Some(event) = next.pop() {
            if found.insert(event.id(), event).is_some() {
                continue;
            }
            if let Some(create) = event.implied_create_event(self.version) {
                self.event(&create, event.id())?;
            }
            next.extend(self.auth_events(event)?);
        }
        Ok(())
    }
}
