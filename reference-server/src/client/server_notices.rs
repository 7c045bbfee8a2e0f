//! Messages of the operator to single users: client-server-api/#server-notices.
//!
//! How an operator sends one is left to the server. This one takes the request that Synapse takes, so that tools need to know
//! one.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use protocol::identifiers::server_name_of;
use serde_json::{Map, Value, json};

use super::room_creation::found;
use super::room_membership::{member, member_content};
use super::{Routes, tags};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Administrator, Body, Fields, Requester};
use crate::rooms::event::Template;
use crate::store::{StoreError, accounts, server};
use crate::timeline::Timeline;

/// What clients know the room by.
const TAG: &str = "m.server_notice";

pub(super) fn routes() -> Routes {
    Router::new().route("/_synapse/admin/v1/send_server_notice", post(send))
}

/// The user who sends the notices, where any are sent.
pub(crate) fn sender(server: &Homeserver) -> Option<String> {
    server.config.server_notices.as_ref().map(|notices| server.user_id(&notices.localpart))
}

/// Whether this is the room in which the operator talks to the user.
pub(super) async fn is_between(
    server: &Homeserver,
    user_id: &str,
    room_id: &str,
) -> Result<bool, StoreError> {
    Ok(server.config.server_notices.is_some() && room_of(server, user_id).await?.as_deref() == Some(room_id))
}

/// Refuses to let a user turn the invitation down. Who has joined may leave (client-server-api/#server-notices).
pub(super) async fn may_leave(
    server: &Homeserver,
    user_id: &str,
    room_id: &str,
    membership: &str,
) -> Result<(), MatrixError> {
    let rejects = membership == "invite" && !commits(Fault::NoticesRejected);
    if rejects && is_between(server, user_id, room_id).await? {
        let message = "the operator of this server writes to you in this room: join it to read what there is";
        return Err(MatrixError::new(StatusCode::FORBIDDEN, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", message));
    }
    Ok(())
}

async fn send(State(server): State<Arc<Homeserver>>, _: Administrator, body: Body) -> Answer {
    let Some(sender) = sender(&server) else {
        return Err(MatrixError::unrecognized("this server is not configured to send notices"));
    };
    let user_id = recipient(&server, body.text("user_id")?).await?;
    let content = body.object("content")?.clone();
    for name in ["msgtype", "body"] {
        content.text(name)?;
    }
    let is_notice = content.get("msgtype").and_then(Value::as_str) == Some("m.server_notice");
    let sender = Requester::of_the_server(sender);
    let room = room(&server, &sender, &user_id).await?;
    let event_id = room.append(&server, event(&sender, "m.room.message", None, content).into()).await?;
    if is_notice {
        // What is pinned is what applies now.
        let pinned = Map::from_iter([("pinned".to_owned(), json!([event_id]))]);
        room.append(&server, event(&sender, "m.room.pinned_events", Some(""), pinned).into()).await?;
    }
    Ok(Json(json!({"event_id": event_id})))
}

async fn recipient(server: &Homeserver, user_id: &str) -> Result<String, MatrixError> {
    if server_name_of(user_id) != Some(server.name()) {
        return Err(MatrixError::invalid_param("the user must be one of this server"));
    }
    let sought = user_id.to_owned();
    let account = server.store.read(move |connection| accounts::find(connection, &sought)).await?;
    let account = account.filter(|account| !account.deactivated);
    account.map(|account| account.user_id).ok_or_else(|| MatrixError::not_found("there is no such account"))
}

/// The room of the user, who is invited to it and not joined; made at the first notice.
async fn room(server: &Homeserver, sender: &Requester, user_id: &str) -> Result<Arc<Timeline>, MatrixError> {
    if let Some(room) = room_of(server, user_id).await?.and_then(|room_id| server.timelines.find(&room_id)) {
        if room.record().membership(user_id) == "leave" {
            let content = member_content(server, user_id, "invite", None).await?;
            room.append(server, member(&sender.user_id, user_id, content).into()).await?;
        }
        return Ok(room);
    }
    let name = server.config.server_notices.as_ref().map(|notices| notices.name.as_str());
    let order = json!({
        "preset": "private_chat",
        "name": name,
        "invite": [user_id],
        "power_level_content_override": {"invite": 50},
    });
    let Value::Object(order) = order else { return Err(MatrixError::internal("an order is an object")) };
    let room = found(server, sender, &Body(order)).await?;
    tags::add(server, user_id, room.room_id(), TAG).await?;
    let (key, room_id) = (key(user_id), room.room_id().to_owned());
    server.store.write(move |connection| server::set(connection, &key, &room_id)).await?;
    Ok(room)
}

async fn room_of(server: &Homeserver, user_id: &str) -> Result<Option<String>, StoreError> {
    let key = key(user_id);
    server.store.read(move |connection| server::get(connection, &key)).await
}

fn key(user_id: &str) -> String {
    format!("notices to {user_id}")
}

fn event(
    sender: &Requester,
    event_type: &str,
    state_key: Option<&str>,
    content: Map<String, Value>,
) -> Template {
    Template {
        event_type: event_type.to_owned(),
        state_key: state_key.map(str::to_owned),
        sender: sender.user_id.clone(),
        content,
    }
}
