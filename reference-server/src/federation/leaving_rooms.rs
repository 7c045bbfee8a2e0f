//! Leaving rooms and turning invitations down from afar: server-server-api/#leaving-rooms-rejecting-invites.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::identifiers::server_name_of;
use serde_json::{Map, Value, json};

use super::handshakes::{Handshake, asked, completed, propose, take};
use super::request_authentication::Signed;
use super::requests::PeerError;
use super::retrieving_events::resident;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::Path;
use crate::rooms::event::{Pdu, Template};
use crate::rooms::state::StateLookup;
use crate::timeline::Timeline;

/// Proposes a leave.
pub(super) async fn make_leave(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, user_id)): Path<(String, String)>,
    signed: Signed,
) -> Answer {
    let handshake = Handshake { membership: "leave", room_id: &room_id, user_id: &user_id };
    let room = asked(&server, handshake, None, &signed.origin)?;
    propose(&server, &room, handshake, Map::new())
}

/// Takes a completed leave.
pub(super) async fn send_leave(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, event_id)): Path<(String, String)>,
    signed: Signed,
) -> Answer {
    let room = resident(&server, &room_id, &signed.origin)?;
    let leave = completed(&server, &room, &event_id, "leave", &signed).await?;
    take(&server, &room, leave, &signed.origin).await?;
    Ok(Json(json!({})))
}

/// Turns an invitation to, or takes a knock on, a room back that this server is not in. If nobody there can be told, the
/// user has left all the same, as far as this server is concerned.
pub(crate) async fn leave(
    server: &Homeserver,
    room: &Arc<Timeline>,
    user_id: &str,
    content: Map<String, Value>,
) -> Result<(), MatrixError> {
    let handshake = Handshake { membership: "leave", room_id: room.room_id(), user_id };
    for resident in candidates(server, room, user_id) {
        match leave_through(server, handshake, &content, &resident).await {
            Ok(leave) => return room.glimpse(server, leave?, Vec::new()).await,
            Err(error) => tracing::info!("{resident} does not help to leave: {error}"),
        }
    }
    let template = Template {
        event_type: "m.room.member".to_owned(),
        state_key: Some(user_id.to_owned()),
        sender: user_id.to_owned(),
        content,
    };
    room.glimpse(server, room.unfounded(server, template)?, Vec::new()).await
}

async fn leave_through(
    server: &Homeserver,
    handshake: Handshake<'_>,
    content: &Map<String, Value>,
    resident: &str,
) -> Result<Result<Pdu, MatrixError>, PeerError> {
    let (template, version) = handshake.make(server, resident).await?;
    let leave = match handshake.complete(server, template, version, content.clone()) {
        Ok(leave) => leave,
        Err(error) => return Ok(Err(error)),
    };
    handshake.send(server, resident, &leave).await?;
    Ok(Ok(leave))
}

/// The servers that are likely to be in the room: that of whoever invited, that of the room id where it has one, and
/// those that the state speaks of which came with the invitation or after the knock.
fn candidates(server: &Homeserver, room: &Timeline, user_id: &str) -> Vec<String> {
    let record = room.record();
    let state = record.history.now();
    let member = state.find("m.room.member", user_id);
    let inviter = member.and_then(|member| server_name_of(member.sender()));
    let told = record.stripped_for(user_id).unwrap_or_default();
    let senders = told.iter().filter_map(|event| server_name_of(event.get("sender")?.as_str()?));
    let mut candidates: Vec<String> = Vec::new();
    for name in inviter.into_iter().chain(server_name_of(room.room_id())).chain(senders) {
        if name != server.name() && !candidates.iter().any(|other| other == name) {
            candidates.push(name.to_owned());
        }
    }
    candidates
}
