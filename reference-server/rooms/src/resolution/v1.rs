//! State resolution by depth (rooms/v1/#state-resolution).

use sha1::{Digest, Sha1};

use super::conflict::Conflict;
use super::iterative_auth_checks::PartialState;
use super::{Judged, Resolved};
use crate::authorize::authorize;
use crate::event::Pdu;
use crate::mistakes::{Mistake, mistaken, unless};
use crate::state::{Place, StateLookup};

/// The types that authorization rests on, in the order in which their conflicts are resolved.
const PASSES: [&str; 3] = ["m.room.power_levels", "m.room.join_rules", "m.room.member"];

/// Resolves a conflict.
///
/// Only different events at the same place are in conflict here; an event that some states have and others lack is not.
///
/// The text does not say in which order the places of a type are resolved, nor whether one sees the outcome of
/// another. Here every place is judged by the state that the pass found, so that the order cannot matter.
pub(super) fn resolve(conflict: &Conflict<'_>) -> Resolved {
    let mut state = PartialState::new(Some(conflict));
    let mut places = Vec::new();
    for (place, events) in conflict.places() {
        match *events.as_slice() {
            [event] if !mistaken(Mistake::AbsenceConflictInVersion1) => {
                state.apply(event);
            }
            _ => places.push((place, events)),
        }
    }
    places.sort_unstable_by_key(|(place, _)| *place);
    let mut judged = Vec::new();
    let mut passes = PASSES;
    if mistaken(Mistake::PassesReversed) {
        passes.reverse();
    }
    for pass in passes {
        let of_type = |(place, _): &(Place<'_>, Vec<&Pdu>)| place.0 == pass;
        let winners: Vec<&Pdu> = places
            .extract_if(.., |place| of_type(place))
            .filter_map(|(_, events)| climb(&state, events, &mut judged))
            .collect();
        for winner in winners {
            state.apply(winner);
        }
    }
    let winners: Vec<&Pdu> =
        places.into_iter().filter_map(|(_, events)| pick(&state, events, &mut judged)).collect();
    for winner in winners {
        state.apply(winner);
    }
    Resolved { state: conflict.settle(state.applied()), judged, power_events: 0, power_levels: None }
}

/// Takes the shallowest event unseen, and follows the others upwards as long as each allows the next.
fn climb<'a>(
    state: &PartialState<'_>,
    mut events: Vec<&'a Pdu>,
    judged: &mut Vec<Judged>,
) -> Option<&'a Pdu> {
    events.sort_by(|left, right| {
        let by_depth = unless(Mistake::ClimbFromDeepest, left.depth().cmp(&right.depth()));
        by_depth.then_with(|| unless(Mistake::ClimbTiesReversed, sha1(right).cmp(&sha1(left))))
    });
    let (first, others) = events.split_first()?;
    if mistaken(Mistake::ClimbChecksFirst) && authorize(first, state).is_err() {
        return None;
    }
    judged.push(Judged { event: (*first).clone(), rejection: None });
    let mut top = *first;
    for event in others.iter().copied() {
        let rejection = authorize(event, &With { event: top, state }).err();
        let is_rejected = rejection.is_some();
        judged.push(Judged { event: event.clone(), rejection });
        if is_rejected && mistaken(Mistake::ClimbGoesOn) {
            continue;
        }
        if is_rejected {
            break;
        }
        top = event;
    }
    Some(top)
}

/// Takes the deepest event that is allowed. If none is, the place stays empty, as the text names no other choice.
fn pick<'a>(state: &PartialState<'_>, mut events: Vec<&'a Pdu>, judged: &mut Vec<Judged>) -> Option<&'a Pdu> {
    events.sort_by(|left, right| {
        let by_depth = unless(Mistake::PickShallowest, right.depth().cmp(&left.depth()));
        by_depth.then_with(|| unless(Mistake::PickTiesReversed, sha1(left).cmp(&sha1(right))))
    });
    for event in events {
        let rejection = authorize(event, state).err();
        let is_allowed = rejection.is_none() || mistaken(Mistake::PickUnseen);
        judged.push(Judged { event: event.clone(), rejection });
        if is_allowed {
            return Some(event);
        }
    }
    None
}

fn sha1(event: &Pdu) -> [u8; 20] {
    Sha1::digest(event.event_id()).into()
}

/// A state with one event more.
struct With<'a, 'b> {
    event: &'a Pdu,
    state: &'a PartialState<'b>,
}

impl StateLookup for With<'_, '_> {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        if self.event.is_state(event_type, state_key) {
            return Some(self.event);
        }
        self.state.find(event_type, state_key)
    }
}
