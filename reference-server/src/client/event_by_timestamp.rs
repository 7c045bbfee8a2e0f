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
use crate::timeline::{Entry, Timeline};

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
    let here = nearest_here(&server, &room, &requester, wanted_ms, backwards).await?;
    // What lies before the first event here may lie elsewhere, and nearer.
    let elsewhere = match here {
        Some(Nearest { is_first: false, .. }) => None,
        _ => federation::nearest_elsewhere(&server, &room, wanted_ms, backwards).await?,
    };
    let here = here.map(|nearest| (nearest.event_id, nearest.sent_ms));
    let nearest = here.into_iter().chain(elsewhere).min_by_key(|(_, sent_ms)| sent_ms.abs_diff(wanted_ms));
    let (event_id, sent_ms) =
        nearest.ok_or_else(|| MatrixError::not_found("no event lies in this direction"))?;
    Ok(Json(json!({"event_id": event_id, "origin_server_ts": sent_ms})))
}

/// An event that this server has.
struct Nearest {
    event_id: String,
    /// In milliseconds since the Unix epoch.
    sent_ms: i64,
    /// Whether it is the first that this server has of the room.
    is_first: bool,
}

/// The event here that is next to a moment, of those that the user may see.
async fn nearest_here(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    wanted_ms: i64,
    backwards: bool,
) -> Result<Option<Nearest>, MatrixError> {
    let filter = EventFilter::default();
    let reader = Reader { server, room, requester, filter: &filter };
    let start = if backwards { Position::MAX } else { stream::BEGINNING };
    let mut from = start;
    loop {
        let page = if backwards {
            reader.back(from, Position::MIN, MAX_LIMIT).await?
        } else {
            reader.forth(from, Position::MAX, MAX_LIMIT).await?
        };
        let there = |entry: &Entry| {
            let sent_ms = entry.pdu.origin_server_ts();
            if backwards { sent_ms <= wanted_ms } else { sent_ms >= wanted_ms }
        };
        if let Some(index) = page.entries.iter().position(there) {
            let pdu = &page.entries[index].pdu;
            return Ok(Some(Nearest {
                event_id: pdu.event_id().to_owned(),
                sent_ms: pdu.origin_server_ts(),
                is_first: !backwards && from == start && index == 0,
            }));
        }
        let Some(next) = page.end else { return Ok(None) };
        from = next;
    }
}
