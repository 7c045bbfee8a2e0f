//! Saying and asking how users are: client-server-api/#presence.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::presence::{self, State as Presence};
use crate::request::{Body, Fields, Path, Requester};
use crate::store::accounts;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/presence/{user_id}/status", get(find).put(set))
}

async fn find(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(user_id): Path<String>,
) -> Answer {
    if requester.user_id != user_id && !server.timelines.share_a_room(&requester.user_id, &user_id) {
        return Err(MatrixError::forbidden("you share no room with this user"));
    }
    if let Some(content) = server.presences.content(&user_id) {
        return Ok(Json(Value::Object(content)));
    }
    match server.store.read(move |connection| accounts::find(connection, &user_id)).await? {
        Some(_) => Ok(Json(json!({"presence": "offline"}))),
        None => Err(MatrixError::not_found("this server knows no such user")),
    }
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(user_id): Path<String>,
    body: Body,
) -> Answer {
    requester.must_be(&user_id)?;
    let state = body
        .one_of("presence", &Presence::NAMES)?
        .ok_or_else(|| MatrixError::missing_param("add the field presence"))?;
    let message =
        body.optional_text("status_msg")?.filter(|_| !commits(Fault::StatusMessagesLost)).map(str::to_owned);
    presence::set(&server, &user_id, Presence::named(state), message);
    empty()
}
