//! How much a user has not read yet.

use serde_json::{Map, Value, json};

use super::Context;
use crate::error::MatrixError;
use crate::rooms::event::Pdu;
use crate::stream::Position;
use crate::timeline::Timeline;

/// Counting ends here; nobody reads on beyond it because of a number.
const MAX_COUNTED: usize = 500;

impl Context<'_> {
    /// Whether the user has read on since a position, so that the counts have changed.
    pub(super) fn read_since(&self, timeline: &Timeline, since: Position) -> bool {
        timeline.record().read_up_to(&self.requester.user_id).is_some_and(|(_, noted)| noted > since)
    }

    /// Adds the counts of what the default push rules notify of, since the last receipt or the join.
    pub(super) async fn insert_unread(
        &self,
        timeline: &Timeline,
        joined: Position,
        news: &mut Map<String, Value>,
    ) -> Result<(), MatrixError> {
        let read = timeline.record().read_up_to(&self.requester.user_id).map_or(0, |(event, _)| event);
        let unread = timeline.since(&self.server.store, read.max(joined), MAX_COUNTED).await?;
        let (mut notified, mut highlighted) = (0, 0);
        for entry in unread.iter().take_while(|entry| entry.position <= self.until) {
            let highlights = highlights(&entry.pdu, &self.requester.user_id);
            if highlights || notifies(&entry.pdu, &self.requester.user_id) {
                notified += 1;
                highlighted += i32::from(highlights);
            }
        }
        news.insert(
            "unread_notifications".to_owned(),
            json!({"notification_count": notified, "highlight_count": highlighted}),
        );
        Ok(())
    }
}

/// Whether the default rules notify of an event: messages of others, but neither notices nor edits
/// (client-server-api/#predefined-rules).
fn notifies(event: &Pdu, user_id: &str) -> bool {
    let edit = relates_as(event) == Some("m.replace");
    event.sender() != user_id
        && event.state_key().is_none()
        && matches!(event.event_type(), "m.room.message" | "m.room.encrypted")
        && event.content_str("msgtype") != Some("m.notice")
        && !edit
}

/// Whether an event mentions the user.
fn highlights(event: &Pdu, user_id: &str) -> bool {
    let mentioned = event.content("m.mentions").and_then(|mentions| mentions.get("user_ids")?.as_array());
    event.sender() != user_id
        && relates_as(event) != Some("m.replace")
        && mentioned.is_some_and(|users| users.iter().any(|mentioned| mentioned == user_id))
}

fn relates_as(event: &Pdu) -> Option<&str> {
    event.content("m.relates_to")?.get("rel_type")?.as_str()
}
