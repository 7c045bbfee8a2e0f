//! State resolution in its three forms, with a trace of every step (rooms/v1/, rooms/v2/,
//! rooms/v12/#state-resolution).

mod graph;
mod ordering;
mod telling;
mod v1;
mod v2;

use std::collections::{BTreeMap, BTreeSet};

use protocol::RoomVersion;
use protocol::room_version::StateResolution;

use super::authorization::Decision;
use super::event::{Events, StateMap};
use graph::AuthGraph;

/// The resolved state, and everything that was found out on the way to it, under the names of the text.
///
/// State resolution v1 knows neither auth difference nor power events nor mainline; they are empty there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The resolved state.
    pub state: StateMap,
    /// What all sets agree on: the *unconflicted state map*.
    pub unconflicted_state: StateMap,
    /// The *conflicted state set*.
    pub conflicted_state: BTreeSet<String>,
    /// The *auth difference*.
    pub auth_difference: BTreeSet<String>,
    /// The *conflicted state subgraph*; since room version 12.
    pub conflicted_state_subgraph: BTreeSet<String>,
    /// The *full conflicted set*.
    pub full_conflicted_set: BTreeSet<String>,
    /// The power events and what they need, in *reverse topological power ordering*.
    pub power_events: Vec<PowerEvent>,
    /// The *partially resolved state*, after the power events.
    pub partially_resolved_state: StateMap,
    /// The *mainline*, from the power levels of the partially resolved state back to the first.
    pub mainline: Vec<String>,
    /// The remaining events in *mainline ordering*.
    pub remaining_events: Vec<RemainingEvent>,
    /// Every check of an event, in order.
    pub steps: Vec<Step>,
}

/// An event among the power events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerEvent {
    /// Its id.
    pub event_id: String,
    /// The power level of its sender, by its auth events.
    pub sender_level: super::power_levels::Level,
}

/// An event that is ordered by mainline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemainingEvent {
    /// Its id.
    pub event_id: String,
    /// Its *mainline position*: 0 is the newest; none is infinity, when no event of the mainline authorizes
    /// it.
    pub mainline_position: Option<usize>,
}

/// One event checked against the state as far as it was resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The pass in which it happened.
    pub pass: Pass,
    /// The event.
    pub event_id: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The partial state that the event was checked against.
    pub against: StateMap,
    /// What was missing there and was taken from the event's `auth_events`, or implied by its room id.
    pub from_auth_events: StateMap,
}

/// A pass of an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// v1: conflicts between power levels.
    PowerLevels,
    /// v1: conflicts between join rules.
    JoinRules,
    /// v1: conflicts between memberships.
    Members,
    /// v1: all other conflicts.
    OtherState,
    /// v2: the power events.
    PowerEvents,
    /// v2: the remaining events.
    RemainingEvents,
}

/// What came of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was the first of its list in v1, which is taken without a check.
    Taken,
    /// It was checked: an allowed event enters the state, a rejected one is ignored.
    Checked(Decision),
}

/// Why sets of states cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// An event is needed that was not given.
    #[error("event {id} is missing, {needed_by} refers to it; give it among the events")]
    Missing {
        /// The missing event.
        id: String,
        /// What refers to it: an event id, or `a state set`.
        needed_by: String,
    },
    /// Events authorize each other in a circle, which events with real hashes cannot.
    #[error("events authorize each other in a circle: {}; check how they were made", .0.join(", "))]
    Circle(Vec<String>),
    /// An event stands in a state set, although it has no state key.
    #[error("event {0} is no state event and cannot be part of a state; give it a state key")]
    NotState(String),
    /// A state set has an event under another type or state key than its own.
    #[error("event {id} stands under {key:?} in a state set; file it under its own type and state key")]
    Misfiled {
        /// The event.
        id: String,
        /// The key.
        key: (String, String),
    },
}

/// Resolves sets of states by the algorithm of a room version.
///
/// `events` must have every event of the sets; since room version 2 also everything in their auth chains, and
/// since room version 12 the create event. Whether an event was rejected is read from there as well. The
/// order of the sets and repetitions among them make no difference. No sets resolve to the empty state.
///
/// # Errors
/// See [`ResolutionError`]; nothing that the events contain makes this panic.
pub fn resolve(
    version: &RoomVersion,
    state_sets: &[StateMap],
    events: &Events,
) -> Result<Resolution, ResolutionError> {
    let graph = AuthGraph { version, events };
    for (key, id) in state_sets.iter().flatten() {
        let event = graph.event(id, "a state set")?;
        match event.key() {
            None => return Err(ResolutionError::NotState(id.clone())),
            Some(own_key) if own_key != *key => {
                return Err(ResolutionError::Misfiled { id: id.clone(), key: key.clone() });
            }
            Some(_) => {}
        }
    }
    match version.state_resolution {
        StateResolution::V1 => Ok(v1::resolve(version, state_sets, events)),
        StateResolution::V2 | StateResolution::V2_1 => v2::resolve(version, state_sets, &graph),
    }
}

impl Resolution {
    /// The events that were ignored because a rule rejected them, with the rejection.
    pub fn rejected(&self) -> impl Iterator<Item = (&str, &super::Rejection)> {
        self.steps.iter().filter_map(|step| match &step.outcome {
            Outcome::Checked(Decision::Reject(rejection)) => Some((step.event_id.as_str(), rejection)),
            _ => None,
        })
    }

    /// A resolution of which nothing but the state is known yet.
    fn starting_from(unconflicted_state: StateMap) -> Self {
        Self {
            state: StateMap::new(),
            unconflicted_state,
            conflicted_state: BTreeSet::new(),
            auth_difference: BTreeSet::new(),
            conflicted_state_subgraph: BTreeSet::new(),
            full_conflicted_set: BTreeSet::new(),
            power_events: Vec::new(),
            partially_resolved_state: StateMap::new(),
            mainline: Vec::new(),
            remaining_events: Vec::new(),
            steps: Vec::new(),
        }
    }
}

/// All events that any of the sets has under a key.
fn events_by_key(state_sets: &[StateMap]) -> BTreeMap<&(String, String), BTreeSet<&String>> {
    let mut by_key: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (key, id) in state_sets.iter().flatten() {
        by_key.entry(key).or_default().insert(id);
    }
    by_key
}
