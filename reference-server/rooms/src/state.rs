//! The state of a room at some point: for each type and state key, one event.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::Pdu;

/// Whatever can say which event holds a place in the state.
pub trait StateLookup {
    /// The state event of that type and key.
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu>;

    /// The membership of a user; `leave` for those who have no member event.
    fn membership(&self, user_id: &str) -> &str {
        let member = self.find("m.room.member", user_id);
        member.and_then(|member| member.content_str("membership")).unwrap_or("leave")
    }

    /// The create event.
    fn create(&self) -> Option<&Pdu> {
        self.find("m.room.create", "")
    }
}

/// A room's state. Cloning shares what is not changed afterwards, so keeping the state before many events is cheap.
#[derive(Clone, Debug, Default)]
pub struct StateMap {
    by_type: BTreeMap<String, Arc<BTreeMap<String, Pdu>>>,
}

impl StateMap {
    /// The state after an event when this is the state before it. Events without state key change nothing.
    ///
    /// Gives back the state event that was replaced.
    pub fn insert(&mut self, event: &Pdu) -> Option<Pdu> {
        let state_key = event.state_key()?.to_owned();
        let of_type = self.by_type.entry(event.event_type().to_owned()).or_default();
        Arc::make_mut(of_type).insert(state_key, event.clone())
    }

    /// Every state event, by type and then by state key.
    pub fn iter(&self) -> impl Iterator<Item = &Pdu> {
        self.by_type.values().flat_map(|of_type| of_type.values())
    }

    /// The state events of one type, by state key.
    pub fn of_type(&self, event_type: &str) -> impl Iterator<Item = &Pdu> {
        self.by_type.get(event_type).into_iter().flat_map(|of_type| of_type.values())
    }

    /// The number of state events.
    pub fn len(&self) -> usize {
        self.by_type.values().map(|of_type| of_type.len()).sum()
    }

    /// Whether there is no state at all, as before a create event.
    pub fn is_empty(&self) -> bool {
        self.by_type.is_empty()
    }
}

impl StateLookup for StateMap {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        self.by_type.get(event_type)?.get(state_key)
    }
}

impl FromIterator<Pdu> for StateMap {
    fn from_iter<I: IntoIterator<Item = Pdu>>(events: I) -> Self {
        let mut state = Self::default();
        for event in events {
            state.insert(&event);
        }
        state
    }
}
