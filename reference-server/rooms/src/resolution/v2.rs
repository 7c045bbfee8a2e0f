//! State resolution by power and mainline (rooms/v2/#algorithm, rooms/v12/#algorithm).

use std::collections::BTreeMap;

use protocol::RoomVersion;

use super::auth_chains::{AuthChains, Node};
use super::conflict::Conflict;
use super::full_conflicted_set::{auth_difference, conflicted_state_set, conflicted_state_subgraph};
use super::iterative_auth_checks::{self, AuthEvents, PartialState};
use super::{EventStore, ResolutionError, Resolved, mainline, power_ordering};
use crate::event::Pdu;
use crate::mistakes::{Mistake, mistaken};
use crate::state::StateLookup;

/// The algorithm of room versions 2 to 11.
pub(super) const V2: Algorithm = Algorithm { starts_empty: false, has_subgraph: false };

/// The algorithm since room version 12.
pub(super) const V2_1: Algorithm = Algorithm { starts_empty: true, has_subgraph: true };

/// What tells the two forms of the algorithm apart.
pub(super) struct Algorithm {
    /// Whether the auth checks start from an empty state instead of the unconflicted state map.
    starts_empty: bool,
    /// Whether the conflicted state subgraph is part of the full conflicted set.
    has_subgraph: bool,
}

impl Algorithm {
    /// Resolves a conflict whose auth chains are all known.
    pub(super) fn resolve(
        &self,
        version: &RoomVersion,
        conflict: &Conflict<'_>,
        chains: &AuthChains,
        events: &dyn EventStore,
    ) -> Result<Resolved, ResolutionError> {
        let auth_events = AuthEvents::new(version, conflict, events);
        let full = self.full_conflicted_set(conflict, chains, events)?;
        let (power, mut rest) = split(&full, chains);
        let starts_empty =
            self.starts_empty && !mistaken(Mistake::StartsFromUnconflicted) || mistaken(Mistake::StartsEmpty);
        let mut state = PartialState::new((!starts_empty).then_some(conflict));
        let mut judged = Vec::with_capacity(full.len());

        let sorted = power_ordering::sort(version, &power, chains, &auth_events)?;
        iterative_auth_checks::run(&mut state, sorted, &auth_events, &mut judged)?;

        // Starting empty, power levels that are not in conflict are not in this state: then there is no mainline.
        let mut power_levels = state.find("m.room.power_levels", "").cloned();
        if mistaken(Mistake::MainlineOfUnresolved) {
            let mut given = conflict.states().iter();
            power_levels = given.find_map(|state| state.find("m.room.power_levels", "")).cloned();
        }
        let mainline = power_levels.as_ref().and_then(|event| chains.node(event.event_id()));
        mainline::sort(&mut rest, mainline, chains);
        let sorted = rest.into_iter().map(|(_, event)| event).collect();
        iterative_auth_checks::run(&mut state, sorted, &auth_events, &mut judged)?;

        // The last step of the text replaces events by unconflicted ones. Those that no event competes with are meant
        // to be in the result as well, also when the checks started from nothing.
        let state = conflict.settle(state.applied());
        Ok(Resolved { state, judged, power_events: power.len(), power_levels })
    }

    /// The full conflicted set, by the text with whatever auth chains hold, be it no state event.
    fn full_conflicted_set(
        &self,
        conflict: &Conflict<'_>,
        chains: &AuthChains,
        events: &dyn EventStore,
    ) -> Result<BTreeMap<Node, Pdu>, ResolutionError> {
        let conflicted = conflicted_state_set(conflict, chains);
        let mut nodes = auth_difference(conflict, &conflicted, chains);
        if mistaken(Mistake::AuthDifferenceOmitted) {
            nodes.clear();
        }
        let has_subgraph =
            self.has_subgraph && !mistaken(Mistake::SubgraphOmitted) || mistaken(Mistake::SubgraphAlways);
        if has_subgraph {
            nodes.extend(conflicted_state_subgraph(&conflicted, chains));
        }
        let given =
            conflict.events().filter_map(|event| Some((chains.node(event.event_id())?, event.clone())));
        let mut full: BTreeMap<Node, Pdu> = given.collect();
        for node in nodes.difference(&conflicted) {
            let event_id = chains.event_id(*node);
            let event = events.event(event_id).filter(|event| event.event_id() == event_id);
            let event = event.ok_or_else(|| ResolutionError::Missing {
                event_id: event_id.to_owned(),
                cited_by: citing(*node, chains).to_owned(),
            })?;
            full.insert(*node, event);
        }
        Ok(full)
    }
}

/// An event that cites another one, for the report that the latter is missing.
fn citing(node: Node, chains: &AuthChains) -> &str {
    chains.cited_by(node).next().map_or("the state", |citing| chains.event_id(citing))
}

/// Separates the power events, and what of the full conflicted set is in their auth chains, from the rest.
fn split<'a>(
    full: &'a BTreeMap<Node, Pdu>,
    chains: &AuthChains,
) -> (BTreeMap<Node, &'a Pdu>, Vec<(Node, &'a Pdu)>) {
    let Some((&floor, _)) = full.first_key_value() else { return Default::default() };
    let power_events = full.iter().filter(|(_, event)| is_power_event(event)).map(|(node, _)| *node);
    let mut of_power = chains.chains(power_events.clone(), floor);
    if mistaken(Mistake::PowerEventsAlone) {
        of_power.clear();
    }
    of_power.extend(power_events);
    if mistaken(Mistake::PowerPassSkipped) {
        of_power.clear();
    }
    let nodes = full.iter().map(|(node, event)| (*node, event));
    let (power, rest): (Vec<_>, Vec<_>) = nodes.partition(|(node, _)| of_power.contains(node));
    (power.into_iter().collect(), rest)
}

/// Whether a state event might take somebody's ability to do something.
fn is_power_event(event: &Pdu) -> bool {
    match (event.event_type(), event.state_key()) {
        ("m.room.power_levels", Some(_)) => true,
        ("m.room.join_rules", Some(_)) => !mistaken(Mistake::JoinRulesNoPowerEvents),
        ("m.room.member", Some(target)) => {
            let takes = match event.content_str("membership") {
                Some("leave") => !mistaken(Mistake::KicksNoPowerEvents),
                Some("ban") => !mistaken(Mistake::BansNoPowerEvents),
                _ => false,
            };
            takes && (target != event.sender() || mistaken(Mistake::LeavesPowerEvents))
        }
        _ => false,
    }
}
