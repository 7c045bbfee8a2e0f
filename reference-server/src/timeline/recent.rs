//! The last events of a room, which most requests ask for.

use std::collections::VecDeque;

use super::Entry;
use crate::rooms::event::Pdu;
use crate::stream::Position;

/// How many events are kept.
const KEPT: usize = 128;

/// The last events of a room, without a gap.
#[derive(Debug)]
pub(super) struct Recent {
    entries: VecDeque<Entry>,
    /// Every event of the room after this position is here; the least position if there is none before.
    after: Position,
}

impl Default for Recent {
    fn default() -> Self {
        Self::after(Position::MIN)
    }
}

impl Recent {
    /// An empty window on a room whose last event stands at `last`.
    pub(super) fn after(last: Position) -> Self {
        Self { entries: VecDeque::new(), after: last }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        if self.entries.len() > KEPT
            && let Some(oldest) = self.entries.pop_front()
        {
            self.after = oldest.position;
        }
    }

    /// Events were added that lie before all in the stream.
    pub(super) fn note_past(&mut self) {
        self.after = self.after.max(0);
    }

    pub(super) fn redact(&mut self, redacted: &Pdu, redaction: &Pdu) {
        let entry = self.entries.iter_mut().find(|entry| entry.pdu.event_id() == redacted.event_id());
        if let Some(entry) = entry {
            entry.pdu = redacted.clone();
            entry.redacted_because.get_or_insert_with(|| redaction.clone());
        }
    }

    pub(super) fn find(&self, event_id: &str) -> Option<Entry> {
        self.entries.iter().rev().find(|entry| entry.pdu.event_id() == event_id).cloned()
    }

    /// As [`Timeline::until`](super::Timeline::until), unless older events are needed than are here.
    pub(super) fn until(&self, until: Position, limit: usize) -> Option<Vec<Entry>> {
        let end = self.entries.partition_point(|entry| entry.position <= until);
        let start = end.saturating_sub(limit);
        let whole = self.after == Position::MIN || end - start == limit;
        whole.then(|| self.entries.range(start..end).rev().cloned().collect())
    }

    /// As [`Timeline::since`](super::Timeline::since), unless older events are needed than are here.
    pub(super) fn since(&self, since: Position, limit: usize) -> Option<Vec<Entry>> {
        let start = self.entries.partition_point(|entry| entry.position <= since);
        (since >= self.after).then(|| self.entries.range(start..).take(limit).cloned().collect())
    }
}
