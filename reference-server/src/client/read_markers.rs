//! Where all is read before: client-server-api/#read-and-unread-markers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::json;

use super::Routes;
use super::account_data::keep;
use super::receipts::{self, PRIVATE, PUBLIC};
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path, Requester};
use crate::store::account_data::AccountData;
use crate::timeline::Timeline;

/// The marker: account data of the room that only this server sets.
pub(super) const FULLY_READ: &str = "m.fully_read";

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/read_markers", post(set))
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let room = receipts::joined(&server, &requester, &room_id)?;
    let [marker, public, private] =
        [body.optional_text(FULLY_READ)?, body.optional_text(PUBLIC)?, body.optional_text(PRIVATE)?];
    // All or none: what can not be marked is found before anything is.
    for event_id in [marker, public, private].into_iter().flatten() {
        receipts::known(&server, &room, event_id).await?;
    }
    if let Some(event_id) = marker.filter(|_| !commits(Fault::FullyReadNotKept)) {
        mark(&server, &room, &requester, event_id).await?;
    }
    for (receipt_type, event_id) in [(PUBLIC, public), (PRIVATE, private)] {
        if let Some(event_id) = event_id.filter(|_| !commits(Fault::ReadMarkersWithoutReceipts)) {
            receipts::send(&server, &room, &requester, receipt_type, event_id, None).await?;
        }
    }
    empty()
}

/// Puts the marker at an event of the room.
pub(super) async fn mark(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    event_id: &str,
) -> Result<(), MatrixError> {
    receipts::known(server, room, event_id).await?;
    let data = AccountData {
        room_id: room.room_id().to_owned(),
        event_type: FULLY_READ.to_owned(),
        content: json!({"event_id": event_id}),
    };
    keep(server, requester.user_id.clone(), data).await
}
