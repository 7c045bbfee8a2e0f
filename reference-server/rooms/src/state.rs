//! The state of a room at some point: for each type and state key, one event.

mod tree;

use self::tree::{Cursor, Tree};
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

/// A type and a state key.
pub type Place<'a> = (&'a str, &'a str);

/// The place of a state event.
pub fn place_of(event: &Pdu) -> Option<Place<'_>> {
    Some((event.event_type(), event.state_key()?))
}

/// Whether two events are the same, most often told without looking into them.
pub(crate) fn is_same(left: &Pdu, right: &Pdu) -> bool {
    std::ptr::eq(left.object(), right.object()) || left.event_id() == right.event_id()
}

/// A room's state. A clone costs nothing and shares what is not changed afterwards, so that the states before many
/// events can be kept, and states that stem from each other be compared in the time of their difference.
#[derive(Clone, Debug, Default)]
pub struct StateMap {
    events: Tree,
}

impl StateMap {
    /// The state after an event when this is the state before it. Events without state key change nothing.
    ///
    /// Gives back the state event that was replaced.
    pub fn insert(&mut self, event: &Pdu) -> Option<Pdu> {
        event.state_key()?;
        self.events.insert(event.clone())
    }

    /// Leaves the place of a type and a state key empty.
    pub fn remove(&mut self, place: Place<'_>) {
        self.events.remove(place);
    }

    /// The places at which this state and another one differ, with what either has there.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Vec<(Option<&'a Pdu>, Option<&'a Pdu>)> {
        tree::differences(&self.events, &other.events)
    }

    /// Every state event, by type and then by state key.
    pub fn iter(&self) -> impl Iterator<Item = &Pdu> {
        Cursor::new(&self.events)
    }

    /// The state events of one type, by state key.
    pub fn of_type<'a>(&'a self, event_type: &'a str) -> impl Iterator<Item = &'a Pdu> {
        Cursor::at(&self.events, (event_type, "")).take_while(move |event| event.event_type() == event_type)
    }

    /// The number of state events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no state at all, as before a create event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl StateLookup for StateMap {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        self.events.find((event_type, state_key))
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
