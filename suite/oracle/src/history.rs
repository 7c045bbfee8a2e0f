//! A whole room, received event by event (server-server-api/#room-state-resolution).

use std::collections::{BTreeMap, BTreeSet};

use protocol::RoomVersion;

use super::auth_events::AuthEvent;
use super::authorization::StateOf;
use super::event::{Event, Events, StateMap};
use super::receipt::{Grounds, Receipt, receive};
use super::resolution::{Resolution, ResolutionError, resolve};

/// The events of a room in the order in which one server received them, with the state after each of them.
#[derive(Clone, Debug)]
pub struct History {
    version: &'static RoomVersion,
    events: Events,
    after: BTreeMap<String, StateMap>,
    extremities: BTreeSet<String>,
    soft_failed: BTreeSet<String>,
}

/// Why an event cannot be received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// An event that it refers to was not received before.
    #[error("event {needed_by} refers to {id}, which was not received; give that first")]
    Missing {
        /// The missing event.
        id: String,
        /// The event that refers to it.
        needed_by: String,
    },
    /// It was received before.
    #[error("event {0} was received already; give every event once")]
    Repeated(String),
    /// The states before it cannot be resolved.
    #[error(transparent)]
    Resolution(#[from] ResolutionError),
}

impl History {
    /// A room without events.
    pub fn new(version: &'static RoomVersion) -> Self {
        Self {
            version,
            events: Events::default(),
            after: BTreeMap::new(),
            extremities: BTreeSet::new(),
            soft_failed: BTreeSet::new(),
        }
    }

    /// Receives an event: resolves the state before it, authorizes it, and keeps the state after it.
    ///
    /// # Errors
    /// When the event is not new, or one that it refers to is; see [`HistoryError`].
    pub fn receive(&mut self, event: Event) -> Result<Receipt, HistoryError> {
        if self.events.get(event.id()).is_some() {
            return Err(HistoryError::Repeated(event.id().to_owned()));
        }
        let before = self.state_before(&event)?.state;
        let receipt = self.authorize(&event, &before)?;
        let mut after = before;
        match (&receipt, event.key()) {
            (Receipt::Rejected { .. }, _) => self.events.reject(event.id()),
            (_, Some(key)) => drop(after.insert(key, event.id().to_owned())),
            (_, None) => {}
        }
        match receipt {
            Receipt::Accepted => {
                let before = self.reached_from(&event);
                self.extremities.retain(|id| !before.contains(id));
                self.extremities.insert(event.id().to_owned());
            }
            Receipt::SoftFailed(_) => drop(self.soft_failed.insert(event.id().to_owned())),
            Receipt::Rejected { .. } => {}
        }
        self.after.insert(event.id().to_owned(), after);
        self.events.insert(event);
        Ok(receipt)
    }

    /// Takes an event, the state before it, and the events of that state and of its auth chain from another server,
    /// as one that joins does: what was before them is not known, and nothing of it is authorized
    /// (server-server-api/#joining-rooms).
    pub fn receive_told(&mut self, event: Event, before: StateMap, told: impl IntoIterator<Item = Event>) {
        for event in told {
            self.events.insert(event);
        }
        let mut after = before;
        if let Some(key) = event.key() {
            after.insert(key, event.id().to_owned());
        }
        self.extremities.insert(event.id().to_owned());
        self.after.insert(event.id().to_owned(), after);
        self.events.insert(event);
    }

    /// *S(E)*: the state before an event, whether received or not, resolved from the states after its `prev_events`.
    ///
    /// # Errors
    /// When one of those was not received.
    pub fn state_before(&self, event: &Event) -> Result<Resolution, HistoryError> {
        let states = event.prev_events().iter().map(|id| {
            let missing = || HistoryError::Missing { id: id.clone(), needed_by: event.id().to_owned() };
            self.after.get(id).cloned().ok_or_else(missing)
        });
        let states = states.collect::<Result<Vec<_>, _>>()?;
        Ok(resolve(self.version, &states, &self.events)?)
    }

    /// *S′(E)*: the state after a received event.
    pub fn state_after(&self, event_id: &str) -> Option<&StateMap> {
        self.after.get(event_id)
    }

    /// The current state of the room: the states after all forward extremities, resolved.
    ///
    /// # Errors
    /// None that [`History::receive`] would not have met before.
    pub fn current_state(&self) -> Result<Resolution, HistoryError> {
        let states: Vec<StateMap> =
            self.extremities.iter().filter_map(|id| self.after.get(id)).cloned().collect();
        Ok(resolve(self.version, &states, &self.events)?)
    }

    /// The received events, with a note of those that were rejected.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The events to which a new event would refer: accepted, and without an accepted event after them.
    pub fn extremities(&self) -> &BTreeSet<String> {
        &self.extremities
    }

    /// The events that an event follows at once, and those before them as far as only rejected and soft-failed ones lie
    /// between.
    ///
    /// Choice: the text does not say whether an event is an extremity whose only children were rejected or soft-failed once
    /// accepted events follow those. Here it is none: it is in the past of an event that counts.
    fn reached_from(&self, event: &Event) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&String> = event.prev_events().iter().collect();
        while let Some(id) = open.pop() {
            let counts = !self.events.is_rejected(id) && !self.soft_failed.contains(id);
            if reached.insert(id.clone()) && !counts {
                open.extend(self.events.get(id).into_iter().flat_map(Event::prev_events));
            }
        }
        reached
    }

    fn authorize(&self, event: &Event, before: &StateMap) -> Result<Receipt, HistoryError> {
        let auth_events = event.auth_events().iter().map(|id| {
            let missing = || HistoryError::Missing { id: id.clone(), needed_by: event.id().to_owned() };
            let auth_event = self.events.get(id).ok_or_else(missing)?;
            Ok(AuthEvent { event: auth_event, rejected: self.events.is_rejected(id) })
        });
        let auth_events = auth_events.collect::<Result<Vec<_>, HistoryError>>()?;
        let create = event.implied_create_event(self.version).filter(|id| !self.events.is_rejected(id));
        let create = create.and_then(|id| self.events.get(&id));
        let current = self.current_state()?.state;
        let before = StateOf { state: before, events: &self.events };
        let current = StateOf { state: &current, events: &self.events };
        let grounds = Grounds { auth_events: &auth_events, create, before: &before, current: &current };
        Ok(receive(self.version, event, grounds))
    }
}
