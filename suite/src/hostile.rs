//! Hostile peers: mutated federation requests and stalled connections, while clients go on asking.
//!
//! A remote homeserver that shares two rooms with the server sends what a peer may send, with [flaws](mutation) in it, most of them
//! properly signed; others [stall](stalling). [Watched](watch) are clients of the server: how long they wait before, meanwhile and
//! after, and how much memory the process takes. A server that breaks down over a request (5xx, or no answer) is told with it.
//!
//! | module | holds |
//! |---|---|
//! | `request` | what a peer may send, for every operation of the server-server API |
//! | `mutation` | flaws, from a seed |
//! | `stalling` | connections that do not get on |
//! | `watch` | clients, and the memory of the process |

mod mutation;
mod request;
mod stalling;
mod watch;

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng};

pub use self::watch::Waits;
use self::{mutation::Flawed, request::Ground, watch::Watch};
use crate::{RunError, conduct::meet, scene::Scene, target::Source, verdict::Stop};

/// How long one hostile request may take until it counts as unanswered.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long everything else may take.
const LIMIT: Duration = Duration::from_secs(3600);

/// What is sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// So many mutated requests.
    pub requests: usize,
    /// Decides which ones.
    pub seed: u64,
    /// So many are under way at once.
    pub at_once: usize,
    /// So many connections stall meanwhile.
    pub stalled: usize,
    /// For at least so long.
    pub stalled_for: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Requests by the status of their answer.
    pub statuses: BTreeMap<u16, usize>,
    /// Requests without an answer.
    pub unanswered: usize,
    /// The first request of each operation over which the server broke down, and how many there were.
    pub breakdowns: BTreeMap<String, Breakdown>,
    /// How long clients waited before.
    pub before: Waits,
    /// How long they waited meanwhile.
    pub meanwhile: Waits,
    /// How long they waited afterwards.
    pub afterwards: Waits,
    /// The resident memory of the process before and after, in KiB, where the run started it.
    pub resident_kib: Option<(u64, u64)>,
    /// For how many seconds connections stalled, all added up.
    pub stalled_seconds: f64,
    /// How the process of the server ended, if it did.
    pub ended: Option<String>,
    /// Lines of the server's log that speak of a panic.
    pub panics: Vec<String>,
}

/// Requests over which the server broke down.
#[derive(Clone, Debug)]
pub struct Breakdown {
    /// How many there were.
    pub count: usize,
    /// The first, in words.
    pub request: String,
    /// What came of it.
    pub answer: String,
}

impl Summary {
    /// Whether the server went on as if nothing had been: no breakdown, no panic, and clients that were answered within a time.
    pub fn is_unharmed(&self, within: Duration) -> bool {
        let answered = [&self.before, &self.meanwhile, &self.afterwards];
        self.breakdowns.is_empty()
            && self.panics.is_empty()
            && self.ended.is_none()
            && answered.iter().all(|waits| waits.failures == 0 && waits.percentile(99.0) <= within)
    }
}

/// Sends hostile requests to a server; `tell` is called after each.
///
/// # Errors
/// When the server cannot be reached or started, or cannot federate with remotes.
pub async fn hostile(
    source: &Source,
    owned: bool,
    plan: &Plan,
    mut tell: impl FnMut(),
) -> Result<Summary, RunError> {
    let trial = meet(source, owned).await?;
    let target = &trial.target;
    let fault = |stop: Stop| RunError::Fault(stop.to_string());
    let hs = trial.homeserver(Scene::new(LIMIT));
    let ground = Ground::prepare(&hs).await.map_err(fault)?;
    let watch = Watch::new(&hs).await.map_err(fault)?;
    let log = target.log_position();
    let mut summary = Summary { before: watch.look().await, ..Summary::default() };
    let resident = watch::resident_kib(target);
    let stalling = stalling::begin(target, plan.stalled, plan.stalled_for);
    let watching = watch.go_on();
    let send = |number: usize| {
        let mut random = StdRng::seed_from_u64(plan.seed.wrapping_add(number as u64));
        let flawed = Flawed::any(&ground, &mut random);
        let hs = trial.homeserver(Scene::new(ANSWER_WITHIN));
        async move { (flawed.operation, flawed.to_string(), flawed.send(&hs).await) }
    };
    let mut sent = stream::iter(0..plan.requests).map(send).buffer_unordered(plan.at_once.max(1));
    while let Some((operation, request, answer)) = sent.next().await {
        let broken = match answer {
            Ok(status) => {
                *summary.statuses.entry(status).or_default() += 1;
                (status >= 500).then(|| status.to_string())
            }
            Err(stop) => {
                summary.unanswered += 1;
                Some(stop.to_string().chars().take(300).collect())
            }
        };
        if let Some(answer) = broken {
            let first = Breakdown { count: 0, request, answer };
            summary.breakdowns.entry(operation.to_owned()).or_insert(first).count += 1;
        }
        tell();
    }
    summary.stalled_seconds = stalling.end().await;
    summary.meanwhile = watching.end().await;
    summary.afterwards = watch.look().await;
    summary.resident_kib = resident.zip(watch::resident_kib(target));
    summary.ended = target.ended();
    let log = target.log_since(log);
    summary.panics = log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect();
    target.end();
    Ok(summary)
}
