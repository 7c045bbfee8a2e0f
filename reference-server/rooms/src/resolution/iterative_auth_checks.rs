//! The iterative auth checks, and the state that they build up (rooms/v2/#definitions).

use protocol::RoomVersion;

use super::auth_chains::find;
use super::conflict::Conflict;
use super::{EventStore, Judged, ResolutionError};
use crate::authorize::authorize;
use crate::event::{Pdu, room_id_of_create};
use crate::mistakes::{Mistake, mistaken};
use crate::state::{StateLookup, StateMap};

/// A state in the making: what was applied so far, on top of what was never in conflict.
pub(super) struct PartialState<'a> {
    /// Nothing, when the checks start from an empty state.
    pub(super) unconflicted: Option<&'a Conflict<'a>>,
    pub(super) applied: StateMap,
}

impl StateLookup for PartialState<'_> {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        let applied = self.applied.find(event_type, state_key);
        applied.or_else(|| self.unconflicted?.unconflicted(event_type, state_key))
    }
}

/// Applies each event that the state built up so far allows.
pub(super) fn run(
    state: &mut PartialState<'_>,
    sorted: Vec<Pdu>,
    auth_events: &AuthEvents<'_>,
    judged: &mut Vec<Judged>,
) -> Result<(), ResolutionError> {
    for event in sorted {
        let fallback = auth_events.accepted(&event)?;
        let rejection = authorize(&event, &Surroundings { state, fallback: &fallback }).err();
        if rejection.is_none() || mistaken(Mistake::RejectedEventsApplied) {
            state.applied.insert(&event);
        }
        judged.push(Judged { event, rejection });
    }
    Ok(())
}

/// What an event is judged by: the state, and where that has nothing, the event's own auth events.
struct Surroundings<'a, 'b> {
    state: &'a PartialState<'b>,
    fallback: &'a Named,
}

impl StateLookup for Surroundings<'_, '_> {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        let present = self.state.find(event_type, state_key);
        if mistaken(Mistake::AuthEventsNotConsulted) {
            return present;
        }
        if mistaken(Mistake::AuthEventsFirst) {
            return self.fallback.find(event_type, state_key).or(present);
        }
        present.or_else(|| self.fallback.find(event_type, state_key))
    }
}

/// Finds the auth events of events.
pub(super) struct AuthEvents<'a> {
    events: &'a dyn EventStore,
    /// The create event, where the room id implies it instead of `auth_events` naming it.
    implied: Option<Pdu>,
}

impl<'a> AuthEvents<'a> {
    pub(super) fn new(
        version: &RoomVersion,
        conflict: &Conflict<'_>,
        events: &'a dyn EventStore,
    ) -> Result<Self, ResolutionError> {
        let implied = if version.create_in_auth_events { None } else { implied_create(conflict, events)? };
        Ok(Self { events, implied })
    }

    /// The auth events of an event as a state.
    pub(super) fn named_by(&self, event: &Pdu) -> Result<Named, ResolutionError> {
        self.collect(event, |_| true)
    }

    /// The auth events of an event that were not rejected, as a state.
    pub(super) fn accepted(&self, event: &Pdu) -> Result<Named, ResolutionError> {
        let is_rejected = |event_id: &str| {
            self.events.is_rejected(event_id) && !mistaken(Mistake::RejectedAuthEventsConsulted)
        };
        self.collect(event, |event_id| !is_rejected(event_id))
    }

    fn collect(&self, event: &Pdu, admits: impl Fn(&str) -> bool) -> Result<Named, ResolutionError> {
        let admitted = event.auth_events().iter().filter(|event_id| admits(event_id));
        let named = admitted.map(|event_id| find(self.events, event_id, event));
        let implied = self.implied.iter().filter(|create| admits(create.event_id())).cloned().map(Ok);
        Ok(Named(named.chain(implied).collect::<Result<_, _>>()?))
    }
}

/// The create event after which the room is named. It need not be in a state that was put together by hand.
fn implied_create(conflict: &Conflict<'_>, events: &dyn EventStore) -> Result<Option<Pdu>, ResolutionError> {
    let Some(event) = conflict.events().next() else { return Ok(None) };
    let names_room = |create: &&Pdu| room_id_of_create(create.event_id()) == event.room_id();
    let mut creates = conflict.states().iter().filter_map(StateLookup::create);
    if let Some(create) = creates.find(names_room) {
        return Ok(Some(create.clone()));
    }
    let event_id = format!("${}", event.room_id().trim_start_matches('!'));
    find(events, &event_id, event).map(Some)
}

/// Auth events as a state. Of two at the same place, which an accepted event does not have, the first counts.
pub(super) struct Named(Vec<Pdu>);

impl StateLookup for Named {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        self.0.iter().find(|event| event.is_state(event_type, state_key))
    }
}
