//! The iterative auth checks, and the state that they build up (rooms/v2/#definitions).

use std::cell::{OnceCell, RefCell};

use foldhash::{HashMap, HashMapExt};
use protocol::RoomVersion;

use super::auth_chains::{AuthChains, Node, find};
use super::conflict::{Conflict, Settled};
use super::{EventStore, Judged, ResolutionError};
use crate::authorize::authorize;
use crate::event::{Pdu, room_id_of_create};
use crate::mistakes::{Mistake, mistaken};
use crate::state::{Place, StateLookup, place_of};

/// A state in the making: what was applied so far, on top of what was never in conflict.
pub(super) struct PartialState<'a> {
    /// Nothing, when the checks start from an empty state.
    unconflicted: Option<&'a Conflict<'a>>,
    applied: Settled<'a>,
    /// What was found in the unconflicted state map; the same few entries decide about most events.
    found: RefCell<HashMap<Place<'a>, &'a Pdu>>,
}

impl<'a> PartialState<'a> {
    pub(super) fn new(unconflicted: Option<&'a Conflict<'a>>) -> Self {
        Self { unconflicted, applied: HashMap::new(), found: RefCell::default() }
    }

    pub(super) fn apply(&mut self, event: &'a Pdu) {
        if let Some(place) = place_of(event) {
            self.applied.insert(place, event);
        }
    }

    pub(super) fn applied(&self) -> &Settled<'a> {
        &self.applied
    }

    fn unconflicted(&self, event_type: &str, state_key: &str) -> Option<&'a Pdu> {
        let unconflicted = self.unconflicted?;
        if let Some(event) = self.found.borrow().get(&(event_type, state_key)) {
            return Some(event);
        }
        let event = unconflicted.unconflicted(event_type, state_key)?;
        self.found.borrow_mut().insert(place_of(event)?, event);
        Some(event)
    }
}

impl StateLookup for PartialState<'_> {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        let applied = self.applied.get(&(event_type, state_key)).copied();
        applied.or_else(|| self.unconflicted(event_type, state_key))
    }
}

/// Applies each event that the state built up so far allows.
pub(super) fn run<'a>(
    state: &mut PartialState<'a>,
    sorted: Vec<&'a Pdu>,
    auth_events: &AuthEvents<'_>,
    judged: &mut Vec<Judged>,
) -> Result<(), ResolutionError> {
    for event in sorted {
        let surroundings = Surroundings { state, event, auth_events, accepted: OnceCell::new() };
        let rejection = authorize(event, &surroundings).err();
        surroundings.accepted.into_inner().transpose()?;
        if rejection.is_none() || mistaken(Mistake::RejectedEventsApplied) {
            state.apply(event);
        }
        judged.push(Judged { event: event.clone(), rejection });
    }
    Ok(())
}

/// What an event is judged by: the state, and where that has nothing, the event's own auth events.
struct Surroundings<'a, 'b> {
    state: &'a PartialState<'b>,
    event: &'a Pdu,
    auth_events: &'a AuthEvents<'a>,
    /// Its auth events that were not rejected, once they were needed.
    accepted: OnceCell<Result<Named, ResolutionError>>,
}

impl Surroundings<'_, '_> {
    fn in_auth_events(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        let accepted = self.accepted.get_or_init(|| self.auth_events.accepted(self.event));
        accepted.as_ref().ok()?.find(event_type, state_key)
    }
}

impl StateLookup for Surroundings<'_, '_> {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        let present = self.state.find(event_type, state_key);
        if mistaken(Mistake::AuthEventsNotConsulted) {
            return present;
        }
        if mistaken(Mistake::AuthEventsFirst) {
            return self.in_auth_events(event_type, state_key).or(present);
        }
        present.or_else(|| self.in_auth_events(event_type, state_key))
    }
}

/// Finds the auth events of events.
pub(super) struct AuthEvents<'a> {
    events: &'a dyn EventStore,
    /// The create events that room ids imply, by room id, where they do so instead of `auth_events` naming them. In a
    /// room whose events were all accepted it is one.
    implied: Option<RefCell<HashMap<String, Pdu>>>,
    /// Power levels and create events that were fetched; most events name the same.
    fetched: RefCell<HashMap<Node, Pdu>>,
}

impl<'a> AuthEvents<'a> {
    pub(super) fn new(version: &RoomVersion, conflict: &Conflict<'_>, events: &'a dyn EventStore) -> Self {
        let creates = conflict.states().iter().filter_map(StateLookup::create);
        let by_room = creates.map(|create| (room_id_of_create(create.event_id()), create.clone()));
        let implied = (!version.create_in_auth_events).then(|| RefCell::new(by_room.collect()));
        Self { events, implied, fetched: RefCell::default() }
    }

    /// What an event names of the power levels and the create event, from which the power of its sender follows.
    pub(super) fn of_power(
        &self,
        event: &Pdu,
        node: Node,
        chains: &AuthChains,
    ) -> Result<Named, ResolutionError> {
        let levels = chains.power_levels(node);
        let create = chains.auth_events(node).find(|node| chains.is_create(*node));
        let named = levels.into_iter().chain(create);
        let named = named.map(|node| self.fetch(node, event, chains));
        Ok(Named(named.chain(self.implied_by(event).transpose()).collect::<Result<_, _>>()?))
    }

    fn fetch(&self, node: Node, cited_by: &Pdu, chains: &AuthChains) -> Result<Pdu, ResolutionError> {
        if let Some(event) = self.fetched.borrow().get(&node) {
            return Ok(event.clone());
        }
        let event = find(self.events, chains.event_id(node), cited_by)?;
        self.fetched.borrow_mut().insert(node, event.clone());
        Ok(event)
    }

    /// The auth events of an event that were not rejected, as a state.
    pub(super) fn accepted(&self, event: &Pdu) -> Result<Named, ResolutionError> {
        let is_rejected = |event_id: &str| {
            self.events.is_rejected(event_id) && !mistaken(Mistake::RejectedAuthEventsConsulted)
        };
        let named = event.auth_events().iter().filter(|event_id| !is_rejected(event_id));
        let named = named.map(|event_id| find(self.events, event_id, event));
        let implied = self.implied_by(event)?.filter(|create| !is_rejected(create.event_id()));
        Ok(Named(named.chain(implied.map(Ok)).collect::<Result<_, _>>()?))
    }

    /// The event after which the room is named. It need not be in a state that was put together by hand.
    fn implied_by(&self, event: &Pdu) -> Result<Option<Pdu>, ResolutionError> {
        let Some(implied) = &self.implied else { return Ok(None) };
        if let Some(create) = implied.borrow().get(event.room_id()) {
            return Ok(Some(create.clone()));
        }
        let event_id = format!("${}", event.room_id().trim_start_matches('!'));
        let create = find(self.events, &event_id, event)?;
        implied.borrow_mut().insert(event.room_id().to_owned(), create.clone());
        Ok(Some(create))
    }
}

/// Auth events as a state. Of two at the same place, which an accepted event does not have, the first counts.
pub(super) struct Named(Vec<Pdu>);

impl StateLookup for Named {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        self.0.iter().find(|event| event.is_state(event_type, state_key))
    }
}
