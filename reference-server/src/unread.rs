//! How much users have not read: client-server-api/#receiving-notifications.
//!
//! Counts are kept and carried on as events come; they are made anew when the user sends a receipt.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::push_rules::{Occasion, Ruleset, TYPE, Verdict};
use crate::store::account_data::{self, GLOBAL};
use crate::store::receipts;
use crate::stream::Position;
use crate::timeline::{Entry, Timeline};

/// Events that are counted at a time.
const BATCH: usize = 200;

/// The counts of all users in all rooms that they were ever asked for in.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    counts: Mutex<HashMap<(String, String), Count>>,
    rules: Mutex<KnownRules>,
}

/// The push rules of users whose events were counted.
#[derive(Debug, Default)]
struct KnownRules {
    by_user: HashMap<String, Arc<Ruleset>>,
    /// Counts the changes, so that what was read before one is not kept after it.
    changes: u64,
}

impl Unread {
    /// A user's push rules are others from now on.
    pub(crate) fn forget_rules(&self, user_id: &str) {
        let mut rules = lock(&self.rules);
        rules.by_user.remove(user_id);
        rules.changes += 1;
    }
}

/// How much a user has not read in a room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    /// By the root of the thread, or `main`.
    pub(crate) threads: BTreeMap<String, Notifications>,
    /// Where it has changed last.
    pub(crate) changed: Position,
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
    let kept = lock(&server.unread.counts).get(&key).cloned();
    let mut count = match kept {
        Some(kept) if kept.from == (noted, joined) => kept,
        _ => Count::begin(server, timeline, user_id, (noted, joined)).await?,
    };
    if count.until >= until {
        return Ok(count);
    }
    let rules = Rules::of(server, user_id);
    'counting: loop {
        let batch = timeline.since(&server.store, count.until, BATCH).await?;
        let exhausted = batch.len() < BATCH;
        for entry in batch {
            if entry.position > until {
                break 'counting;
            }
            count.add(&rules, timeline, &entry).await?;
        }
        if exhausted {
            break;
        }
    }
    lock(&server.unread.counts).insert(key, count.clone());
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
        let reading = Reading::of(server, timeline, user_id).await?;
        let until = from.1.max(if commits(Fault::ReceiptsDoNotRead) { 0 } else { reading.whole });
        Ok(Self { from, changed: from.0, until, read: reading.threads, ..Self::default() })
    }

    /// Counts the next event. Sending is reading: one's own event ends what was unread in its thread.
    async fn add(
        &mut self,
        rules: &Rules<'_>,
        timeline: &Timeline,
        entry: &Entry,
    ) -> Result<(), MatrixError> {
        self.until = entry.position;
        let own = entry.pdu.sender() == rules.user_id;
        let highlighted = match own {
            true => false,
            false => match rules.judge(timeline, entry).await? {
                None => return Ok(()),
                Some(verdict) => verdict.highlights,
            },
        };
        let thread = timeline.thread_of(&rules.server.store, &entry.pdu).await?;
        if own {
            if self.threads.remove(&thread).is_some() {
                self.changed = entry.position;
            }
        } else if self.read.get(&thread).is_none_or(|read| *read < entry.position) {
            let one = Notifications { notified: 1, highlighted: u64::from(highlighted) };
            *self.threads.entry(thread).or_default() += one;
            self.changed = entry.position;
        }
        Ok(())
    }
}

/// How far a user has read in a room, as receipts say.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    whole: Position,
    threads: HashMap<String, Position>,
}

impl Reading {
    /// By the receipts of this user.
    pub(crate) async fn of(
        server: &Homeserver,
        timeline: &Timeline,
        user_id: &str,
    ) -> Result<Self, MatrixError> {
        let (room_id, user_id) = (timeline.room_id().to_owned(), user_id.to_owned());
        let receipts = server.store.read(move |c| receipts::of_user(c, &room_id, &user_id)).await?;
        let mut reading = Self::default();
        for (thread_id, position) in receipts {
            let read = match thread_id {
                None => &mut reading.whole,
                _ if commits(Fault::ThreadReceiptsReadTheRoom) => &mut reading.whole,
                Some(thread_id) => reading.threads.entry(thread_id).or_default(),
            };
            *read = position.max(*read);
        }
        Ok(reading)
    }

    /// Whether the user has read an event.
    pub(crate) async fn covers(
        &self,
        server: &Homeserver,
        timeline: &Timeline,
        entry: &Entry,
    ) -> Result<bool, MatrixError> {
        if entry.position <= self.whole || self.threads.is_empty() {
            return Ok(entry.position <= self.whole);
        }
        let thread = timeline.thread_of(&server.store, &entry.pdu).await?;
        Ok(self.threads.get(&thread).is_some_and(|read| entry.position <= *read))
    }
}

/// The push rules of a user, read when the first event needs them.
pub(crate) struct Rules<'a> {
    server: &'a Homeserver,
    user_id: &'a str,
    read: OnceCell<Arc<Ruleset>>,
}

impl<'a> Rules<'a> {
    /// The rules of this user.
    pub(crate) fn of(server: &'a Homeserver, user_id: &'a str) -> Self {
        Self { server, user_id, read: OnceCell::new() }
    }

    /// What an event does to the user, if it notifies them.
    pub(crate) async fn judge(
        &self,
        timeline: &Timeline,
        entry: &Entry,
    ) -> Result<Option<Verdict<'_>>, MatrixError> {
        let rules = self.read.get_or_try_init(|| self.find()).await?;
        let record = timeline.record();
        let state = record.history.at(entry.position);
        Ok(rules.judge(&Occasion { event: &entry.pdu, state, user_id: self.user_id }))
    }

    async fn find(&self) -> Result<Arc<Ruleset>, MatrixError> {
        let changes = {
            let known = lock(&self.server.unread.rules);
            if let Some(rules) = known.by_user.get(self.user_id) {
                return Ok(Arc::clone(rules));
            }
            known.changes
        };
        let user_id = self.user_id.to_owned();
        let content = self.server.store.read(move |c| account_data::get(c, &user_id, GLOBAL, TYPE)).await?;
        let rules = Arc::new(Ruleset::read(content, self.user_id));
        let mut known = lock(&self.server.unread.rules);
        if known.changes == changes {
            known.by_user.insert(self.user_id.to_owned(), Arc::clone(&rules));
        }
        Ok(rules)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
