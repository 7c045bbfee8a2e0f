//! Which thread an event belongs to: client-server-api/#threaded-read-receipts.

use crate::error::MatrixError;
use crate::rooms::event::Pdu;
use crate::store::Store;
use crate::timeline::Timeline;

/// The name of what is in no thread.
pub(crate) const MAIN: &str = "main";

/// How many relations are followed to find a thread.
const MAX_HOPS: usize = 3;

impl Timeline {
    /// The id of the root of an event's thread, or [`MAIN`].
    pub(crate) async fn thread_of(&self, store: &Store, event: &Pdu) -> Result<String, MatrixError> {
        let mut event = event.clone();
        for _ in 0..=MAX_HOPS {
            let Some((rel_type, parent)) = relation(&event) else { break };
            if rel_type == Some("m.thread") {
                return Ok(parent.to_owned());
            }
            match self.find(store, parent).await? {
                Some(entry) => event = entry.pdu,
                None => break,
            }
        }
        Ok(MAIN.to_owned())
    }
}

/// How an event relates to which other.
fn relation(event: &Pdu) -> Option<(Option<&str>, &str)> {
    let relation = event.content("m.relates_to")?;
    let text = |name: &str| relation.get(name).and_then(serde_json::Value::as_str);
    Some((text("rel_type"), text("event_id")?))
}
