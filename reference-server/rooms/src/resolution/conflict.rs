//! What states agree on and where they are in conflict.

use std::collections::BTreeMap;

use crate::event::Pdu;
use crate::mistakes::{Mistake, mistaken};
use crate::state::{Place, StateLookup, StateMap, is_same, place_of};

/// The difference between states.
///
/// A place is in conflict when not every state has the same event there; a state that has none there is one that
/// differs. Everything else is the unconflicted state map, of which no copy is made: it is looked up in one of the states.
pub(super) struct Conflict<'a> {
    states: &'a [StateMap],
    /// For each place in conflict the event that each state has there.
    places: BTreeMap<Place<'a>, Vec<Option<&'a Pdu>>>,
}

impl<'a> Conflict<'a> {
    pub(super) fn between(states: &'a [StateMap]) -> Self {
        let mut places: BTreeMap<Place<'a>, Vec<Option<&'a Pdu>>> = BTreeMap::new();
        if let Some((first, others)) = states.split_first() {
            for (left, right) in others.iter().flat_map(|other| first.differences(other)) {
                if let Some(place) = left.or(right).and_then(place_of) {
                    places.entry(place).or_default();
                }
            }
        }
        for (&(event_type, state_key), events) in &mut places {
            *events = states.iter().map(|state| state.find(event_type, state_key)).collect();
        }
        if mistaken(Mistake::AbsenceNoConflict) {
            places.retain(|_, events| distinct(events).len() > 1);
        }
        Self { states, places }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn states(&self) -> &'a [StateMap] {
        self.states
    }

    pub(super) fn is_conflicted(&self, event_type: &str, state_key: &str) -> bool {
        self.places.contains_key(&(event_type, state_key))
    }

    /// An entry of the unconflicted state map.
    pub(super) fn unconflicted(&self, event_type: &str, state_key: &str) -> Option<&'a Pdu> {
        if self.is_conflicted(event_type, state_key) {
            return None;
        }
        self.states.first()?.find(event_type, state_key)
    }

    /// The places in conflict and the different events there, in the order of the states.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place<'a>, Vec<&'a Pdu>)> {
        self.places.iter().map(|(place, events)| (*place, distinct(events)))
    }

    /// The conflicted state set.
    pub(super) fn events(&self) -> impl Iterator<Item = &'a Pdu> {
        self.places().flat_map(|(_, events)| events)
    }

    /// The part of the conflicted state set that one state, given by its index, has.
    pub(super) fn events_of(&self, state: usize) -> impl Iterator<Item = &'a Pdu> {
        self.places.values().filter_map(move |events| events.get(state).copied().flatten())
    }

    /// The whole state after resolution: what was settled, under what was never in conflict.
    ///
    /// Starts from the state that lost the least, because a state shares everything that is not touched.
    pub(super) fn settle(&self, settled: &StateMap) -> StateMap {
        let Some(base) = self.states.iter().enumerate().max_by_key(|(index, _)| self.kept(*index, settled))
        else {
            return settled.clone();
        };
        let (index, base) = base;
        if mistaken(Mistake::UnconflictedLost) {
            return settled.clone();
        }
        let mut state = base.clone();
        for (event_type, state_key) in self.events_of(index).filter_map(place_of) {
            let is_settled = settled.find(event_type, state_key).is_some();
            if !is_settled && !mistaken(Mistake::LosersStay) {
                state.remove((event_type, state_key));
            }
        }
        for event in settled.iter() {
            let Some((event_type, state_key)) = place_of(event) else { continue };
            let is_there = state.find(event_type, state_key).is_some_and(|present| is_same(present, event));
            let is_free =
                self.unconflicted(event_type, state_key).is_none() || mistaken(Mistake::UnconflictedReplaced);
            if !is_there && is_free {
                state.insert(event);
            }
        }
        state
    }

    /// At how many places in conflict a state has what was settled.
    fn kept(&self, state: usize, settled: &StateMap) -> usize {
        let is_settled = |event: &&Pdu| match place_of(event) {
            Some((event_type, state_key)) => {
                settled.find(event_type, state_key).is_some_and(|winner| is_same(winner, event))
            }
            None => false,
        };
        self.events_of(state).filter(is_settled).count()
    }
}

/// The events without repetition, in their order.
fn distinct<'a>(events: &[Option<&'a Pdu>]) -> Vec<&'a Pdu> {
    let mut distinct: Vec<&Pdu> = Vec::new();
    for event in events.iter().copied().flatten() {
        if !distinct.iter().any(|other| is_same(other, event)) {
            distinct.push(event);
        }
    }
    distinct
}
