//! Rooms shared with somebody: client-server-api/#mutual-rooms.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use protocol::identifiers::UserId;
use serde_json::json;

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Query, Requester};

/// Rooms in one answer.
const PAGE: usize = 100;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v1/mutual_rooms", get(mutual_rooms))
}

async fn mutual_rooms(State(server): State<Arc<Homeserver>>, requester: Requester, query: Query) -> Answer {
    let user_id = query.required("user_id")?;
    UserId::parse(user_id).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    if user_id == requester.user_id {
        return Err(MatrixError::invalid_param("user_id must be somebody else"));
    }
    // A token is the last room of the page before it, so that it stays good whatever is joined or left.
    let from = query.text("from").unwrap_or_default();
    if !from.is_empty() && !from.starts_with('!') {
        return Err(MatrixError::invalid_param("from must be a token that this server gave out"));
    }
    let shared = server.timelines.shared_rooms(&requester.user_id, user_id);
    let page: Vec<_> = shared.iter().filter(|room_id| room_id.as_str() > from).take(PAGE).collect();
    let mut answer = json!({"joined": page, "count": shared.len()});
    if page.last().is_some_and(|last| Some(*last) != shared.last()) {
        answer["next_batch"] = json!(page.last());
    }
    Ok(Json(answer))
}
