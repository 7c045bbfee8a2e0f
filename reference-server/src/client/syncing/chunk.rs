//! The timeline of a room in the answer.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Context;
use crate::error::MatrixError;
use crate::misbehave::{Fault, commits};
use crate::stream::{self, Position};
use crate::timeline::{Entry, Record, Timeline};

/// Events of a room that one answer carries when the client names no number, and at most.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 1000;

/// The last events of a span.
pub(super) struct Chunk {
    /// Oldest first.
    pub(super) entries: Vec<Entry>,
    /// Whether there are more in the span.
    pub(super) limited: bool,
    /// Where the chunk begins.
    prev_batch: Position,
}

impl Chunk {
    /// No events, at a position.
    pub(super) fn empty(at: Position) -> Self {
        Self { entries: Vec::new(), limited: false, prev_batch: at }
    }
}

impl Context<'_> {
    /// The last events after `since` and up to `until` that the user may see and wants to; `own` is
    /// shown whatever the room's history visibility says: it is the user's own departure.
    pub(super) async fn chunk(
        &self,
        timeline: &Timeline,
        since: Position,
        until: Position,
        own: Option<Position>,
    ) -> Result<Chunk, MatrixError> {
        let limit = self
            .question
            .filter
            .room
            .timeline
            .limit
            .filter(|_| !commits(Fault::TimelineLimitIgnored))
            .unwrap_or(DEFAULT_LIMIT)
            .min(MAX_LIMIT);
        let mut chunk = Chunk::empty(until);
        let mut from = until;
        // Changes of state that the timeline lacks are told beside it. An older event of the same place must not come after
        // them, or the client would take it for the newer one.
        let mut told_beside = HashSet::new();
        'reading: loop {
            let read = timeline.until(&self.server.store, from, limit + 1).await?;
            let exhausted = read.len() <= limit;
            let record = timeline.record();
            for entry in read {
                if entry.position <= since {
                    break 'reading;
                }
                from = entry.position - 1;
                let place =
                    entry.pdu.state_key().map(|key| (entry.pdu.event_type().to_owned(), key.to_owned()));
                if !self.shows(&record, timeline.room_id(), &entry, own) {
                    told_beside.extend(place.filter(|_| !self.question.state_after));
                    continue;
                }
                if chunk.entries.len() == limit || place.is_some_and(|place| told_beside.contains(&place)) {
                    chunk.limited = true;
                    break 'reading;
                }
                chunk.prev_batch = from - i64::from(commits(Fault::PrevBatchTooEarly));
                chunk.entries.push(entry);
            }
            if exhausted {
                break;
            }
        }
        chunk.entries.reverse();
        Ok(chunk)
    }

    fn shows(&self, record: &Record, room_id: &str, entry: &Entry, own: Option<Position>) -> bool {
        let ignored = entry.pdu.state_key().is_none() && self.is_ignored(entry.pdu.sender());
        !ignored
            && (self.question.filter.room.timeline.admits(entry.pdu.object(), room_id)
                || commits(Fault::TimelineFilterIgnored))
            && (own == Some(entry.position) || record.may_see(entry, &self.requester.user_id))
    }

    /// The chunk as it stands in the answer.
    pub(super) fn show_chunk(&self, record: &Record, chunk: &Chunk) -> Value {
        let show = |entry| self.trim(record.show(entry, self.requester.viewer(), self.format()));
        json!({
            "events": chunk.entries.iter().map(show).collect::<Vec<_>>(),
            "limited": (chunk.limited && !commits(Fault::GapsNotTold)) || commits(Fault::GapsAlwaysTold),
            "prev_batch": stream::token(chunk.prev_batch + i64::from(commits(Fault::PrevBatchTooLate))),
        })
    }
}
