//! The event nearest to a time: client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use super::getting_events::{MAX_LIMIT, Reader};
use crate::error::{Answer, MatrixError};
use crate::federation::retrieving_events as federation;
use crate::filter::EventFilter;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query, Requester};
use crate::stream::{self, Position};
use crate::timeline::Entry;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v1/rooms/{room_id}/timestamp_to_event", get(by_timestamp))
}

async fn by_timestamp(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    query: Query,
) -> Answer {
    for name in ["ts", "dir"] {
        query.required(name)?;
    }
    let wanted_ms: i64 = query.number("ts")?.unwrap_or_default();
    let backwards = query.one_of("dir", &["b", "f"])?
        == Some(if commits(Fault::TimestampDirectionReversed) { "f" } else { "b" });
    let room = server.timelines.get(&room_id)?;
    room.record().readable_until(&requester.user_id)?;
    let filter = EventFilter::default();
    let reader = Reader { server: &server, room: &room, requester: &requester, filter: &filter };
    let mut from = if backwards { Position::MAX } else { stream::BEGINNING };
    loop {
        let page = if backwards {
            reader.back(from, Position::MIN, MAX_LIMIT).await?
        } else {
            reader.forth(from, Position::MAX, MAX_LIMIT).await?
        };
        let there = |entry: &&Entry| {
            let sent_ms = entry.pdu.origin_server_ts();
            if backwards { sent_ms <= wanted_ms } else { sent_ms >= wanted_ms }
        };
        if let Some(Entry { pdu, .. }) = page.entries.iter().find(there) {
            return Ok(Json(json!({"event_id": pdu.event_id(), "origin_server_ts": pdu.origin_server_ts()})));
        }
        let Some(next) = page.end else { break };
        from = next;
    }
    // What lies before the beginning here may lie elsewhere.
    let told = federation::nearest_elsewhere(&server, &room, wanted_ms, backwards).await?;
    let told = told.ok_or_else(|| MatrixError::not_found("no event lies in this direction"))?;
    Ok(Json(json!({"event_id": told.0, "origin_server_ts": told.1})))
}
