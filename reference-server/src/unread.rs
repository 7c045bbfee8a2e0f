//! How much users have not read: client-server-api/#receiving-notifications.
//!
//! Counts are kept and carried on as events come; they are made anew when the user sends a receipt.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::rooms::event::Pdu;
use crate::rooms::power_levels::PowerLevels;
use crate::store::receipts;
use crate::stream::Position;
use crate::timeline::{Entry, Timeline};

/// Events that are counted at a time.
const BATCH: usize = 200;

/// The counts of all users in all rooms that they were ever asked for in.
#[derive(Debug, Default)]
pub(crate) struct Unread(Mutex<HashMap<(String, String), Count>>);

/// How much a user has not read in a room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    /// By the root of the thread, or `main`.
    pub(crate) threads: BTreeMap<String, Notifications>,
    /// The count takes receipts into account up to this position, and begins with the user's last join.
    from: (Position, Position),
    /// Events are counted up to here.
    until: Position,
    /// How far single threads are read, where that is further than the room is.
    read: HashMap<String, Position>,
}

/// Two of the numbers of a client's badge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Notifications {
    /// Events that notify.
    pub(crate) notified: u64,
    /// Those among them that highlight.
    pub(crate) highlighted: u64,
}

impl std::ops::AddAssign for Notifications {
    fn add_assign(&mut self, other: Self) {
        self.notified += other.notified;
        self.highlighted += other.highlighted;
    }
}

/// What a user who joined at `joined` has not read of a room up to `until`.
pub(crate) async fn count(
    server: &Homeserver,
    timeline: &Timeline,
    user_id: &str,
    joined: Position,
    until: Position,
) -> Result<Count, MatrixError> {
    let key = (timeline.room_id().to_owned(), user_id.to_owned());
    let noted = timeline.record().read_up_to(user_id).map_or(0, |(_, noted)| noted);
    let kept = server.unread.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    let mut count = match kept {
        Some(kept) if kept.from == (noted, joined) => kept,
        _ => Count::begin(server, timeline, user_id, (noted, joined)).await?,
    };
    if count.until >= until {
        return Ok(count);
    }
    'counting: loop {
        let batch = timeline.since(&server.store, count.until, BATCH).await?;
        let exhausted = batch.len() < BATCH;
        for entry in batch {
            if entry.position > until {
                break 'counting;
            }
            count.add(server, timeline, user_id, &entry).await?;
        }
        if exhausted {
            break;
        }
    }
    server.unread.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, count.clone());
    Ok(count)
}

impl Count {
    /// All threads together.
    pub(crate) fn total(&self) -> Notifications {
        let mut total = Notifications::default();
        self.threads.values().for_each(|thread| total += *thread);
        total
    }

    async fn begin(
        server: &Homeserver,
        timeline: &Timeline,
        user_id: &str,
        from: (Position, Position),
    ) -> Result<Self, MatrixError> {
        let (room_id, user_id) = (timeline.room_id().to_owned(), user_id.to_owned());
        let receipts = server.store.read(move |c| receipts::of_user(c, &room_id, &user_id)).await?;
        let mut count = Self { from, until: from.1, ..Self::default() };
        for (thread_id, position) in receipts {
            let read = match thread_id {
                None => &mut count.until,
                Some(thread_id) => count.read.entry(thread_id).or_default(),
            };
            *read = position.max(*read);
        }
        Ok(count)
    }

    /// Counts the next event. Sending is reading: one's own event ends what was unread in its thread.
    async fn add(
        &mut self,
        server: &Homeserver,
        timeline: &Timeline,
        user_id: &str,
        entry: &Entry,
    ) -> Result<(), MatrixError> {
        self.until = entry.position;
        let own = entry.pdu.sender() == user_id;
        let highlights = match notification(timeline, entry, user_id) {
            None if !own => return Ok(()),
            tweak => tweak.unwrap_or(false),
        };
        let thread = timeline.thread_of(&server.store, &entry.pdu).await?;
        if own {
            self.threads.remove(&thread);
        } else if self.read.get(&thread).is_none_or(|read| *read < entry.position) {
            let one = Notifications { notified: 1, highlighted: u64::from(highlights) };
            *self.threads.entry(thread).or_default() += one;
        }
        Ok(())
    }
}

/// What the server's default push rules, in their order, say of an event in a room that the user has
/// joined: nothing, or whether it highlights (client-server-api/#predefined-rules).
fn notification(timeline: &Timeline, entry: &Entry, user_id: &str) -> Option<bool> {
    let event = &entry.pdu;
    let mentions = |name: &str| event.content("m.mentions").and_then(|mentions| mentions.get(name));
    let mentioned = mentions("user_ids").and_then(|users| users.as_array());
    if event.content_str("msgtype") == Some("m.notice") || event.event_type() == "m.room.member" {
        None
    } else if mentioned.is_some_and(|users| users.iter().any(|mentioned| mentioned == user_id))
        || (mentions("room").and_then(serde_json::Value::as_bool) == Some(true)
            && may_notify_room(timeline, entry))
        || event.is_state("m.room.tombstone", "")
    {
        Some(true)
    } else if is_edit(event) {
        None
    } else {
        matches!(event.event_type(), "m.room.message" | "m.room.encrypted" | "m.call.invite").then_some(false)
    }
}

fn may_notify_room(timeline: &Timeline, entry: &Entry) -> bool {
    let record = timeline.record();
    let state = record.history.at(entry.position);
    let levels = PowerLevels::of(timeline.version(), &state);
    levels.user(entry.pdu.sender()).reaches(levels.notification("room"))
}

fn is_edit(event: &Pdu) -> bool {
    let relation = event.content("m.relates_to").and_then(|relation| relation.get("rel_type"));
    relation.is_some_and(|rel_type| rel_type == "m.replace")
}
