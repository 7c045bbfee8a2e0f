//! A user who is online: one long-polling sync after the other, on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Event, Looks, Timeline, scan};
use crate::{
    connection::{Lane, Problem},
    ledger::Ledger,
    population::Population,
    recorder::Recorder,
    request,
    switchboard::Switchboard,
};

/// How long the server is asked to hold a sync that has nothing to tell, in milliseconds.
const HOLD_MS: u64 = 30_000;
/// How long a user waits after a sync that failed. A client that asked again at once would be load of another kind.
const PAUSE: Duration = Duration::from_secs(1);

/// What everybody who is online looks after.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) population: Arc<Population>,
    /// Whether the users of a group are online.
    pub(crate) online: Vec<bool>,
    pub(crate) ledger: Arc<Ledger>,
    /// What is owed to scripted servers, where there are any.
    pub(crate) outward: Option<Arc<Ledger>>,
    pub(crate) switchboard: Switchboard,
    pub(crate) recorder: Recorder,
    /// What the marks of this run begin with: rooms may hold messages of others.
    pub(crate) run: String,
    /// How long an answer may take beyond the time that it is held.
    pub(crate) within: Duration,
}

/// Keeps a user's sync open for ever, from where it stands.
pub(crate) async fn watch(watch: Arc<Watch>, mut lane: Lane, user: u32) {
    let within = watch.within + Duration::from_millis(HOLD_MS);
    loop {
        let path = {
            let since = watch.population.users[user as usize].since();
            format!("/_matrix/client/v3/sync?timeout={HOLD_MS}&since={}", request::segment(&since))
        };
        let poll = request::get(&path, Some(&watch.population.users[user as usize].bearer));
        drop(path);
        let came = lane.success(poll, within).await.and_then(|body| watch.take_in(user, &body));
        if came.is_err() {
            watch.recorder.count("long polls failed", 1);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Watch {
    /// Whether a user keeps a sync open.
    pub(crate) fn is_online(&self, user: u32) -> bool {
        let user = &self.population.users[user as usize];
        user.active && self.online.get(user.group).copied().unwrap_or_default()
    }

    fn take_in(&self, user: u32, body: &[u8]) -> Result<(), Problem> {
        let mut eyes = Eyes { watch: self, user, at: Instant::now() };
        let next_batch = scan(body, &mut eyes).map_err(|error| Problem::Malformed(error.to_string()))?;
        self.population.users[user as usize].synced(&next_batch);
        self.recorder.count("long polls answered", 1);
        self.recorder.count("bytes of sync received", body.len() as u64);
        Ok(())
    }
}

/// One user's look at one response.
struct Eyes<'w> {
    watch: &'w Watch,
    user: u32,
    at: Instant,
}

impl Eyes<'_> {
    fn event(&self, event: &Event<'_>) {
        let content = &event.content;
        if let Some(number) =
            content.mark.strip_prefix(&*self.watch.run).and_then(|number| number.parse().ok())
        {
            self.watch.ledger.seen(number, self.user, self.at);
        }
        if !content.call_id.is_empty() {
            self.watch.switchboard.hears(self.user, event, self.at);
        }
    }
}

impl Looks for Eyes<'_> {
    fn timeline(&mut self, room: &str, timeline: &Timeline<'_>) {
        let Some(place) = self.watch.population.room_by_id.get(room) else { return };
        timeline.events.iter().for_each(|event| self.event(event));
        if timeline.limited {
            self.watch.recorder.count("timelines limited", 1);
            self.watch.ledger.limited(*place, self.user);
        }
        if let Some(event) = timeline.events.last() {
            self.watch.population.rooms[*place as usize].saw(&event.event_id);
        }
    }

    fn to_device(&mut self, event: &Event<'_>) {
        self.event(event);
    }
}
