//! The state that an answer tells beside the timeline.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::PoisonError;

use serde_json::Value;

use super::Context;
use super::chunk::Chunk;
use super::told_members::Told;
use crate::misbehave::{Fault, commits};
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

/// State events by type and state key.
type Places<'a> = BTreeMap<(&'a str, &'a str), &'a Pdu>;

impl Context<'_> {
    /// The changes of state before the timeline of the answer, or with `use_state_after`, up to its end.
    pub(super) fn state<'a>(
        &self,
        record: &'a Record,
        room_id: &str,
        chunk: &'a Chunk,
        span: &Span,
        heroes: &[&'a str],
    ) -> Vec<Value> {
        let after = self.question.state_after;
        let start = chunk.entries.first().map_or(span.until, |first| first.position - 1);
        let end = if after { span.until } else { start.min(span.until) };
        let known = if span.whole {
            Position::MIN
        } else if commits(Fault::StateInGapsOmitted) {
            span.until
        } else {
            span.since
        };
        let shown: HashSet<_> = chunk.entries.iter().map(|entry| entry.pdu.event_id()).collect();
        let mut told: Places<'a> =
            record.history.at(end).changed_since(known).map(|pdu| (place(pdu), pdu)).collect();
        if !after {
            // What the filter keeps out of the timeline would otherwise be told nowhere.
            let later = record.history.at(span.until).changed_since(end.max(known));
            told.extend(later.filter(|pdu| !shown.contains(pdu.event_id())).map(|pdu| (place(pdu), pdu)));
        }
        let filter = &self.question.filter.room.state;
        if filter.lazy_load_members && !commits(Fault::LazyLoadingIgnored) {
            let mut wanted: BTreeSet<&str> = chunk
                .entries
                .iter()
                .map(|entry| entry.pdu.sender())
                .filter(|_| !commits(Fault::LazySendersOmitted))
                .collect();
            wanted.extend(heroes);
            self.lazy_load(record, room_id, span, end, wanted, &mut told);
            if !after {
                told.retain(|_, pdu| !shown.contains(pdu.event_id()));
            }
        }
        let limit = filter.limit.unwrap_or(usize::MAX);
        let told: Vec<_> = told
            .into_values()
            .filter(|pdu| filter.admits(pdu.object(), room_id) || commits(Fault::StateFilterIgnored))
            .take(limit)
            .collect();
        if self.question.lazy_load() {
            self.note_members(
                room_id,
                told.iter().copied().chain(chunk.entries.iter().map(|entry| &entry.pdu)),
            );
        }
        let show = |pdu| self.trim(record.show_state(pdu, self.requester.viewer(), self.format()));
        told.into_iter().map(show).collect()
    }

    /// Of all members, leaves those who are wanted; of some, adds those who are wanted and not known.
    /// Who joined or left in a gap is told of in any case.
    fn lazy_load<'a>(
        &self,
        record: &'a Record,
        room_id: &str,
        span: &Span,
        end: Position,
        mut wanted: BTreeSet<&'a str>,
        told: &mut Places<'a>,
    ) {
        let state = record.history.at(end);
        let own = state.placed("m.room.member", &self.requester.user_id);
        if span.whole {
            wanted.extend(
                own.filter(|_| !commits(Fault::LazyOwnMemberOmitted))
                    .and_then(|(_, member)| member.state_key()),
            );
            told.retain(|(event_type, user_id), _| {
                *event_type != "m.room.member" || wanted.contains(user_id)
            });
        }
        for user_id in wanted {
            let Some((_, member)) = state.placed("m.room.member", user_id) else { continue };
            let known =
                self.question.lazy_load() && self.server.told_members.has(self.requester, room_id, member);
            if span.whole || !known {
                told.entry(place(member)).or_insert(member);
            }
        }
    }

    fn note_members<'a>(&self, room_id: &str, events: impl Iterator<Item = &'a Pdu>) {
        let members = events.filter(|pdu| pdu.event_type() == "m.room.member").filter_map(|pdu| {
            Some(Told {
                room_id: room_id.to_owned(),
                user_id: pdu.state_key()?.to_owned(),
                event_id: pdu.event_id().to_owned(),
            })
        });
        self.told_members.lock().unwrap_or_else(PoisonError::into_inner).extend(members);
    }
}

fn place(pdu: &Pdu) -> (&str, &str) {
    (pdu.event_type(), pdu.state_key().unwrap_or_default())
}
