//! What passes: typing notices and receipts.

use serde_json::{Map, Value, json};

use super::Context;
use crate::error::MatrixError;
use crate::store::receipts::{self, Receipt};
use crate::stream::Position;
use crate::timeline::Timeline;

impl Context<'_> {
    /// The ephemeral events of a room since a position.
    pub(super) async fn ephemeral(
        &self,
        timeline: &Timeline,
        since: Position,
    ) -> Result<Vec<Value>, MatrixError> {
        let filter = &self.question.filter.room.ephemeral;
        let mut events = Vec::new();
        if !filter.admits_room(timeline.room_id()) {
            return Ok(events);
        }
        if filter.admits_type("m.typing")
            && let Some(mut users) = self.server.typing.changed(timeline.room_id(), since, self.until)
        {
            users.retain(|user_id| !self.is_ignored(Some(user_id)));
            // To a client that knows nothing of the room, that nobody types is no news.
            if since > 0 || !users.is_empty() {
                events.push(json!({"type": "m.typing", "content": {"user_ids": users}}));
            }
        }
        if filter.admits_type("m.receipt") && timeline.record().last_receipt > since {
            let (room_id, until) = (timeline.room_id().to_owned(), self.until);
            let changed =
                self.server.store.read(move |c| receipts::changed(c, &room_id, since, until)).await?;
            let content = receipt_content(changed, &self.requester.user_id);
            if !content.is_empty() {
                events.push(json!({"type": "m.receipt", "content": content}));
            }
        }
        Ok(events)
    }
}

/// The content of one `m.receipt` event; private receipts are for their owner only.
///
/// A reader has one entry for each event in it. Where a receipt for the whole room and one for a thread
/// meet on an event, the one for the whole room says more.
fn receipt_content(mut changed: Vec<Receipt>, user_id: &str) -> Map<String, Value> {
    changed.sort_by_key(|receipt| receipt.thread_id.is_none());
    let mut content = json!({});
    for receipt in changed {
        if receipt.receipt_type == "m.read.private" && receipt.user_id != user_id {
            continue;
        }
        let mut says = json!({"ts": receipt.received_ms});
        if let Some(thread_id) = receipt.thread_id {
            says["thread_id"] = thread_id.into();
        }
        content[receipt.event_id][receipt.receipt_type][receipt.user_id] = says;
    }
    match content {
        Value::Object(content) => content,
        _ => Map::new(),
    }
}
