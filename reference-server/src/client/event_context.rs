//! What is round an event: client-server-api/#event-context.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use super::getting_events::{DEFAULT_LIMIT, MAX_LIMIT, Reader, filter, unknown_event, visible};
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{GuestOrUser, Path, Query};
use crate::stream::{self, Position};
use crate::timeline::{Entry, Format};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/context/{event_id}", get(context))
}

async fn context(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((room_id, event_id)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let filter = filter(&query)?;
    let room = server.timelines.find(&room_id).ok_or_else(unknown_event)?;
    let entry = visible(&server, &room, &requester, &event_id).await?;
    let reader = Reader { server: &server, room: &room, requester: &requester, filter: &filter };
    let before = reader.back(entry.position - 1, Position::MIN, limit / 2).await?;
    let after = reader.forth(entry.position, Position::MAX, limit - limit / 2).await?;

    let record = room.record();
    let show = |entry: &Entry| Value::Object(record.show(entry, requester.viewer(), Format::Client));
    let first = before.entries.last().unwrap_or(&entry);
    let last = after.entries.last().unwrap_or(&entry);
    let all = || before.entries.iter().chain([&entry]).chain(&after.entries);
    let senders: BTreeSet<_> = all().map(|entry| entry.pdu.sender()).collect();
    let id = if commits(Fault::ContextWithStateOfNow) { record.graph.current() } else { last.states.1 };
    let state = record.graph.state(id);
    let state = state.iter().filter(|pdu| {
        let lazy = filter.lazy_load_members && pdu.event_type() == "m.room.member";
        (!lazy || pdu.state_key().is_some_and(|user_id| senders.contains(user_id)))
            && filter.admits(pdu.object(), &room_id)
    });
    let state = state.map(|pdu| Value::Object(record.show_state(pdu, requester.viewer(), Format::Client)));
    Ok(Json(json!({
        "start": stream::token(first.position - 1),
        "end": stream::token(last.position),
        "events_before": before.entries.iter().map(show).collect::<Vec<_>>(),
        "event": show(&entry),
        "events_after": after.entries.iter().map(show).collect::<Vec<_>>(),
        "state": state.collect::<Vec<_>>(),
    })))
}
