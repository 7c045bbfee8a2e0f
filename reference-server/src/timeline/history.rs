//! The state of a room at every position of the stream.
//!
//! This is the state that clients are told, in the order in which this server came to know of it. Mostly it changes by
//! the event at the position; where branches of a room come together, resolution changes more with it, or something else.

use std::collections::BTreeMap;

use crate::rooms::event::Pdu;
use crate::rooms::state::{Place, StateLookup};
use crate::stream::Position;

/// For each type and state key, all events that ever were the room's state, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    by_type: BTreeMap<String, BTreeMap<String, Vec<Change>>>,
    /// The position of the last change.
    last: Position,
}

#[derive(Debug)]
struct Change {
    position: Position,
    /// None where resolution has left the place empty.
    pdu: Option<Pdu>,
}

impl History {
    /// A place in the state changes hands, or is left empty. Positions only grow.
    pub(crate) fn record(
        &mut self,
        position: Position,
        (event_type, state_key): Place<'_>,
        pdu: Option<&Pdu>,
    ) {
        self.last = position;
        let of_type = self.by_type.entry(event_type.to_owned()).or_default();
        of_type.entry(state_key.to_owned()).or_default().push(Change { position, pdu: pdu.cloned() });
    }

    /// An event is replaced by what its redaction left.
    pub(crate) fn redact(&mut self, redacted: &Pdu) {
        let Some(state_key) = redacted.state_key() else { return };
        let changes =
            self.by_type.get_mut(redacted.event_type()).and_then(|of_type| of_type.get_mut(state_key));
        for change in changes.into_iter().flatten() {
            if change.is(redacted) {
                change.pdu = Some(redacted.clone());
            }
        }
    }

    /// The position at which an event became the state of its type and this key.
    pub(crate) fn place_of(&self, pdu: &Pdu, state_key: &str) -> Option<Position> {
        let changes = self.changes(pdu.event_type(), state_key);
        changes.iter().rev().find(|change| change.is(pdu)).map(|change| change.position)
    }

    /// The state after everything up to a position.
    pub(crate) fn at(&self, position: Position) -> StateAt<'_> {
        StateAt { history: self, position }
    }

    /// The state now.
    pub(crate) fn now(&self) -> StateAt<'_> {
        self.at(Position::MAX)
    }

    /// The position at which a user left who has been joined; for a user who has left more than once,
    /// the last. None for those who are joined or never were.
    pub(crate) fn left(&self, user_id: &str) -> Option<Position> {
        let changes = self.memberships(user_id);
        let joined = changes.iter().rposition(|change| change.is_join())?;
        changes.get(joined + 1).map(|change| change.position)
    }

    /// The position at which a user joined who is joined.
    pub(crate) fn joined(&self, user_id: &str) -> Option<Position> {
        let changes = self.memberships(user_id).iter().rev();
        changes.take_while(|change| change.is_join()).last().map(|change| change.position)
    }

    /// Whether a user has joined after a position.
    pub(crate) fn joined_after(&self, user_id: &str, position: Position) -> bool {
        let joins = self.memberships(user_id).iter().rev().take_while(|change| change.position > position);
        joins.into_iter().any(|change| change.is_join())
    }

    /// Whether a user has joined up to a position.
    pub(crate) fn joined_until(&self, user_id: &str, position: Position) -> bool {
        let joins = self.memberships(user_id).iter().take_while(|change| change.position <= position);
        joins.into_iter().any(|change| change.is_join())
    }

    fn memberships(&self, user_id: &str) -> &[Change] {
        self.changes("m.room.member", user_id)
    }

    fn changes(&self, event_type: &str, state_key: &str) -> &[Change] {
        self.by_type.get(event_type).and_then(|of_type| of_type.get(state_key)).map_or(&[], Vec::as_slice)
    }
}

impl Change {
    fn is(&self, pdu: &Pdu) -> bool {
        self.pdu.as_ref().is_some_and(|own| own.event_id() == pdu.event_id())
    }

    fn is_join(&self) -> bool {
        self.pdu.as_ref().is_some_and(|pdu| pdu.content_str("membership") == Some("join"))
    }
}

/// The state of a room after everything up to a position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateAt<'a> {
    history: &'a History,
    position: Position,
}

impl<'a> StateAt<'a> {
    /// Every state event, by type and state key.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a Pdu> {
        self.changed_since(Position::MIN)
    }

    /// The state events that became so after another position.
    pub(crate) fn changed_since(self, since: Position) -> impl Iterator<Item = &'a Pdu> {
        // Most answers are about rooms whose state is what it was.
        let quiet = self.history.last <= since;
        let by_type = self.history.by_type.values().filter(move |_| !quiet);
        by_type
            .flat_map(BTreeMap::values)
            .filter_map(move |changes| self.latest(changes))
            .filter(move |change| change.position > since)
            .filter_map(|change| change.pdu.as_ref())
    }

    /// The state events of one type, by state key.
    pub(crate) fn of_type(self, event_type: &str) -> impl Iterator<Item = &'a Pdu> {
        let places = self.history.by_type.get(event_type).into_iter().flat_map(BTreeMap::values);
        places.filter_map(move |changes| self.latest(changes)?.pdu.as_ref())
    }

    /// A state event and the position since which it is that.
    pub(crate) fn placed(self, event_type: &str, state_key: &str) -> Option<(Position, &'a Pdu)> {
        let change = self.latest(self.history.changes(event_type, state_key))?;
        Some((change.position, change.pdu.as_ref()?))
    }

    fn latest(self, changes: &'a [Change]) -> Option<&'a Change> {
        let end = changes.partition_point(|change| change.position <= self.position);
        end.checked_sub(1).and_then(|last| changes.get(last))
    }
}

impl StateLookup for StateAt<'_> {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        self.placed(event_type, state_key).map(|(_, pdu)| pdu)
    }
}
