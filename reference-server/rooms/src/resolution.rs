//! State resolution: the state of a room where its history has forked (rooms/v1/#state-resolution,
//! rooms/v2/#state-resolution, rooms/v12/#state-resolution).
//!
//! The cost is that of the conflict: `conflict` finds the places on which the states differ and leaves
//! everything else where it is; [`AuthChains`] knows the graph of auth events from earlier calls, so that the
//! auth difference is found by walking from the conflict down to what all states share; the algorithms of
//! `v1` and `v2` then judge the events in conflict on top of a state that is never copied.
//!
//! What the text leaves open is decided in the module that meets it, with the reason.

mod auth_chains;
mod conflict;
mod full_conflicted_set;
mod iterative_auth_checks;
mod mainline;
mod power_ordering;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher;

use protocol::RoomVersion;
use protocol::room_version::StateResolution;

pub use auth_chains::AuthChains;

use self::conflict::Conflict;
use super::authorize::Rejection;
use super::event::Pdu;
use super::state::{StateLookup, StateMap};

/// Where resolution looks up the events of auth chains.
pub trait EventStore {
    /// An event, whether it was accepted or rejected.
    fn event(&self, event_id: &str) -> Option<Pdu>;

    /// Whether an event was rejected on receipt.
    fn is_rejected(&self, _event_id: &str) -> bool {
        false
    }
}

/// Accepted events by id.
impl<S: BuildHasher> EventStore for HashMap<String, Pdu, S> {
    fn event(&self, event_id: &str) -> Option<Pdu> {
        self.get(event_id).cloned()
    }
}

/// A resolved state, and how it came about.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The state.
    pub state: StateMap,
    /// The events that were judged, in the order of judging. Since room version 2 they are the full conflicted set.
    pub judged: Vec<Judged>,
    /// How many of them are of the first pass, in reverse topological power ordering. The others come after them in
    /// mainline ordering. Room version 1 has no such passes.
    pub power_events: usize,
    /// The power levels of the partially resolved state, by whose mainline the second pass is ordered.
    pub power_levels: Option<Pdu>,
}

impl Resolved {
    /// What states come to that are not in conflict.
    fn unconflicted(version: &RoomVersion, states: &[StateMap]) -> Self {
        let state = states.first().cloned().unwrap_or_default();
        let has_mainline = version.state_resolution == StateResolution::V2;
        let power_levels = state.find("m.room.power_levels", "").filter(|_| has_mainline).cloned();
        Self { state, judged: Vec::new(), power_events: 0, power_levels }
    }

    /// The mainline that ordered the second pass, from the power levels of the partially resolved state back to the
    /// first. Resolving needs only parts of it, so it is walked anew.
    ///
    /// # Errors
    /// When the store lacks an event of the mainline.
    pub fn mainline(&self, events: &impl EventStore) -> Result<Vec<Pdu>, ResolutionError> {
        mainline::from(self.power_levels.clone(), events)
    }

    /// The events that did not pass, each with the rule that it broke.
    pub fn rejected(&self) -> impl Iterator<Item = (&Pdu, &Rejection)> {
        self.judged.iter().filter_map(|judged| Some((&judged.event, judged.rejection.as_ref()?)))
    }
}

/// An event that took part in a resolution.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The event.
    pub event: Pdu,
    /// Why it is not part of the state that was built, if so. Even without, a later event may have replaced it.
    pub rejection: Option<Rejection>,
}

/// Why a state cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// The store lacks an event of an auth chain.
    #[error("event {event_id} is unknown though {cited_by} rests on it: fetch it, then resolve again")]
    Missing {
        /// The missing event.
        event_id: String,
        /// An event that needs it.
        cited_by: String,
    },
    /// Auth events form a cycle, which honest servers cannot produce.
    #[error("event {event_id} is in its own auth chain: reject it")]
    Cycle {
        /// An event on the cycle.
        event_id: String,
    },
}

/// Resolves states of one room. No states resolve to no state.
///
/// The order of the states, and how often one occurs, does not matter. A caller who resolves states of the same
/// room again is better off with [`resolve_with`].
pub fn resolve(
    version: &RoomVersion,
    states: &[StateMap],
    events: &impl EventStore,
) -> Result<Resolved, ResolutionError> {
    resolve_with(&mut AuthChains::default(), version, states, events)
}

/// Resolves states of one room with what earlier resolutions in that room found out about its auth chains.
///
/// The result is that of [`resolve`], except that an event known from earlier calls is not missed if the store
/// has lost it meanwhile.
pub fn resolve_with(
    chains: &mut AuthChains,
    version: &RoomVersion,
    states: &[StateMap],
    events: &impl EventStore,
) -> Result<Resolved, ResolutionError> {
    let conflict = Conflict::between(states);
    if conflict.is_empty() {
        return Ok(Resolved::unconflicted(version, states));
    }
    let algorithm = match version.state_resolution {
        StateResolution::V1 => return Ok(v1::resolve(&conflict)),
        StateResolution::V2 => &v2::V2,
        StateResolution::V2_1 => &v2::V2_1,
    };
    chains.learn(&conflict, events)?;
    algorithm.resolve(version, &conflict, chains, events)
}
