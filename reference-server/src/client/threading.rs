//! The threads of a room: client-server-api/#threading.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query, Requester};
use crate::stream::{self, Position};
use crate::timeline::Format;

/// Threads when the client names no number, and at most.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v1/rooms/{room_id}/threads", get(threads))
}

async fn threads(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    query: Query,
) -> Answer {
    let participated = query.one_of("include", &["all", "participated"])? == Some("participated")
        && !commits(Fault::ParticipationIgnored);
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let from = query.position("from")?.unwrap_or(Position::MAX);
    let room = server.timelines.get(&room_id)?;
    let threads = {
        let record = room.record();
        record.readable_until(&requester.user_id)?;
        record.threads(&requester.user_id)
    };
    let mut chunk = Vec::new();
    let mut end = None;
    let mut last = from;
    for thread in threads.into_iter().filter(|thread| thread.last <= from) {
        let Some(root) = room.find(&server.store, &thread.root).await? else { continue };
        let record = room.record();
        let takes_part = thread.participated || root.pdu.sender() == requester.user_id;
        if !record.may_see(&root, &requester.user_id) || (participated && !takes_part) {
            continue;
        }
        if chunk.len() == limit {
            end = Some(last - 1);
            break;
        }
        last = thread.last;
        chunk.push(Value::Object(record.show(&root, requester.viewer(), Format::Client)));
    }
    let mut answer = json!({"chunk": chunk});
    if let Some(end) = end {
        answer["next_batch"] = stream::token(end).into();
    }
    Ok(Json(answer))
}
