//! Who is typing where: in memory only, and for a while only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::homeserver::Homeserver;
use crate::stream::Position;
use crate::timeline::Timeline;

/// The typing notices of all rooms.
#[derive(Debug, Default)]
pub(crate) struct Typing(Mutex<HashMap<String, Notice>>);

#[derive(Debug, Default)]
struct Notice {
    /// Who types, and until when unless they say so again.
    until: BTreeMap<String, Instant>,
    changed: Position,
}

impl Typing {
    /// Who types in a room, if that changed after `since` and up to `until`.
    pub(crate) fn changed(&self, room_id: &str, since: Position, until: Position) -> Option<Vec<String>> {
        let notices = self.lock();
        let notice = notices.get(room_id)?;
        (notice.changed > since && notice.changed <= until).then(|| notice.until.keys().cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Notice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user types for at most `lifetime`, unless they are heard of again before.
pub(crate) fn begin(server: &Arc<Homeserver>, room: Arc<Timeline>, user_id: String, lifetime: Duration) {
    let ends = Instant::now() + lifetime;
    change(server, &room, |typing| typing.insert(user_id.clone(), ends).is_none());
    let server = Arc::downgrade(server);
    tokio::spawn(async move {
        tokio::time::sleep_until(ends).await;
        let Some(server) = server.upgrade() else { return };
        change(&server, &room, |typing| {
            let over = typing.get(&user_id) == Some(&ends);
            over && typing.remove(&user_id).is_some()
        });
    });
}

/// A user has stopped typing.
pub(crate) fn end(server: &Homeserver, room: &Timeline, user_id: &str) {
    change(server, room, |typing| typing.remove(user_id).is_some());
}

/// Tells the room, if `edit` says that something changed.
fn change(server: &Homeserver, room: &Timeline, edit: impl FnOnce(&mut BTreeMap<String, Instant>) -> bool) {
    let place = {
        let mut notices = server.typing.lock();
        let notice = notices.entry(room.room_id().to_owned()).or_default();
        if !edit(&mut notice.until) {
            return;
        }
        let place = server.stream.place();
        notice.changed = place.position();
        place
    };
    let joined: Vec<_> = room.record().joined().map(str::to_owned).collect();
    place.finish(joined);
}
