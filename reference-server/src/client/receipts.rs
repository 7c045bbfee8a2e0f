//! How far one has read: client-server-api/#receipts, #read-and-unread-markers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::json;

use super::Routes;
use super::account_data::keep;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::request::{Body, BodyOrNothing, Fields, Path, Requester};
use crate::store::account_data::AccountData;
use crate::store::receipts::{self, Receipt};
use crate::timeline::{Timeline, not_a_member};

/// The types of receipts, and the marker that can be set like one.
const PUBLIC: &str = "m.read";
const PRIVATE: &str = "m.read.private";
const FULLY_READ: &str = "m.fully_read";

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/rooms/{room_id}/receipt/{receipt_type}/{event_id}", post(receipt))
        .route("/_matrix/client/v3/rooms/{room_id}/read_markers", post(read_markers))
}

async fn receipt(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, receipt_type, event_id)): Path<(String, String, String)>,
    body: BodyOrNothing,
) -> Answer {
    let thread_id = body.optional_text("thread_id")?.map(str::to_owned);
    let room = joined(&server, &requester, &room_id)?;
    match receipt_type.as_str() {
        PUBLIC | PRIVATE => {
            if thread_id.as_deref() == Some("") {
                return Err(MatrixError::invalid_param("thread_id must be main or the id of a thread's root"));
            }
            set(&server, &room, &requester, &receipt_type, &event_id, thread_id).await?;
        }
        FULLY_READ if thread_id.is_some() => {
            return Err(MatrixError::invalid_param("m.fully_read is for the whole room: leave thread_id out"));
        }
        FULLY_READ => mark_fully_read(&server, &room, &requester, &event_id).await?,
        _ => {
            let message = format!("{receipt_type} is not one of {PUBLIC}, {PRIVATE}, {FULLY_READ}");
            return Err(MatrixError::invalid_param(message));
        }
    }
    empty()
}

async fn read_markers(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let room = joined(&server, &requester, &room_id)?;
    let [fully, public, private] =
        [body.optional_text(FULLY_READ)?, body.optional_text(PUBLIC)?, body.optional_text(PRIVATE)?];
    if let Some(event_id) = fully {
        mark_fully_read(&server, &room, &requester, event_id).await?;
    }
    for (receipt_type, event_id) in [(PUBLIC, public), (PRIVATE, private)] {
        if let Some(event_id) = event_id {
            set(&server, &room, &requester, receipt_type, event_id, None).await?;
        }
    }
    empty()
}

async fn set(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    receipt_type: &str,
    event_id: &str,
    thread_id: Option<String>,
) -> Result<(), MatrixError> {
    let entry = room.find(&server.store, event_id).await?;
    let entry = entry.ok_or_else(|| MatrixError::not_found("this room has no such event"))?;
    let receipt = Receipt {
        receipt_type: receipt_type.to_owned(),
        user_id: requester.user_id.clone(),
        thread_id,
        event_id: event_id.to_owned(),
        received_ms: now_ms(),
    };
    let place = server.stream.place();
    let (room_id, position) = (room.room_id().to_owned(), place.position());
    server.store.write(move |c| receipts::set(c, &room_id, &receipt, position)).await?;
    room.note_receipt(&requester.user_id, entry.position, position);
    let concerned: Vec<_> = if receipt_type == PRIVATE {
        vec![requester.user_id.clone()]
    } else {
        room.record().joined().map(str::to_owned).collect()
    };
    place.finish(concerned);
    Ok(())
}

async fn mark_fully_read(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    event_id: &str,
) -> Result<(), MatrixError> {
    let data = AccountData {
        room_id: room.room_id().to_owned(),
        event_type: FULLY_READ.to_owned(),
        content: json!({"event_id": event_id}),
    };
    keep(server, requester.user_id.clone(), data).await
}

fn joined(server: &Homeserver, requester: &Requester, room_id: &str) -> Result<Arc<Timeline>, MatrixError> {
    let room = server.timelines.get(room_id)?;
    if room.record().membership(&requester.user_id) == "join" { Ok(room) } else { Err(not_a_member()) }
}
