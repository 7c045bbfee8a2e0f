//! What clients keep for their user: client-server-api/#client-config.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use protocol::identifiers::RoomId;
use serde_json::Value;

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Path, Requester};
use crate::store::account_data::{self, AccountData, GLOBAL};

/// Types that have operations of their own.
const SERVER_MANAGED: [&str; 2] = ["m.fully_read", "m.push_rules"];

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/user/{user_id}/account_data/{type}", get(get_global).put(set_global))
        .route(
            "/_matrix/client/v3/user/{user_id}/rooms/{room_id}/account_data/{type}",
            get(get_in_room).put(set_in_room),
        )
}

async fn get_global(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, event_type)): Path<(String, String)>,
) -> Answer {
    requester.must_be(&user_id)?;
    find(&server, user_id, GLOBAL.to_owned(), event_type).await
}

async fn get_in_room(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, room_id, event_type)): Path<(String, String, String)>,
) -> Answer {
    requester.must_be(&user_id)?;
    check_room_id(&room_id)?;
    find(&server, user_id, room_id, event_type).await
}

async fn set_global(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, event_type)): Path<(String, String)>,
    Body(content): Body,
) -> Answer {
    requester.must_be(&user_id)?;
    check_type(&event_type)?;
    keep(&server, user_id, AccountData { room_id: GLOBAL.to_owned(), event_type, content: content.into() })
        .await?;
    empty()
}

async fn set_in_room(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, room_id, event_type)): Path<(String, String, String)>,
    Body(content): Body,
) -> Answer {
    requester.must_be(&user_id)?;
    check_room_id(&room_id)?;
    check_type(&event_type)?;
    keep(&server, user_id, AccountData { room_id, event_type, content: content.into() }).await?;
    empty()
}

/// Keeps a piece of account data and tells the user's other clients.
pub(super) async fn keep(server: &Homeserver, user_id: String, data: AccountData) -> Result<(), MatrixError> {
    let place = server.stream.place();
    let position = place.position();
    let owner = user_id.clone();
    server.store.write(move |c| account_data::set(c, &owner, &data, position)).await?;
    place.finish([user_id]);
    Ok(())
}

async fn find(server: &Homeserver, user_id: String, room_id: String, event_type: String) -> Answer {
    let content: Option<Value> =
        server.store.read(move |c| account_data::get(c, &user_id, &room_id, &event_type)).await?;
    content.map(Json).ok_or_else(|| MatrixError::not_found("no account data of this type was ever set"))
}

fn check_type(event_type: &str) -> Result<(), MatrixError> {
    if SERVER_MANAGED.contains(&event_type) && !commits(Fault::AccountDataOfServerWritable) {
        let message = format!("{event_type} is managed by the server: use its own operations");
        return Err(MatrixError::bad_json(message).status(StatusCode::METHOD_NOT_ALLOWED));
    }
    Ok(())
}

fn check_room_id(room_id: &str) -> Result<(), MatrixError> {
    match RoomId::parse(room_id) {
        Ok(_) => Ok(()),
        Err(error) => Err(MatrixError::invalid_param(error.to_string())),
    }
}
