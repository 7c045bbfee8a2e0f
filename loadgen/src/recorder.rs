//! What came of every arrival: counted at once, by operation and interval, never by user.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reports::load::{Histogram, Interval, Pulse, Series};
use tokio::time::Instant;

use crate::connection::Problem;

/// Intervals of a run at most: enough for a curve, few enough to keep them all in memory.
const MOST_INTERVALS: u32 = 100;

/// An operation that is measured, by its place among those of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Measured(usize);

/// Counts and latencies of a run. Clones record into the same place.
#[derive(Clone, Debug)]
pub struct Recorder {
    start: Instant,
    interval: Duration,
    tallies: Arc<Mutex<Tallies>>,
}

#[derive(Debug, Default)]
struct Tallies {
    series: Vec<Tally>,
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    name: String,
    whole: Whole,
    intervals: Vec<Interval>,
}

/// What is kept of the whole run at once.
#[derive(Clone, Debug, Default)]
struct Whole {
    kinds: BTreeMap<String, u64>,
    service: Histogram,
    limited: u64,
}

/// The moments of one operation.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// When it was due.
    pub due: Instant,
    /// When it was begun.
    pub begun: Instant,
}

impl Recorder {
    /// A recorder of a run that begins at `start` and has slots for so long.
    #[must_use]
    pub fn new(start: Instant, span: Duration) -> Self {
        // Whole seconds, so that two runs of one length have the same intervals.
        let seconds = span.as_secs_f64() / f64::from(MOST_INTERVALS);
        let interval = Duration::from_secs_f64(seconds.ceil().max(1.0));
        Recorder { start, interval, tallies: Arc::default() }
    }

    /// When the run begins.
    #[must_use]
    pub fn start(&self) -> Instant {
        self.start
    }

    /// How long an interval is.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The operation of this name; it has a series from now on.
    #[must_use]
    pub fn operation(&self, name: &str) -> Measured {
        let mut tallies = self.lock();
        let place = tallies.series.iter().position(|tally| tally.name == name);
        Measured(place.unwrap_or_else(|| {
            tallies.series.push(Tally { name: name.to_owned(), ..Tally::default() });
            tallies.series.len() - 1
        }))
    }

    /// Counts operations that are started and of which [`Self::ended`] is told later.
    pub fn started(&self, operation: Measured, due: Instant, number: u64) {
        self.change(operation, due, |_, interval| interval.count += number);
    }

    /// An operation that was started succeeded now, or failed.
    pub fn ended(&self, operation: Measured, moments: Moments, came: Result<(), &Problem>) {
        match came {
            Ok(()) => self.ended_at(operation, moments, Instant::now()),
            Err(problem) => self.failed(operation, moments.due, &problem.kind(), 1),
        }
    }

    /// An operation that was started succeeded at this moment.
    pub fn ended_at(&self, operation: Measured, moments: Moments, at: Instant) {
        self.change(operation, moments.due, |whole, interval| {
            interval.histogram.record(at.saturating_duration_since(moments.due));
            whole.service.record(at.saturating_duration_since(moments.begun));
        });
    }

    /// Operations that were started failed in a way that no answer told.
    pub fn failed(&self, operation: Measured, due: Instant, kind: &str, number: u64) {
        self.change(operation, due, |whole, interval| {
            interval.errors += number;
            *whole.kinds.entry(kind.to_owned()).or_default() += number;
        });
    }

    /// Operations that were started ended behind a limited timeline.
    pub fn limited(&self, operation: Measured, due: Instant, number: u64) {
        self.change(operation, due, |whole, _| whole.limited += number);
    }

    /// An arrival found nobody free.
    pub fn dropped(&self, operation: Measured, due: Instant) {
        self.change(operation, due, |_, interval| interval.dropped += 1);
    }

    /// What was started and has not ended by now did not succeed: no run ends with operations of which nothing is known.
    pub fn close(&self) {
        let mut tallies = self.lock();
        // What is limited has no place among intervals, and the ledger has settled those operations already.
        for Tally { whole, intervals, .. } in
            tallies.series.iter_mut().filter(|tally| tally.whole.limited == 0)
        {
            for interval in intervals {
                let unfinished = interval.count.saturating_sub(interval.errors + interval.histogram.count());
                if unfinished > 0 {
                    interval.errors += unfinished;
                    *whole.kinds.entry("unfinished".to_owned()).or_default() += unfinished;
                }
            }
        }
    }

    /// Counts what is no latency.
    pub fn count(&self, what: &'static str, number: u64) {
        *self.lock().counts.entry(what).or_default() += number;
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.lock().counts.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    }

    /// The series so far, in the order in which their operations were named.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        // One after the other, so that nobody who records waits for all the sums.
        let tally = |place: usize| self.lock().series.get(place).cloned();
        (0..).map_while(tally).map(|tally| tally.series()).collect()
    }

    /// How it goes, for whoever watches: cheap enough for every second.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        let tallies = self.lock();
        let intervals = || tallies.series.iter().flat_map(|tally| &tally.intervals);
        let slowest = tallies.series.iter().filter_map(|tally| {
            let latest = tally.intervals.iter().rev().find(|interval| interval.histogram.count() > 0)?;
            Some((tally.name.clone(), latest.histogram.quantile_ms(0.95)?))
        });
        Pulse {
            started: intervals().map(|interval| interval.count).sum(),
            errors: intervals().map(|interval| interval.errors).sum(),
            dropped: intervals().map(|interval| interval.dropped).sum(),
            slowest: slowest.max_by(|(_, one), (_, other)| one.total_cmp(other)),
        }
    }

    fn change(&self, operation: Measured, due: Instant, change: impl FnOnce(&mut Whole, &mut Interval)) {
        let number = due.saturating_duration_since(self.start).as_micros() / self.interval.as_micros().max(1);
        let number = usize::try_from(number).unwrap_or_default();
        let mut tallies = self.lock();
        let Some(tally) = tallies.series.get_mut(operation.0) else { return };
        if tally.intervals.len() <= number {
            tally.intervals.resize_with(number + 1, Interval::default);
        }
        change(&mut tally.whole, &mut tally.intervals[number]);
    }

    fn lock(&self) -> MutexGuard<'_, Tallies> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn series(&self) -> Series {
        let mut whole = Histogram::default();
        self.intervals.iter().for_each(|interval| whole.add(&interval.histogram));
        let sum = |of: fn(&Interval) -> u64| self.intervals.iter().map(of).sum();
        Series {
            name: self.name.clone(),
            count: sum(|interval| interval.count),
            errors: sum(|interval| interval.errors),
            dropped: sum(|interval| interval.dropped),
            limited: self.whole.limited,
            latency: whole.into(),
            service: self.whole.service.clone().into(),
            kinds: self.whole.kinds.clone(),
            intervals: self.intervals.clone(),
        }
    }
}
