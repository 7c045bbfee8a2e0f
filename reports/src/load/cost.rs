//! What a load run cost, in words: the server, the rest of the machine, the generator.

use super::{LoadRecord, Sample};
use crate::text;

/// What there is to say, by label.
pub(super) fn facts(record: &LoadRecord) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if !record.samples.is_empty() {
        facts.push(("server", server(&record.samples)));
        facts.push(("server disk", disk(&record.samples)));
        let foreign = mean(&record.samples, |sample| sample.foreign_cpu);
        facts.push(("everybody else", format!("{foreign:.2} cores on average")));
    }
    let generator = &record.generator;
    let lag = |ms: Option<f64>| ms.map_or("–".to_owned(), text::duration);
    facts.push((
        "generator",
        format!(
            "{} of processor time, at most {:.0} % of its thread, {} of memory",
            text::duration(generator.cpu_ms),
            generator.busiest * 100.0,
            bytes(generator.memory_bytes as f64)
        ),
    ));
    facts.push((
        "schedule lag",
        format!(
            "p50 {}, p99 {}, max {}",
            lag(generator.lag.p50_ms),
            lag(generator.lag.p99_ms),
            lag(generator.lag.max_ms)
        ),
    ));
    facts
}

fn server(samples: &[Sample]) -> String {
    let most = |of: fn(&Sample) -> f64| samples.iter().map(of).fold(0.0, f64::max);
    format!(
        "{:.2} cores on average, at most {:.2}; memory {} → {}, at most {}; {}, {}",
        mean(samples, |sample| sample.cpu),
        most(|sample| sample.cpu),
        bytes(samples.first().map_or(0.0, |sample| sample.memory_bytes as f64)),
        bytes(samples.last().map_or(0.0, |sample| sample.memory_bytes as f64)),
        bytes(most(|sample| sample.memory_bytes as f64)),
        text::count(most(|sample| f64::from(sample.processes)) as usize, "process")
            .replace("processs", "processes"),
        text::count(most(|sample| f64::from(sample.threads)) as usize, "thread"),
    )
}

fn disk(samples: &[Sample]) -> String {
    format!(
        "{}/s written, {}/s read on average; {:.2} cores waited for disks",
        bytes(mean(samples, |sample| sample.written_bytes_per_s)),
        bytes(mean(samples, |sample| sample.read_bytes_per_s)),
        mean(samples, |sample| sample.disk_wait),
    )
}

/// The mean of something over all samples.
fn mean(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    if samples.is_empty() { 0.0 } else { samples.iter().map(of).sum::<f64>() / samples.len() as f64 }
}

/// Bytes in the unit that suits them.
pub(super) fn bytes(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1024.0 => format!("{bytes:.0} B"),
        bytes if bytes < 1024.0 * 1024.0 => format!("{:.0} KiB", bytes / 1024.0),
        bytes if bytes < 1024.0 * 1024.0 * 1024.0 => format!("{:.0} MiB", bytes / 1024.0 / 1024.0),
        bytes => format!("{:.2} GiB", bytes / 1024.0 / 1024.0 / 1024.0),
    }
}
