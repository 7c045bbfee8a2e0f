//! Who is there: kept in memory, told to those who share a room.
//!
//! client-server-api/#presence

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::now_ms;
use crate::homeserver::Homeserver;
use crate::stream::Position;

/// Who does not ask for news for so long is gone; who does nothing for so long is idle.
const GONE_AFTER_MS: i64 = 30_000;
const IDLE_AFTER_MS: i64 = 5 * 60_000;

/// How often that is looked at.
const SWEEP: Duration = Duration::from_secs(5);

/// The presence of all users who were ever there.
#[derive(Debug, Default)]
pub(crate) struct Presence(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    users: HashMap<String, Status>,
    /// Who changed last at each position.
    changes: BTreeMap<Position, String>,
}

/// How a user is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    state: State,
    message: Option<String>,
    /// When the user did something, and when a client of theirs last asked for news, in milliseconds
    /// since the Unix epoch.
    active_ms: i64,
    heard_ms: i64,
    /// Clients that wait for news at this moment.
    waiting: usize,
    changed: Position,
}

/// The states of the specification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// A client is connected.
    Online,
    /// A client is connected, but its user does nothing.
    Unavailable,
    /// No client is connected, or the user does not want it known.
    #[default]
    Offline,
}

impl State {
    /// The names of all states.
    pub(crate) const NAMES: [&'static str; 3] = ["online", "unavailable", "offline"];

    /// The state of a name in [`State::NAMES`].
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "online" => Self::Online,
            "unavailable" => Self::Unavailable,
            _ => Self::Offline,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Unavailable => "unavailable",
            Self::Offline => "offline",
        }
    }
}

impl Status {
    /// As the content of an `m.presence` event.
    pub(crate) fn content(&self) -> Map<String, Value> {
        let mut content = Map::new();
        content.insert("presence".to_owned(), self.state.name().into());
        content.insert("currently_active".to_owned(), (self.state == State::Online).into());
        if self.active_ms > 0 {
            content.insert("last_active_ago".to_owned(), json!((now_ms() - self.active_ms).max(0)));
        }
        if let Some(message) = &self.message {
            content.insert("status_msg".to_owned(), message.as_str().into());
        }
        content
    }
}

impl Presence {
    /// How a user is.
    pub(crate) fn of(&self, user_id: &str) -> Option<Status> {
        self.lock().users.get(user_id).cloned()
    }

    /// Who changed after `since` and up to `until`.
    pub(crate) fn changed(&self, since: Position, until: Position) -> Vec<String> {
        if since >= until {
            return Vec::new();
        }
        self.lock().changes.range(since + 1..=until).map(|(_, user_id)| user_id.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user says how they are.
pub(crate) fn set(server: &Homeserver, user_id: &str, state: State, message: Option<String>) {
    change(server, user_id, |status| {
        status.active_ms = now_ms();
        status.heard_ms = status.active_ms;
        let same = status.state == state && status.message == message;
        (status.state, status.message) = (state, message);
        !same
    });
}

/// A client asks for news; what comes back is to be kept as long as it waits.
pub(crate) fn attend(server: &Arc<Homeserver>, user_id: &str, state: State) -> Attendance {
    change(server, user_id, |status| {
        status.waiting += 1;
        status.heard_ms = now_ms();
        // Coming online is something that a user does, staying so is not.
        if state == State::Online && status.state != State::Online {
            status.active_ms = status.heard_ms;
        }
        // A client that does not want to count takes nothing back that was said elsewhere.
        let same = state == State::Offline || status.state == state;
        if !same {
            status.state = state;
        }
        !same
    });
    Attendance { server: Arc::clone(server), user_id: user_id.to_owned() }
}

/// A client that waits for news.
#[derive(Debug)]
pub(crate) struct Attendance {
    server: Arc<Homeserver>,
    user_id: String,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        if let Some(status) = self.server.presence.lock().users.get_mut(&self.user_id) {
            status.waiting = status.waiting.saturating_sub(1);
            status.heard_ms = now_ms();
        }
    }
}

/// Notices who has gone or does nothing, until the server ends.
pub(crate) async fn watch(server: Weak<Homeserver>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(server) = server.upgrade() else { return };
        let now_ms = now_ms();
        let becomes = |status: &Status| match status.state {
            State::Offline => None,
            _ if status.waiting == 0 && status.heard_ms + GONE_AFTER_MS < now_ms => Some(State::Offline),
            State::Online if status.active_ms + IDLE_AFTER_MS < now_ms => Some(State::Unavailable),
            _ => None,
        };
        let known: Vec<_> = server
            .presence
            .lock()
            .users
            .iter()
            .filter_map(|(user_id, status)| Some((user_id.clone(), becomes(status)?)))
            .collect();
        for (user_id, state) in known {
            change(&server, &user_id, |status| {
                // Something may have happened since the look.
                let due = becomes(status) == Some(state);
                if due {
                    status.state = state;
                }
                due
            });
        }
    }
}

/// Tells those who share a room, if `edit` says that something changed.
fn change(server: &Homeserver, user_id: &str, edit: impl FnOnce(&mut Status) -> bool) {
    let place = {
        let mut known = server.presence.lock();
        let status = known.users.entry(user_id.to_owned()).or_default();
        if !edit(status) {
            return;
        }
        let place = server.stream.place();
        let before = std::mem::replace(&mut status.changed, place.position());
        known.changes.remove(&before);
        known.changes.insert(place.position(), user_id.to_owned());
        place
    };
    let mut concerned: Vec<String> = Vec::new();
    for room in server.timelines.of_user(user_id) {
        let record = room.record();
        if record.membership(user_id) == "join" {
            concerned.extend(record.joined().filter(|other| *other != user_id).map(str::to_owned));
        }
    }
    concerned.sort_unstable();
    concerned.dedup();
    place.finish(concerned);
}
