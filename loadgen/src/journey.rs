//! Closed loops: people who wait for each answer and think before they go on.
//!
//! A slow server is asked less by them, as by people: what they meet is told well, what a server can take is not. For that
//! there are schedules, which do not wait.
//!
//! A framework for this, goose, was weighed and left: its request path was measured at more than twice the processor time of the one here, it would
//! bring second copies of seven packages, and its figures would have had to be carried over into the record of the run. What is needed of
//! it is the loop below.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    engine::{Slot, Work, mixed},
    profile::{Journey, Profile},
    recorder::{Measured, Moments, Recorder},
};

/// The journeys of a profile.
#[derive(Debug)]
pub(crate) struct Journeys {
    all: Vec<Way>,
    weights: u64,
    recorder: Recorder,
    seed: u64,
    /// Steps so far: each has a number of its own.
    steps: AtomicU64,
}

/// One of them.
#[derive(Debug)]
struct Way {
    journey: Journey,
    actions: Vec<usize>,
    measured: Measured,
}

impl Journeys {
    pub(crate) fn new(profile: &Profile, recorder: &Recorder, seed: u64) -> Self {
        let way = |journey: &Journey| Way {
            actions: profile.actions_of(journey),
            measured: recorder.operation(&series(journey)),
            journey: journey.clone(),
        };
        Journeys {
            all: profile.journeys.iter().map(way).collect(),
            weights: profile.journeys.iter().map(|journey| u64::from(journey.weight)).sum(),
            recorder: recorder.clone(),
            seed,
            steps: AtomicU64::new(0),
        }
    }

    /// Everybody goes on journeys until the time is up; a step that has begun is ended, at most until `patience` later.
    pub(crate) async fn travel<L: Send + 'static, W: Work<L>>(
        self,
        everybody: impl IntoIterator<Item = L>,
        span: Duration,
        patience: Duration,
        work: &Arc<W>,
    ) {
        let (end, journeys) = (self.recorder.start() + span, Arc::new(self));
        let mut travelling = JoinSet::new();
        for (place, who) in (0..).zip(everybody) {
            let (journeys, work) = (journeys.clone(), work.clone());
            travelling.spawn(async move { journeys.live(who, place, end, &*work).await });
        }
        let all = async { while travelling.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(end + patience, all).await;
    }

    async fn live<L, W: Work<L>>(&self, mut who: L, place: u32, end: Instant, work: &W) {
        let mut random = StdRng::seed_from_u64(self.seed ^ mixed(u64::from(place)));
        tokio::time::sleep_until(self.recorder.start()).await;
        loop {
            let Some(way) = self.choose(random.random_range(0..self.weights.max(1))) else { return };
            let (begun, mut waited) = (Instant::now(), Duration::ZERO);
            for action in &way.actions {
                // Thinking comes first, so that not everybody begins at once.
                let [least, most] = way.journey.think;
                tokio::time::sleep(Duration::from_secs_f64(random.random_range(least..=most))).await;
                let due = Instant::now();
                if due >= end {
                    return;
                }
                let number = self.steps.fetch_add(1, Ordering::Relaxed);
                let slot = Slot { due: due - self.recorder.start(), number, action: *action };
                who = work.perform(who, place, slot, due).await;
                waited += due.elapsed();
            }
            let moments = Moments { due: begun, begun };
            self.recorder.started(way.measured, begun, 1);
            self.recorder.ended_at(way.measured, moments, begun + waited);
        }
    }

    fn choose(&self, mut chance: u64) -> Option<&Way> {
        self.all.iter().find(|way| {
            let weight = u64::from(way.journey.weight);
            let is_it = chance < weight;
            chance = chance.saturating_sub(weight);
            is_it
        })
    }
}

/// The series of whole journeys: the waiting in them, without the thinking.
pub(crate) fn series(journey: &Journey) -> String {
    format!("journey-{}", journey.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PROFILE: &str = r#"
title = "Two ways"
why = "a test"
groups = [{ name = "people", count = 4 }]
rooms = [{ name = "room", count = 1, members = { people = 4 } }]
[[journeys]]
name = "often"
weight = 3
steps = ["send", "send"]
think = [1, 1]
why = ""
[[journeys]]
name = "rarely"
weight = 1
steps = ["messages"]
think = [1, 1]
why = ""
"#;

    /// Takes half a second for each step.
    struct Slow(Recorder);

    impl Work<()> for Slow {
        async fn perform(&self, (): (), _: u32, _: Slot, due: Instant) {
            let step = self.0.operation("step");
            self.0.started(step, due, 1);
            tokio::time::sleep(SECOND / 2).await;
            self.0.ended(step, Moments { due, begun: due }, Ok(()));
        }
    }

    /// Four people who think for a second and wait for half of one make a step every one and a half seconds: 80 in 30 s, since
    /// the last thought of each ends with the run. An open arrival model would not have waited.
    #[tokio::test(start_paused = true)]
    async fn people_wait_for_answers_and_think() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ways.toml");
        std::fs::write(&file, PROFILE).expect("a profile");
        let profile = Profile::find(file.to_str().expect("a path")).expect("a profile");
        let recorder = Recorder::new(Instant::now(), 30 * SECOND);
        let journeys = Journeys::new(&profile, &recorder, 1);
        journeys.travel([(); 4], 30 * SECOND, SECOND, &Arc::new(Slow(recorder.clone()))).await;
        let count = |name: &str| {
            recorder.series().iter().find(|series| series.name == name).map_or(0, |series| series.count)
        };
        assert_eq!(count("step"), 80);
        let (often, rarely) = (count("journey-often"), count("journey-rarely"));
        assert!(often > rarely && rarely > 0, "{often} and {rarely}");
        // At most one journey of each is under way at the end.
        assert!((76..=80).contains(&(2 * often + rarely)), "{often} and {rarely}");
        let often = recorder.series().into_iter().find(|series| series.name == "journey-often");
        let median = often.and_then(|series| series.latency.p50_ms).expect("a median");
        assert!((990.0..1_010.0).contains(&median), "{median} ms, and the thinking is in it");
    }
}
