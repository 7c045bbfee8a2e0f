//! Who is in which room, and what member events say: client-server-api/#room-membership.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Requester;
use crate::rooms::event::Template;
use crate::store::profiles;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/joined_rooms", get(joined_rooms))
}

async fn joined_rooms(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    let rooms = server.timelines.of_user(&requester.user_id);
    let joined = rooms.iter().filter(|room| room.record().membership(&requester.user_id) == "join");
    Ok(Json(json!({"joined_rooms": joined.map(|room| room.room_id()).collect::<Vec<_>>()})))
}

/// The content of a member event with what the profile says about the user.
pub(super) async fn member_content(
    server: &Homeserver,
    user_id: &str,
    membership: &str,
    reason: Option<&str>,
) -> Result<Map<String, Value>, MatrixError> {
    let mut content = plain_content(membership, reason);
    let user_id = user_id.to_owned();
    let profile = server.store.read(move |connection| profiles::all(connection, &user_id)).await?;
    for (name, value) in profile {
        if matches!(name.as_str(), "displayname" | "avatar_url") {
            content.insert(name, value);
        }
    }
    Ok(content)
}

/// The content of a member event that says nothing of the user.
pub(super) fn plain_content(membership: &str, reason: Option<&str>) -> Map<String, Value> {
    let mut content = Map::new();
    content.insert("membership".to_owned(), membership.into());
    if let Some(reason) = reason.filter(|_| !commits(Fault::ReasonsLost)) {
        content.insert("reason".to_owned(), reason.into());
    }
    content
}

/// A member event by this sender.
pub(super) fn member(sender: &str, user_id: &str, content: Map<String, Value>) -> Template {
    Template {
        event_type: "m.room.member".to_owned(),
        state_key: Some(user_id.to_owned()),
        sender: sender.to_owned(),
        content,
    }
}

/// The refusal for rooms that cannot be entered because they are not known.
pub(super) fn unknown_room() -> MatrixError {
    MatrixError::not_found("this server knows no such room")
}
