//! What states agree on and where they are in conflict.

use foldhash::{HashMap, HashMapExt};

use crate::event::Pdu;
use crate::mistakes::{Mistake, mistaken};
use crate::state::{Place, StateLookup, StateMap, is_same, place_of};

/// The difference between states.
///
/// A place is in conflict when not every state has the same event there; a state that has none there is one that
/// differs. Everything else is the unconflicted state map, of which no copy is made: it is looked up in one of the states.
pub(super) struct Conflict<'a> {
    states: &'a [StateMap],
    places: Vec<Place<'a>>,
    /// For each place in conflict, one after the other, the event that each state has there.
    events: Vec<Option<&'a Pdu>>,
    /// Where a place stands among those in conflict.
    rows: HashMap<Place<'a>, usize>,
}

/// The events that a resolution has decided on, by place.
pub(super) type Settled<'a> = HashMap<Place<'a>, &'a Pdu>;

impl<'a> Conflict<'a> {
    pub(super) fn between(states: &'a [StateMap]) -> Self {
        let mut conflict = Self { states, places: Vec::new(), events: Vec::new(), rows: HashMap::new() };
        let Some((first, others)) = states.split_first() else { return conflict };
        for (other, index) in others.iter().zip(1..) {
            for (ours, theirs) in first.differences(other) {
                let Some(place) = ours.or(theirs).and_then(place_of) else { continue };
                let row = conflict.row_for(place, ours);
                conflict.events[row * states.len() + index] = theirs;
            }
        }
        if mistaken(Mistake::AbsenceNoConflict) {
            conflict.retain(|events| distinct(events).count() > 1);
        }
        conflict
    }

    /// The row of a place, in which so far every state has what the first one has.
    fn row_for(&mut self, place: Place<'a>, of_first: Option<&'a Pdu>) -> usize {
        *self.rows.entry(place).or_insert_with(|| {
            self.places.push(place);
            self.events.resize(self.places.len() * self.states.len(), of_first);
            self.places.len() - 1
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn states(&self) -> &'a [StateMap] {
        self.states
    }

    /// An entry of the unconflicted state map.
    pub(super) fn unconflicted(&self, event_type: &str, state_key: &str) -> Option<&'a Pdu> {
        if self.is_conflicted((event_type, state_key)) {
            return None;
        }
        self.states.first()?.find(event_type, state_key)
    }

    /// The places in conflict and the different events there, in the order of the states.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place<'a>, Vec<&'a Pdu>)> {
        self.places.iter().copied().zip(self.rows().map(|events| distinct(events).collect()))
    }

    /// The conflicted state set.
    pub(super) fn events(&self) -> impl Iterator<Item = &'a Pdu> {
        self.rows().flat_map(distinct)
    }

    /// The part of the conflicted state set that one state, given by its index, has.
    pub(super) fn events_of(&self, state: usize) -> impl Iterator<Item = &'a Pdu> {
        self.rows().filter_map(move |events| events[state])
    }

    /// The whole state after resolution: what was settled, under what was never in conflict.
    ///
    /// Starts from the state that lost the least, because a state shares everything that is not touched.
    pub(super) fn settle(&self, settled: &Settled<'a>) -> StateMap {
        let base = (0..self.states.len()).max_by_key(|state| self.kept(*state, settled));
        let Some(base) = base.filter(|_| !mistaken(Mistake::UnconflictedLost)) else {
            return settled.values().copied().cloned().collect();
        };
        let mut state = self.states[base].clone();
        for place in self.events_of(base).filter_map(place_of) {
            if !settled.contains_key(&place) && !mistaken(Mistake::LosersStay) {
                state.remove(place);
            }
        }
        for (&(event_type, state_key), &event) in settled {
            let is_there = match self.rows.get(&(event_type, state_key)) {
                Some(&row) => self.row(row)[base].is_some_and(|present| is_same(present, event)),
                None if mistaken(Mistake::UnconflictedReplaced) => false,
                None => self.unconflicted(event_type, state_key).is_some(),
            };
            if !is_there {
                state.insert(event);
            }
        }
        state
    }

    /// At how many places in conflict a state has what was settled.
    fn kept(&self, state: usize, settled: &Settled<'a>) -> usize {
        let places = self.places.iter().zip(self.rows().map(|events| events[state]));
        let is_settled = |(place, event): &(&Place<'a>, Option<&Pdu>)| match (event, settled.get(*place)) {
            (Some(event), Some(winner)) => is_same(winner, event),
            _ => false,
        };
        places.filter(is_settled).count()
    }

    fn is_conflicted(&self, place: Place<'_>) -> bool {
        self.rows.contains_key(&place)
    }

    fn row(&self, row: usize) -> &[Option<&'a Pdu>] {
        &self.events[row * self.states.len()..][..self.states.len()]
    }

    fn rows(&self) -> impl Iterator<Item = &[Option<&'a Pdu>]> {
        self.events.chunks_exact(self.states.len().max(1))
    }

    /// Keeps the places at which the events are as asked for.
    fn retain(&mut self, is_kept: impl Fn(&[Option<&'a Pdu>]) -> bool) {
        let kept: Vec<_> = self
            .places
            .iter()
            .copied()
            .zip(self.rows().map(<[_]>::to_vec))
            .filter(|(_, events)| is_kept(events))
            .collect();
        self.rows = kept.iter().zip(0..).map(|((place, _), row)| (*place, row)).collect();
        self.places = kept.iter().map(|(place, _)| *place).collect();
        self.events = kept.into_iter().flat_map(|(_, events)| events).collect();
    }
}

/// The events without repetition, in their order.
fn distinct<'a>(events: &[Option<&'a Pdu>]) -> impl Iterator<Item = &'a Pdu> {
    events.iter().enumerate().filter_map(|(index, event)| {
        let is_repeated = |event| events[..index].iter().flatten().any(|other| is_same(other, event));
        event.filter(|event| !is_repeated(event))
    })
}
