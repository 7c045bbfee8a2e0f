//! The state that an answer tells beside the timeline.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::Context;
use super::room::Chunk;
use super::summary::heroes;
use crate::rooms::event::Pdu;
use crate::stream::Position;
use crate::timeline::Record;

/// What an answer spans in a room.
pub(super) struct Span {
    /// The client knows the room up to here.
    pub(super) since: Position,
    /// And is told of it up to here.
    pub(super) until: Position,
    /// Whether it is told everything, as if it knew nothing.
    pub(super) whole: bool,
}

impl Context<'_> {
    /// The changes of state before the timeline of the answer, or with `use_state_after`, up to its end.
    pub(super) fn state(&self, record: &Record, room_id: &str, chunk: &Chunk, span: &Span) -> Vec<Value> {
        let after = self.question.state_after;
        let start = chunk.entries.first().map_or(span.until, |first| first.position - 1);
        let end = if after { span.until } else { start.min(span.until) };
        let known = if span.whole { Position::MIN } else { span.since };
        let mut told: BTreeMap<(&str, &str), &Pdu> =
            record.history.at(end).changed_since(known).map(|pdu| (place(pdu), pdu)).collect();
        if !after {
            // What the filter keeps out of the timeline would otherwise be told nowhere.
            let shown: HashSet<_> = chunk.entries.iter().map(|entry| entry.pdu.event_id()).collect();
            let later = record.history.at(span.until).changed_since(end.max(known));
            told.extend(later.filter(|pdu| !shown.contains(pdu.event_id())).map(|pdu| (place(pdu), pdu)));
        }
        if self.question.filter.room.state.lazy_load_members {
            self.lazy_load(record, chunk, span, end, &mut told);
        }
        let filter = &self.question.filter.room.state;
        let events = told.into_values().filter(|pdu| filter.admits(pdu.object(), room_id));
        let limit = filter.limit.unwrap_or(usize::MAX);
        events
            .take(limit)
            .map(|pdu| self.trim(record.show_state(pdu, self.requester.viewer(), self.format())))
            .collect()
    }

    /// Of members, leaves those whom the timeline is about; who joined or left in a gap is always told.
    fn lazy_load<'a>(
        &self,
        record: &'a Record,
        chunk: &'a Chunk,
        span: &Span,
        end: Position,
        told: &mut BTreeMap<(&'a str, &'a str), &'a Pdu>,
    ) {
        let state = record.history.at(end);
        let mut wanted: BTreeSet<&str> = chunk.entries.iter().map(|entry| entry.pdu.sender()).collect();
        if span.whole {
            wanted.extend(heroes(record, &self.requester.user_id, span.until).into_iter().flatten());
            let own = state.placed("m.room.member", &self.requester.user_id);
            wanted.extend(own.and_then(|(_, member)| member.state_key()));
            told.retain(|(event_type, user_id), _| {
                *event_type != "m.room.member" || wanted.contains(user_id)
            });
        }
        let shown: HashSet<_> = chunk.entries.iter().map(|entry| entry.pdu.event_id()).collect();
        for user_id in wanted {
            if let Some((_, member)) = state.placed("m.room.member", user_id)
                && !shown.contains(member.event_id())
            {
                told.insert(place(member), member);
            }
        }
    }
}

fn place(pdu: &Pdu) -> (&str, &str) {
    (pdu.event_type(), pdu.state_key().unwrap_or_default())
}
