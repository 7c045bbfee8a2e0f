//! Who is there: client-server-api/#presence. In memory only: after a start, nobody is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::now_ms;
use crate::federation;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::stream::Position;

/// Who has not polled for so long is offline; a client needs a moment between two polls.
const GONE_AFTER_MS: i64 = 30_000;

/// How often that is looked at.
const SWEEP: Duration = Duration::from_secs(5);

/// Who has done something within this time is active now.
const ACTIVE_FOR_MS: i64 = 60_000;

/// A change is told at once to so many people; in a larger crowd it waits for their next news, because
/// a crowd that comes online would otherwise wake everybody once for everybody else.
const CIRCLE: usize = 64;

/// The presence of all users who were ever there.
#[derive(Debug, Default)]
pub(crate) struct Presences(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_user: HashMap<String, Presence>,
    /// Who changed, by the position of the last change.
    changes: BTreeMap<Position, String>,
}

/// How a user is.
#[derive(Debug, Clone, Default)]
struct Presence {
    state: State,
    message: Option<String>,
    /// When the user last did something, and when their last poll ended, in milliseconds since the
    /// Unix epoch.
    active_ms: Option<i64>,
    polled_ms: i64,
    /// How many polls wait at this moment.
    polls: usize,
    /// Whether the user is of another server, which says when they are gone.
    elsewhere: bool,
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

impl Presences {
    /// The content of a user's `m.presence` event; none for those who never were there.
    pub(crate) fn content(&self, user_id: &str) -> Option<Map<String, Value>> {
        self.lock().by_user.get(user_id).map(Presence::content)
    }

    /// Who changed after `since` and up to `until`, with the position of the change.
    pub(crate) fn changed(&self, since: Position, until: Position) -> Vec<(Position, String)> {
        if since >= until {
            return Vec::new();
        }
        let known = self.lock();
        let changes = known.changes.range(since + 1..=until);
        changes.map(|(position, user_id)| (*position, user_id.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    fn content(&self) -> Map<String, Value> {
        let mut content = Map::new();
        content.insert("presence".to_owned(), self.state.name().into());
        let now_ms = if commits(Fault::LastActivityStale) { 0 } else { now_ms() };
        let idle_ms = self.active_ms.map(|active_ms| (now_ms - active_ms).max(0));
        if let Some(idle_ms) = idle_ms {
            content.insert("last_active_ago".to_owned(), idle_ms.into());
        }
        if self.state == State::Online {
            let active = idle_ms.is_some_and(|idle_ms| idle_ms < ACTIVE_FOR_MS);
            content.insert("currently_active".to_owned(), active.into());
        }
        if let Some(message) = &self.message {
            content.insert("status_msg".to_owned(), message.as_str().into());
        }
        content
    }
}

/// A user says how they are; that is an activity too.
pub(crate) fn set(server: &Homeserver, user_id: &str, state: State, message: Option<String>) {
    change(server, user_id, |presence| {
        presence.active_ms = Some(now_ms());
        presence.polled_ms = now_ms();
        let same = presence.state == state && presence.message == message;
        (presence.state, presence.message) = (state, message);
        !same
    });
}

/// The server of a user says how they are.
pub(crate) fn set_elsewhere(
    server: &Homeserver,
    user_id: &str,
    state: State,
    message: Option<String>,
    idle_ms: Option<i64>,
) {
    change(server, user_id, |presence| {
        let same = presence.state == state && presence.message == message;
        presence.elsewhere = true;
        presence.active_ms = idle_ms.map(|idle_ms| now_ms() - idle_ms);
        (presence.state, presence.message) = (state, message);
        !same
    });
}

/// A user has sent something: who seemed idle is not.
pub(crate) fn acted(server: &Homeserver, user_id: &str) {
    change(server, user_id, |presence| {
        presence.active_ms = Some(now_ms());
        let idle = presence.state == State::Unavailable;
        if idle {
            presence.state = State::Online;
        }
        idle
    });
}

/// A client polls, which by itself says that its user is in this state. A client that polls as
/// `offline` does not count: it neither says that nor keeps its user online.
pub(crate) fn poll(server: &Arc<Homeserver>, user_id: &str, state: State) -> Option<Poll> {
    if state == State::Offline {
        return None;
    }
    let announced = change(server, user_id, |presence| {
        presence.polls += 1;
        let same = presence.state == state;
        // Coming online is something that a user does; staying so is not.
        if !same && state == State::Online {
            presence.active_ms = Some(now_ms());
        }
        presence.state = state;
        !same
    });
    Some(Poll { server: Arc::clone(server), user_id: user_id.to_owned(), announced })
}

/// A poll, for as long as it waits.
#[derive(Debug)]
pub(crate) struct Poll {
    server: Arc<Homeserver>,
    user_id: String,
    /// Where the poll has changed the user's presence, if it has.
    pub(crate) announced: Option<Position>,
}

impl Drop for Poll {
    fn drop(&mut self) {
        if let Some(presence) = self.server.presences.lock().by_user.get_mut(&self.user_id) {
            presence.polls = presence.polls.saturating_sub(1);
            presence.polled_ms = now_ms();
        }
    }
}

/// Notices who has gone, until the server ends.
pub(crate) async fn watch(server: Weak<Homeserver>) {
    let gone = |presence: &Presence| {
        presence.state != State::Offline
            && !presence.elsewhere
            && presence.polls == 0
            && presence.polled_ms + GONE_AFTER_MS < now_ms()
    };
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(server) = server.upgrade() else { return };
        let users: Vec<_> = {
            let known = server.presences.lock();
            let gone = known.by_user.iter().filter(|(_, presence)| gone(presence));
            gone.map(|(user_id, _)| user_id.clone()).collect()
        };
        for user_id in users {
            change(&server, &user_id, |presence| {
                // Somebody may have come back since the look.
                let gone = gone(presence);
                if gone {
                    presence.state = State::Offline;
                }
                gone
            });
        }
    }
}

/// Changes a user's presence. If `edit` says so, tells those who share a room with them, and answers
/// where the change stands.
fn change(server: &Homeserver, user_id: &str, edit: impl FnOnce(&mut Presence) -> bool) -> Option<Position> {
    let place = {
        let mut known = server.presences.lock();
        let presence = known.by_user.entry(user_id.to_owned()).or_default();
        if !edit(presence) {
            return None;
        }
        let place = server.stream.place();
        let before = std::mem::replace(&mut presence.changed, place.position());
        known.changes.remove(&before);
        known.changes.insert(place.position(), user_id.to_owned());
        place
    };
    let position = place.position();
    place.finish(circle(server, user_id));
    federation::presence::tell(server, user_id);
    Some(position)
}

/// Whom to tell at once: the user's other clients, and all they share a room with, if these are few.
fn circle(server: &Homeserver, user_id: &str) -> BTreeSet<String> {
    let own = BTreeSet::from([user_id.to_owned()]);
    let mut circle = own.clone();
    for timeline in server.timelines.of_user(user_id) {
        let record = timeline.record();
        if record.membership(user_id) == "join" {
            circle.extend(record.joined().take(CIRCLE + 1).map(str::to_owned));
        }
        if circle.len() > CIRCLE {
            return own;
        }
    }
    circle
}
