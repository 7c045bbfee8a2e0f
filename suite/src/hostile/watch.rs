//! What the server's own users notice meanwhile, and how much memory its process takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::Instant};

use crate::{
    cast::{Homeserver, User},
    scene::Scene,
    target::Target,
    verdict::Stop,
};

/// How long there is between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// How many looks are taken while nothing else goes on.
const LOOKS: usize = 40;
/// How long a client waits until it gives up.
const WITHIN: Duration = Duration::from_secs(30);

/// How long clients waited for answers.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// One for each request that was answered well.
    sorted: Vec<Duration>,
    /// Requests that were not.
    pub failures: usize,
}

impl Waits {
    /// How long the given share of them waited at most, in percent; zero where there were none.
    pub fn percentile(&self, percent: f64) -> Duration {
        let last = self.sorted.len().saturating_sub(1);
        let place = (percent / 100.0 * last as f64).ceil() as usize;
        self.sorted.get(place.min(last)).copied().unwrap_or_default()
    }

    /// How many were answered.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }
}

/// A user of the server who speaks in a room and reads it.
pub(super) struct Watch {
    user: User,
    room: String,
}

/// A watch that goes on.
pub(super) struct Watching {
    task: JoinHandle<Waits>,
    is_over: Arc<AtomicBool>,
}

impl Watch {
    pub(super) async fn new(hs: &Homeserver) -> Result<Self, Stop> {
        let user = hs.user("watch").await?;
        let room = user.create_room(serde_json::json!({})).await?;
        Ok(Watch { user, room })
    }

    /// Looks a number of times.
    pub(super) async fn look(&self) -> Waits {
        let mut waits = Waits::default();
        for _ in 0..LOOKS {
            self.look_once(&mut waits).await;
        }
        waits.sorted.sort_unstable();
        waits
    }

    /// Looks until it is told to end.
    pub(super) fn go_on(&self) -> Watching {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, watch) =
            (Arc::clone(&is_over), Watch { user: self.user.clone(), room: self.room.clone() });
        let task = tokio::spawn(async move {
            let mut waits = Waits::default();
            while !over.load(Ordering::Relaxed) {
                watch.look_once(&mut waits).await;
                tokio::time::sleep(PAUSE).await;
            }
            waits.sorted.sort_unstable();
            waits
        });
        Watching { task, is_over }
    }

    /// Says something, and reads it.
    async fn look_once(&self, waits: &mut Waits) {
        let user = self.user.on(self.user.homeserver().with_scene(Scene::new(WITHIN)));
        let begun = Instant::now();
        let said = user.say(&self.room, "still there").await;
        waits.note(said.is_ok(), begun);
        let Ok(event_id) = said else { return };
        let begun = Instant::now();
        let path = crate::path!("/_matrix/client/v3/rooms/{}/event/{}", self.room, event_id);
        waits.note(user.get(path).await.is_ok(), begun);
    }
}

impl Watching {
    pub(super) async fn end(self) -> Waits {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.unwrap_or_default()
    }
}

impl Waits {
    fn note(&mut self, is_answered: bool, begun: Instant) {
        if is_answered {
            self.sorted.push(begun.elapsed());
        } else {
            self.failures += 1;
        }
    }
}

/// The resident memory of the server's process in KiB, where the run started it and the system tells.
pub(super) fn resident_kib(target: &Target) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", target.process_id()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
