//! What passes: typing notices and receipts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Context;
use crate::error::MatrixError;
use crate::misbehave::{Fault, commits};
use crate::rooms::state::StateLookup;
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
        if filter.admits_type("m.typing") && !commits(Fault::TypingNotTold) {
            events.extend(self.typing(timeline, since));
        }
        if !commits(Fault::ReceiptsNotTold)
            && filter.admits_type("m.receipt")
            && timeline.record().last_receipt > since
        {
            let (room_id, until) = (timeline.room_id().to_owned(), self.until);
            let changed =
                self.server.store.read(move |c| receipts::changed(c, &room_id, since, until)).await?;
            events.extend(self.receipts(changed));
        }
        Ok(events)
    }

    fn typing(&self, timeline: &Timeline, since: Position) -> Option<Value> {
        let mut users = self.server.typing.changed(timeline.room_id(), since, self.until)?;
        let record = timeline.record();
        let state = record.history.at(self.until);
        users.retain(|user_id| state.membership(user_id) == "join" && !self.is_ignored(user_id));
        // To a client that knows nothing of the room, that nobody types is no news.
        (since > 0 || !users.is_empty()).then(|| json!({"type": "m.typing", "content": {"user_ids": users}}))
    }

    /// One event for each thread, because a reader can have one entry for each event in it, and for
    /// an event that was read for the whole room and for its thread there are two.
    fn receipts(&self, changed: Vec<Receipt>) -> impl Iterator<Item = Value> {
        let user_id = &self.requester.user_id;
        let mut threads: BTreeMap<Option<String>, Value> = BTreeMap::new();
        for receipt in changed {
            let own = receipt.user_id == *user_id;
            if !own
                && ((receipt.receipt_type == "m.read.private" && !commits(Fault::PrivateReceiptsShown))
                    || self.is_ignored(&receipt.user_id))
            {
                continue;
            }
            let mut says = json!({"ts": receipt.received_ms});
            if let Some(thread_id) =
                receipt.thread_id.as_ref().filter(|_| !commits(Fault::ReceiptsWithoutThread))
            {
                says["thread_id"] = thread_id.as_str().into();
            }
            let content = threads.entry(receipt.thread_id).or_insert_with(|| json!({}));
            content[receipt.event_id][receipt.receipt_type][receipt.user_id] = says;
        }
        threads.into_values().map(|content| json!({"type": "m.receipt", "content": content}))
    }
}
