//! State resolution v2 and v2.1: by power and mainline (rooms/v2/#state-resolution,
//! rooms/v12/#state-resolution).

use std::collections::BTreeSet;

use protocol::RoomVersion;
use protocol::room_version::StateResolution;

use super::graph::AuthGraph;
use super::{Outcome, Pass, Resolution, ResolutionError, Step, events_by_key};
use crate::authorization::{Decision, StateOf, decide};
use crate::event::{Event, StateMap};

/// Resolves, in the five steps of the text.
pub(super) fn resolve(
    version: &RoomVersion,
    state_sets: &[StateMap],
    graph: &AuthGraph<'_>,
) -> Result<Resolution, ResolutionError> {
    graph.check(state_sets)?;
    let is_v2_1 = version.state_resolution == StateResolution::V2_1;
    let mut resolution = definitions(state_sets, graph, is_v2_1)?;

    // 1.
    let power_events = power_events_and_what_they_need(&resolution.full_conflicted_set, graph)?;
    resolution.power_events = graph.reverse_topological_power_ordering(&power_events)?;
    // 2.
    let mut state = if is_v2_1 { StateMap::new() } else { resolution.unconflicted_state.clone() };
    for event in resolution.power_events.clone() {
        check(Pass::PowerEvents, &event.event_id, &mut state, graph, &mut resolution)?;
    }
    resolution.partially_resolved_state = state.clone();
    // 3.
    // Choice: without power levels in that state there is no mainline, so that all positions are infinity.
    // The text presumes some. In v2.1 they are often missing here, since the state starts empty and has only
    // what was in conflict.
    let power_levels = state.get(&("m.room.power_levels".to_owned(), String::new()));
    if let Some(power_levels) = power_levels {
        resolution.mainline = graph.mainline(graph.event(power_levels, "the partially resolved state")?)?;
    }
    let remaining = resolution.full_conflicted_set.difference(&power_events).cloned();
    resolution.remaining_events = graph.mainline_ordering(remaining, &resolution.mainline)?;
    // 4.
    for event in resolution.remaining_events.clone() {
        check(Pass::RemainingEvents, &event.event_id, &mut state, graph, &mut resolution)?;
    }
    // 5.
    // Choice: keys of the unconflicted state map that the result lacks are added as well. The text speaks of
    // replacing only, but since v2.1 starts from nothing, most of the room would be lost.
    state.extend(resolution.unconflicted_state.clone());
    resolution.state = state;
    Ok(resolution)
}

/// The sets that the text defines before the algorithm.
fn definitions(
    state_sets: &[StateMap],
    graph: &AuthGraph<'_>,
    is_v2_1: bool,
) -> Result<Resolution, ResolutionError> {
    let mut unconflicted = StateMap::new();
    let mut conflicted = BTreeSet::new();
    for (key, ids) in events_by_key(state_sets) {
        match ids.iter().next() {
            Some(&id) if state_sets.iter().all(|state| state.get(key) == Some(id)) => {
                unconflicted.insert(key.clone(), id.clone());
            }
            _ => conflicted.extend(ids.into_iter().cloned()),
        }
    }
    let mut resolution = Resolution::starting_from(unconflicted);
    resolution.auth_difference = graph.auth_difference(state_sets)?;
    if is_v2_1 {
        resolution.conflicted_state_subgraph = graph.conflicted_state_subgraph(&conflicted)?;
    }
    resolution.full_conflicted_set =
        &(&conflicted | &resolution.auth_difference) | &resolution.conflicted_state_subgraph;
    resolution.conflicted_state = conflicted;
    Ok(resolution)
}

/// The set *X*: the power events of the full conflicted set, and what of their auth chains is in it too.
fn power_events_and_what_they_need(
    full_conflicted_set: &BTreeSet<String>,
    graph: &AuthGraph<'_>,
) -> Result<BTreeSet<String>, ResolutionError> {
    let mut selected = BTreeSet::new();
    for id in full_conflicted_set {
        let event = graph.event(id, "the full conflicted set")?;
        if is_power_event(event) {
            selected.insert(id.clone());
            selected.extend(graph.auth_chain(event)?.intersection(full_conflicted_set).cloned());
        }
    }
    Ok(selected)
}

/// Whether a state event might remove someone's ability to do something.
fn is_power_event(event: &Event) -> bool {
    match (event.event_type(), event.state_key()) {
        ("m.room.power_levels" | "m.room.join_rules", Some(_)) => true,
        ("m.room.member", Some(target)) => {
            matches!(event.content_string("membership"), Some("leave" | "ban")) && event.sender() != target
        }
        _ => false,
    }
}

/// One round of the *iterative auth checks algorithm*.
// Choice: the rules on `auth_events` (rule 2, in room version 12 rule 3) are not applied again: an event that
// breaks them "should not appear in the process" (rooms/v2/#rejected-events).
//
// Choice: an event without a state key, which gets here when an event names it as its auth event, is judged like any
// other and changes nothing. The text calls the full conflicted set one of events, and has state in mind.
fn check(
    pass: Pass,
    event_id: &str,
    state: &mut StateMap,
    graph: &AuthGraph<'_>,
    resolution: &mut Resolution,
) -> Result<(), ResolutionError> {
    let event = graph.event(event_id, "the full conflicted set")?;
    let from_auth_events = what_auth_events_add(event, state, graph)?;
    let against = state.clone();
    let mut visible = from_auth_events.clone();
    visible.extend(against.clone());
    let decision = decide(graph.version, event, &StateOf { state: &visible, events: graph.events });
    if let (Decision::Allow { .. }, Some(key)) = (&decision, event.key()) {
        state.insert(key, event_id.to_owned());
    }
    resolution.steps.push(Step {
        pass,
        event_id: event_id.to_owned(),
        outcome: Outcome::Checked(decision),
        against,
        from_auth_events,
    });
    Ok(())
}

/// Events that the rules may need, are not in the state, and are among the event's auth events, unless
/// rejected.
// Choice: since room version 12 the create event is no auth event; the one that the room id implies takes its
// place (rooms/v12/#authorisation-rules).
fn what_auth_events_add(
    event: &Event,
    state: &StateMap,
    graph: &AuthGraph<'_>,
) -> Result<StateMap, ResolutionError> {
    let mut candidates = graph.auth_events(event)?;
    if let Some(create) = event.implied_create_event(graph.version) {
        candidates.push(graph.event(&create, event.id())?);
    }
    let mut added = StateMap::new();
    for candidate in candidates {
        let Some(key) = candidate.key() else { continue };
        if !state.contains_key(&key) && !graph.events.is_rejected(candidate.id()) {
            added.entry(key).or_insert_with(|| candidate.id().to_owned());
        }
    }
    Ok(added)
}
