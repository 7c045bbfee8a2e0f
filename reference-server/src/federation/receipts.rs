//! How far users elsewhere have read, and telling others of users here: server-server-api/#receipts.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::Object;
use serde_json::{Value, json};

use super::pdus::is_of;
use super::server_acls;
use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::store::receipts::{self, Receipt};
use crate::timeline::Timeline;

/// Users have read something.
pub(super) async fn receive(
    server: &Arc<Homeserver>,
    origin: &str,
    content: &Object,
) -> Result<(), MatrixError> {
    for (room_id, by_type) in content {
        let Some(room) = server.timelines.find(room_id) else { continue };
        if !server_acls::admits(&room.record().history.now(), origin) {
            continue;
        }
        let read = by_type.get("m.read").and_then(Value::as_object);
        for (user_id, receipt) in read.into_iter().flatten() {
            if is_of(user_id, origin) && room.record().membership(user_id) == "join" {
                take(server, &room, user_id, receipt).await?;
            }
        }
    }
    Ok(())
}

async fn take(
    server: &Homeserver,
    room: &Timeline,
    user_id: &str,
    receipt: &Value,
) -> Result<(), MatrixError> {
    let event_ids = receipt.get("event_ids").and_then(Value::as_array).into_iter().flatten();
    let data = receipt.get("data");
    let Some(event_id) = event_ids.filter_map(Value::as_str).next_back() else { return Ok(()) };
    let Some(entry) = room.find(&server.store, event_id).await? else { return Ok(()) };
    let receipt = Receipt {
        receipt_type: "m.read".to_owned(),
        user_id: user_id.to_owned(),
        thread_id: data.and_then(|data| data.get("thread_id")?.as_str()).map(str::to_owned),
        event_id: event_id.to_owned(),
        received_ms: data.and_then(|data| data.get("ts")?.as_i64()).unwrap_or_else(now_ms),
    };
    let place = server.stream.place();
    let (room_id, position) = (room.room_id().to_owned(), place.position());
    server.store.write(move |c| receipts::set(c, &room_id, &receipt, position)).await?;
    room.note_receipt(user_id, entry.position, position);
    let joined: BTreeSet<_> = room.record().joined().map(str::to_owned).collect();
    place.finish(joined);
    Ok(())
}

/// A public receipt as others are told of it.
pub(crate) fn content(room_id: &str, receipt: &Receipt) -> Value {
    let mut data = json!({"ts": receipt.received_ms});
    if let Some(thread_id) = &receipt.thread_id {
        data["thread_id"] = thread_id.as_str().into();
    }
    let user_id = &receipt.user_id;
    json!({room_id: {"m.read": {user_id: {"data": data, "event_ids": [receipt.event_id]}}}})
}
