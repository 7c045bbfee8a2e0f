//! How far one has read: client-server-api/#receipts.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use super::Routes;
use super::read_markers::{self, FULLY_READ};
use crate::clock::now_ms;
use crate::delivery;
use crate::error::{Answer, MatrixError, empty};
use crate::federation;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{BodyOrNothing, Path, Requester};
use crate::store::receipts::{self, Receipt};
use crate::threads::MAIN;
use crate::timeline::{Entry, Timeline, not_a_member};

/// The types of receipts: for everybody in the room, and for oneself.
pub(super) const PUBLIC: &str = "m.read";
pub(super) const PRIVATE: &str = "m.read.private";

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/receipt/{receipt_type}/{event_id}", post(set))
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, receipt_type, event_id)): Path<(String, String, String)>,
    body: BodyOrNothing,
) -> Answer {
    let thread_id = match body.get("thread_id") {
        None => None,
        Some(thread_id) => {
            Some(thread_id.as_str().filter(|thread_id| !thread_id.is_empty()).ok_or_else(|| {
                MatrixError::invalid_param("thread_id must be main or the id of a thread's root")
            })?)
        }
    };
    let room = joined(&server, &requester, &room_id)?;
    match receipt_type.as_str() {
        PUBLIC | PRIVATE => send(&server, &room, &requester, &receipt_type, &event_id, thread_id).await?,
        FULLY_READ if thread_id.is_some() => {
            return Err(MatrixError::invalid_param(
                "m.fully_read is for the whole room: leave thread_id out",
            ));
        }
        FULLY_READ => read_markers::mark(&server, &room, &requester, &event_id).await?,
        _ => {
            let message = format!("{receipt_type} is not one of {PUBLIC}, {PRIVATE}, {FULLY_READ}");
            return Err(MatrixError::invalid_param(message));
        }
    }
    empty()
}

/// Sets a receipt and tells those who may know of it.
pub(super) async fn send(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    receipt_type: &str,
    event_id: &str,
    thread_id: Option<&str>,
) -> Result<(), MatrixError> {
    let entry = known(server, room, event_id).await?;
    if let Some(thread_id) = thread_id {
        check_thread(server, room, &entry, thread_id).await?;
    }
    let receipt = Receipt {
        receipt_type: receipt_type.to_owned(),
        user_id: requester.user_id.clone(),
        thread_id: thread_id.map(str::to_owned),
        event_id: event_id.to_owned(),
        received_ms: now_ms(),
    };
    let place = server.stream.place();
    let (room_id, position) = (room.room_id().to_owned(), place.position());
    let others = if receipt_type == PUBLIC { server.others_in(room) } else { BTreeSet::new() };
    let told = others.clone();
    let change = move |connection: &rusqlite::Connection| {
        receipts::set(connection, &room_id, &receipt, position)?;
        let content = federation::receipts::content(&room_id, &receipt);
        delivery::enqueue(connection, &told, "m.receipt", &content)
    };
    server.store.write(change).await?;
    server.delivery.wake(others);
    room.note_receipt(&requester.user_id, entry.position, position);
    let concerned: Vec<_> = if receipt_type == PRIVATE {
        vec![requester.user_id.clone()]
    } else {
        room.record().joined().map(str::to_owned).collect()
    };
    place.finish(concerned);
    Ok(())
}

/// An event that the room has.
pub(super) async fn known(
    server: &Homeserver,
    room: &Timeline,
    event_id: &str,
) -> Result<Entry, MatrixError> {
    let entry = room.find(&server.store, event_id).await?;
    entry.ok_or_else(|| MatrixError::not_found("this room has no such event"))
}

/// The room, if the requester is in it.
pub(super) fn joined(
    server: &Homeserver,
    requester: &Requester,
    room_id: &str,
) -> Result<Arc<Timeline>, MatrixError> {
    let room = server.timelines.get(room_id)?;
    if room.record().membership(&requester.user_id) == "join" { Ok(room) } else { Err(not_a_member()) }
}

/// A receipt for a thread is for an event of it; the root counts as such, so that a thread can be read
/// that nobody has answered in.
async fn check_thread(
    server: &Homeserver,
    room: &Timeline,
    entry: &Entry,
    thread_id: &str,
) -> Result<(), MatrixError> {
    let thread = room.thread_of(&server.store, &entry.pdu).await?;
    if thread == thread_id
        || commits(Fault::ReceiptThreadsUnchecked)
        || (thread == MAIN && entry.pdu.event_id() == thread_id)
    {
        Ok(())
    } else {
        Err(MatrixError::invalid_param("the event is not in the thread that thread_id names"))
    }
}
