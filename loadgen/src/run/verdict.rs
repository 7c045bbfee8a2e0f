//! What a finished run is worth: whether the generator drove it, whether the server lived, what was kept.

use std::time::Duration;

use reports::load::{LoadRecord, Sample, Series};

use super::Settings;
use crate::connection::Problem;

/// Schedule lag at the 99th percentile that a reader should know of.
const NOTEWORTHY_LAG_MS: f64 = 5.0;
/// The share of its thread from which on the generator itself makes latencies.
const BUSY: f64 = 0.9;
/// The share of the machine that others may use without being mentioned.
const FOREIGN: f64 = 0.1;

pub(super) fn judge(record: &mut LoadRecord, settings: &Settings, silence: Option<&Problem>) {
    if let Some(problem) = silence {
        record.fault = Some(format!("after the run it did not answer a simple question: {problem}"));
    }
    record.void = void(record, settings.most_lag);
    record.notices.extend(notices(record));
    record.objectives = settings.demands.iter().map(|demand| demand.judge(record)).collect();
}

fn void(record: &LoadRecord, most_lag: Duration) -> Option<String> {
    let exhausted = |series: &&Series| series.kinds.contains_key("exhausted");
    if record.series.iter().any(|series| exhausted(&series)) {
        return Some(
            "the generator ran out of descriptors or ports; drive the run in parts (--shard)".to_owned(),
        );
    }
    let lag_ms = record.generator.lag.p99_ms?;
    let most_ms = most_lag.as_secs_f64() * 1e3;
    (lag_ms > most_ms).then(|| {
        format!(
            "the generator was late: one slot in a hundred was taken up more than {lag_ms:.0} ms after it was due, and {most_ms:.0} ms are allowed (--max-lag); give it a machine with more to spare, or drive the run in parts (--shard)"
        )
    })
}

fn notices(record: &LoadRecord) -> Vec<String> {
    let mut notices = Vec::new();
    if let Some(lag_ms) = record.generator.lag.p99_ms.filter(|lag_ms| *lag_ms > NOTEWORTHY_LAG_MS) {
        notices.push(format!(
            "one slot in a hundred was taken up {lag_ms:.1} ms late or later, which is in the latencies"
        ));
    }
    if record.generator.busiest > BUSY {
        notices.push(format!(
            "the generator used {:.0} % of its thread at most: its own work is in the latencies",
            record.generator.busiest * 100.0
        ));
    }
    let foreign = mean(&record.samples, |sample| sample.foreign_cpu);
    if foreign > FOREIGN * record.machine.cores as f64 {
        notices
            .push(format!("other programs used {foreign:.2} of {} cores on average", record.machine.cores));
    }
    notices
}

fn mean(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    if samples.is_empty() { 0.0 } else { samples.iter().map(of).sum::<f64>() / samples.len() as f64 }
}
