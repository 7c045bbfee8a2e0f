//! One event, and the way through all of them: client-server-api/#getting-events-for-a-room.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::federation::backfilling;
use crate::filter::EventFilter;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{GuestOrUser, Path, Query, Requester};
use crate::rooms::state::StateLookup;
use crate::stream::{self, Position};
use crate::timeline::{Entry, Format, Record, Timeline};

/// Events that are answered when the client names no number.
pub(super) const DEFAULT_LIMIT: usize = 10;

/// The most that are answered in any case.
pub(super) const MAX_LIMIT: usize = 1000;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/rooms/{room_id}/event/{event_id}", get(event))
        .route("/_matrix/client/v3/rooms/{room_id}/messages", get(messages))
}

async fn event(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((room_id, event_id)): Path<(String, String)>,
) -> Answer {
    let room = server.timelines.find(&room_id).ok_or_else(unknown_event)?;
    let entry = visible(&server, &room, &requester, &event_id).await?;
    Ok(Json(Value::Object(room.record().show(&entry, requester.viewer(), Format::Client))))
}

async fn messages(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(room_id): Path<String>,
    query: Query,
) -> Answer {
    query.required("dir")?;
    let backwards = query.one_of("dir", &["b", "f"])? == Some("b") || commits(Fault::MessagesAlwaysBackwards);
    let (from, to) =
        (query.position("from")?, query.position("to")?.filter(|_| !commits(Fault::MessagesEndIgnored)));
    let filter = filter(&query)?;
    let limit = query
        .number("limit")?
        .filter(|_| !commits(Fault::MessagesLimitIgnored))
        .or(filter.limit)
        .unwrap_or(DEFAULT_LIMIT)
        .min(MAX_LIMIT);
    let room = server.timelines.get(&room_id)?;
    let settled = server.stream.settled().await;
    let until = if commits(Fault::MessagesReadToTheEndByLeavers) {
        settled
    } else {
        room.record().readable_until(&requester.user_id)?.min(settled)
    };
    let reader = Reader { server: &server, room: &room, requester: &requester, filter: &filter };
    let (start, page) = if backwards {
        let start = from.filter(|_| !commits(Fault::MessagesStartIgnored)).unwrap_or(until);
        (start, back_through_gaps(&reader, &room, start, to.unwrap_or(Position::MIN), limit).await?)
    } else {
        let start = from.unwrap_or(stream::BEGINNING);
        (start, reader.forth(start, to.unwrap_or(Position::MAX), limit).await?)
    };

    let record = room.record();
    let show = |entry: &Entry| Value::Object(record.show(entry, requester.viewer(), Format::Client));
    let mut answer = json!({
        "start": stream::token(start),
        "chunk": page.entries.iter().map(show).collect::<Vec<_>>(),
    });
    if let Some(end) = page.end {
        answer["end"] = stream::token(end).into();
    }
    if filter.lazy_load_members {
        answer["state"] = senders(&record, &page.entries, &requester);
    }
    Ok(Json(answer))
}

/// As [`Reader::back`]; where the room begins here before it has begun at all, other servers are asked for what came before.
async fn back_through_gaps(
    reader: &Reader<'_>,
    room: &Arc<Timeline>,
    from: Position,
    to: Position,
    limit: usize,
) -> Result<Page, MatrixError> {
    loop {
        let page = reader.back(from, to, limit).await?;
        let is_short = page.end.is_none() && page.entries.len() < limit && to == Position::MIN;
        if !is_short || !backfilling::fetch_history(reader.server, room, limit).await? {
            return Ok(page);
        }
    }
}

/// The member events of those who sent what is shown.
fn senders(record: &Record, entries: &[Entry], requester: &Requester) -> Value {
    let senders: BTreeSet<_> = entries.iter().map(|entry| entry.pdu.sender()).collect();
    let state = record.history.now();
    let members = senders.into_iter().filter_map(|user_id| state.find("m.room.member", user_id));
    members.map(|pdu| Value::Object(record.show_state(pdu, requester.viewer(), Format::Client))).collect()
}

/// Somebody who reads in a room, seeing what they may and want to.
pub(super) struct Reader<'a> {
    pub(super) server: &'a Homeserver,
    pub(super) room: &'a Timeline,
    pub(super) requester: &'a Requester,
    pub(super) filter: &'a EventFilter,
}

/// What was read, and where there is more.
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) end: Option<Position>,
}

impl Reader<'_> {
    /// At most `limit` events up to `from` and after `to`, newest first.
    pub(super) async fn back(&self, from: Position, to: Position, limit: usize) -> Result<Page, MatrixError> {
        let mut page = Page { entries: Vec::new(), end: Some(from) };
        let mut from = from;
        // One more than asked for tells whether there is more.
        loop {
            let read = self.room.until(&self.server.store, from, limit + 1).await?;
            let exhausted = read.len() <= limit;
            for entry in read {
                if entry.position <= to {
                    page.end = None;
                    return Ok(page);
                }
                if self.shows(&entry) {
                    if page.entries.len() == limit {
                        page.end = Some(entry.position - i64::from(commits(Fault::PagesSkipAnEvent)));
                        return Ok(page);
                    }
                    page.entries.push(entry.clone());
                }
                from = entry.position - 1;
            }
            if exhausted {
                page.end = None;
                return Ok(page);
            }
        }
    }

    /// At most `limit` events after `from` and up to `to`, oldest first.
    pub(super) async fn forth(
        &self,
        from: Position,
        to: Position,
        limit: usize,
    ) -> Result<Page, MatrixError> {
        let mut page = Page { entries: Vec::new(), end: Some(from) };
        let mut from = from;
        loop {
            let read = self.room.since(&self.server.store, from, limit + 1).await?;
            let exhausted = read.len() <= limit;
            for entry in read {
                if entry.position > to {
                    page.end = None;
                    return Ok(page);
                }
                if self.shows(&entry) {
                    if page.entries.len() == limit {
                        page.end = Some(from - i64::from(commits(Fault::PagesOverlap)));
                        return Ok(page);
                    }
                    page.entries.push(entry.clone());
                }
                from = entry.position;
            }
            if exhausted {
                page.end = None;
                return Ok(page);
            }
        }
    }

    fn shows(&self, entry: &Entry) -> bool {
        self.room.record().may_see(entry, &self.requester.user_id)
            && (self.filter.admits(entry.pdu.object(), self.room.room_id())
                || commits(Fault::MessagesFilterIgnored))
    }
}

/// An event that the requester may see.
pub(super) async fn visible(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    event_id: &str,
) -> Result<Entry, MatrixError> {
    let entry = room.find(&server.store, event_id).await?;
    let record = room.record();
    entry.filter(|entry| record.may_see(entry, &requester.user_id)).ok_or_else(unknown_event)
}

/// The filter in a query.
pub(super) fn filter(query: &Query) -> Result<EventFilter, MatrixError> {
    let Some(filter) = query.text("filter") else { return Ok(EventFilter::default()) };
    match serde_json::from_str(filter) {
        Ok(Value::Object(filter)) => EventFilter::parse(&filter),
        _ => Err(MatrixError::invalid_param("filter must be a JSON object")),
    }
}

/// The refusal for events that are not there, or that one may not see.
pub(super) fn unknown_event() -> MatrixError {
    MatrixError::not_found("there is no such event, or you may not see it")
}
