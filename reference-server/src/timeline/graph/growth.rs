//! Adding to a graph: events are placed one after the other, and all that is new is handed over at once when it is
//! kept.

use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;

use protocol::RoomVersion;

use super::{Graph, Known, NOTHING, Standing, StateId, StateIds, Tip};
use crate::rooms::event::Pdu;
use crate::rooms::resolution::{EventStore, ResolutionError, resolve_with};
use crate::rooms::state::StateMap;
use crate::store::states::Kept;

/// An event and the states round it.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// The event.
    pub(crate) pdu: Pdu,
    /// What became of it.
    pub(crate) standing: Standing,
    /// The state before it.
    pub(crate) before: StateId,
    /// The state after it.
    pub(crate) after: StateId,
    /// The state of the room when it had come.
    pub(crate) room: StateId,
}

/// What is new in a graph.
#[derive(Debug, Default)]
pub(crate) struct Grown {
    /// The events, in their order.
    pub(crate) placed: Vec<Placed>,
    /// The states, as they are to be kept.
    pub(crate) kept: Vec<Kept>,
    pub(super) states: HashMap<StateId, StateMap>,
    pub(super) events: HashMap<String, Known>,
    pub(super) tips: Vec<Tip>,
    pub(super) current: StateId,
}

impl Grown {
    /// The state of that number, if it is new.
    pub(crate) fn state(&self, id: StateId) -> Option<StateMap> {
        self.states.get(&id).cloned()
    }

    /// The forward extremities.
    pub(crate) fn tips(&self) -> &[Tip] {
        &self.tips
    }
}

/// A graph with what is being added to it.
pub(crate) struct Growth<'a> {
    graph: &'a Graph,
    version: &'static RoomVersion,
    ids: &'a StateIds,
    grown: Grown,
}

impl<'a> Growth<'a> {
    pub(crate) fn of(graph: &'a Graph, version: &'static RoomVersion, ids: &'a StateIds) -> Self {
        let grown = Grown { tips: graph.tips.clone(), current: graph.current, ..Grown::default() };
        Self { graph, version, ids, grown }
    }

    /// All that is new.
    pub(crate) fn finish(self) -> Grown {
        self.grown
    }

    /// The forward extremities.
    pub(crate) fn tips(&self) -> &[Tip] {
        &self.grown.tips
    }

    /// The number of the room's state.
    pub(crate) fn current(&self) -> StateId {
        self.grown.current
    }

    /// The state of that number.
    pub(crate) fn state(&self, id: StateId) -> StateMap {
        self.grown.states.get(&id).cloned().unwrap_or_else(|| self.graph.state(id))
    }

    /// A state event, whatever became of it.
    pub(crate) fn known(&self, event_id: &str) -> Option<&Known> {
        self.grown.events.get(event_id).or_else(|| self.graph.known(event_id))
    }

    /// The resolution of states; the number is that of one of them where it comes to the same.
    pub(crate) fn merge(
        &mut self,
        ids: impl IntoIterator<Item = StateId>,
    ) -> Result<StateId, ResolutionError> {
        let ids: Vec<StateId> = ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        if let [] | [_] = ids.as_slice() {
            return Ok(ids.first().copied().unwrap_or(NOTHING));
        }
        let states: Vec<_> = ids.iter().map(|id| self.state(*id)).collect();
        let resolved = {
            let mut chains = self.graph.chains.lock().unwrap_or_else(PoisonError::into_inner);
            resolve_with(&mut chains, self.version, &states, self)?.state
        };
        let nearest = ids.iter().zip(&states).min_by_key(|(_, state)| state.differences(&resolved).len());
        let base = nearest.map_or(NOTHING, |(id, _)| *id);
        Ok(self.state_on(base, resolved))
    }

    /// Numbers a state that was told as a whole.
    pub(crate) fn state_on(&mut self, base: StateId, state: StateMap) -> StateId {
        let before = self.state(base);
        let mut kept = Kept { base, ..Kept::default() };
        for (old, new) in before.differences(&state) {
            match (old, new) {
                (_, Some(new)) => kept.set.push(new.event_id().to_owned()),
                (Some(old), None) => {
                    let state_key = old.state_key().unwrap_or_default();
                    kept.emptied.push((old.event_type().to_owned(), state_key.to_owned()));
                }
                (None, None) => {}
            }
        }
        if kept.set.is_empty() && kept.emptied.is_empty() { base } else { self.remember(kept, state) }
    }

    fn remember(&mut self, mut kept: Kept, state: StateMap) -> StateId {
        let id = self.ids.next();
        kept.id = id;
        self.grown.kept.push(kept);
        self.grown.states.insert(id, state);
        id
    }

    /// Takes an event in on which others rest.
    pub(crate) fn add_outlier(&mut self, pdu: Pdu, is_rejected: bool) {
        let standing = if is_rejected { Standing::Rejected } else { Standing::Outlier };
        self.note(&pdu, standing, (NOTHING, NOTHING));
        let room = self.grown.current;
        self.grown.placed.push(Placed { pdu, standing, before: NOTHING, after: NOTHING, room });
    }

    /// Places an event on the state before it. Accepted, it takes the place of the forward extremities that it `covers`,
    /// unless it has `successors` already.
    pub(crate) fn add(
        &mut self,
        pdu: Pdu,
        standing: Standing,
        before: StateId,
        covers: &dyn Fn(&str) -> bool,
        successors: bool,
    ) -> Result<(), ResolutionError> {
        let changes =
            matches!(standing, Standing::Accepted | Standing::SoftFailed) && pdu.state_key().is_some();
        let after = if changes {
            let mut state = self.state(before);
            state.insert(&pdu);
            let set = vec![pdu.event_id().to_owned()];
            self.remember(Kept { base: before, set, ..Kept::default() }, state)
        } else {
            before
        };
        self.note(&pdu, standing, (before, after));
        if standing == Standing::Accepted && !successors {
            self.grown.tips.retain(|tip| !covers(tip.pdu.event_id()));
            self.grown.tips.push(Tip { pdu: pdu.clone(), after });
            let afters: Vec<_> = self.grown.tips.iter().map(|tip| tip.after).collect();
            self.grown.current = self.merge(afters)?;
        }
        self.grown.placed.push(Placed { pdu, standing, before, after, room: self.grown.current });
        Ok(())
    }

    /// Takes in what is told of a room that this server is not in: somebody's membership, of which alone it knows.
    pub(crate) fn glimpse(&mut self, pdu: Pdu) {
        let mut state = self.state(self.grown.current);
        state.insert(&pdu);
        self.grown.current = self.state_on(self.grown.current, state);
        self.note(&pdu, Standing::Outlier, (NOTHING, NOTHING));
        let room = self.grown.current;
        self.grown.placed.push(Placed {
            pdu,
            standing: Standing::Outlier,
            before: NOTHING,
            after: NOTHING,
            room,
        });
    }

    /// Puts what the room was taken for aside: all that counts is what comes now.
    pub(crate) fn forget_tips(&mut self) {
        self.grown.tips.clear();
    }

    fn note(&mut self, pdu: &Pdu, standing: Standing, states: (StateId, StateId)) {
        if pdu.state_key().is_some() {
            let known = Known { pdu: pdu.clone(), standing, states };
            self.grown.events.insert(pdu.event_id().to_owned(), known);
        }
    }
}

impl EventStore for Growth<'_> {
    fn event(&self, event_id: &str) -> Option<Pdu> {
        self.known(event_id).map(|known| known.pdu.clone())
    }

    fn is_rejected(&self, event_id: &str) -> bool {
        self.known(event_id).is_some_and(|known| known.standing == Standing::Rejected)
    }
}
