//! One operation of a load run: how often, how long, what went wrong, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Histogram;

/// One operation over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The operation, such as `send` or `delivery`.
    pub name: String,
    /// Operations that were started.
    pub count: u64,
    /// Those that failed; their latencies are in no histogram.
    pub errors: u64,
    /// Arrivals that found nobody free to start them; not among `count`.
    pub dropped: u64,
    /// Operations that were neither answered nor wrong: messages behind a timeline that the server said it had limited.
    /// They are among `count`, and not among `errors`.
    #[serde(default)]
    pub limited: u64,
    /// Latencies of what succeeded, counted from the moment at which the operation was due.
    #[serde(flatten)]
    pub latency: Spread,
    /// The same, counted from the moment at which it was really begun.
    #[serde(default)]
    pub service: Spread,
    /// The errors by their kinds: `timeout`, `refused`, `429`, `M_FORBIDDEN` …
    #[serde(default)]
    pub kinds: BTreeMap<String, u64>,
    /// The run in equal parts, by the time at which operations were due.
    #[serde(default)]
    pub intervals: Vec<Interval>,
}

/// How latencies are spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of them stay at or below this, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95 of 100 do.
    pub p95_ms: Option<f64>,
    /// 99 of 100 do.
    pub p99_ms: Option<f64>,
    /// The longest one, in milliseconds.
    pub max_ms: Option<f64>,
    /// The mean, in milliseconds.
    pub mean_ms: Option<f64>,
    /// All of them.
    pub histogram: Histogram,
}

/// One part of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Operations that were due in it and started.
    pub count: u64,
    /// Those that failed.
    pub errors: u64,
    /// Arrivals that found nobody free.
    pub dropped: u64,
    /// Latencies of those that succeeded, whenever they ended.
    pub histogram: Histogram,
}

impl From<Histogram> for Spread {
    fn from(histogram: Histogram) -> Self {
        Self {
            p50_ms: histogram.quantile_ms(0.5),
            p95_ms: histogram.quantile_ms(0.95),
            p99_ms: histogram.quantile_ms(0.99),
            max_ms: histogram.max_ms(),
            mean_ms: histogram.mean_ms(),
            histogram,
        }
    }
}

impl Series {
    /// The share of the started operations that failed.
    #[must_use]
    pub fn error_share(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.errors as f64 / self.count as f64 }
    }

    /// Adds what another part of the same run did of the same operation.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.dropped += other.dropped;
        self.limited += other.limited;
        self.latency.add(&other.latency);
        self.service.add(&other.service);
        for (kind, number) in &other.kinds {
            *self.kinds.entry(kind.clone()).or_default() += number;
        }
        if self.intervals.len() < other.intervals.len() {
            self.intervals.resize_with(other.intervals.len(), Interval::default);
        }
        for (mine, theirs) in self.intervals.iter_mut().zip(&other.intervals) {
            mine.count += theirs.count;
            mine.errors += theirs.errors;
            mine.dropped += theirs.dropped;
            mine.histogram.add(&theirs.histogram);
        }
    }
}

impl Spread {
    fn add(&mut self, other: &Self) {
        let mut histogram = std::mem::take(&mut self.histogram);
        histogram.add(&other.histogram);
        *self = histogram.into();
    }
}
