//! Asking to be let in, from both sides: server-server-api/#knocking-rooms.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::handshakes::{Handshake, asked, completed, nobody_to_ask, propose, take, worse};
use super::inviting::{stripped_for, stripped_from};
use super::request_authentication::Signed;
use super::retrieving_events::resident;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Path, Query};

/// Proposes a knock.
pub(super) async fn make_knock(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, user_id)): Path<(String, String)>,
    query: Query,
    signed: Signed,
) -> Answer {
    let handshake = Handshake { membership: "knock", room_id: &room_id, user_id: &user_id };
    let room = asked(&server, handshake, Some(&query), &signed.origin)?;
    propose(&server, &room, handshake, Map::new())
}

/// Takes a completed knock, and answers with what whoever knocks may know of the room.
pub(super) async fn send_knock(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, event_id)): Path<(String, String)>,
    signed: Signed,
) -> Answer {
    let room = resident(&server, &room_id, &signed.origin)?;
    let knock = completed(&server, &room, &event_id, "knock", &signed).await?;
    take(&server, &room, knock, &signed.origin).await?;
    let told = stripped_for(&room.record());
    Ok(Json(json!({"knock_room_state": told})))
}

/// Knocks on a room through other servers, which are asked one after the other.
pub(crate) async fn knock(
    server: &Homeserver,
    room_id: &str,
    user_id: &str,
    content: Map<String, Value>,
    through: &[String],
) -> Result<(), MatrixError> {
    let handshake = Handshake { membership: "knock", room_id, user_id };
    let mut last = None;
    for resident in through {
        let (template, version) = match handshake.make(server, resident).await {
            Ok(made) => made,
            Err(error) => {
                last = Some(worse(last, error));
                continue;
            }
        };
        let knock = handshake.complete(server, template, version, content.clone())?;
        match handshake.send(server, resident, &knock).await {
            Ok(answer) => {
                let told =
                    answer.get("knock_room_state").and_then(Value::as_array).cloned().unwrap_or_default();
                let room = server.timelines.open(room_id, version);
                return room.glimpse(server, knock, stripped_from(&told)).await;
            }
            Err(error) => last = Some(worse(last, error)),
        }
    }
    Err(last.map_or_else(nobody_to_ask, MatrixError::from))
}
