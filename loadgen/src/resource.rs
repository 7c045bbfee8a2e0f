//! What gave way when a server could take no more.

use reports::load::{LoadRecord, Sample};

/// The share of the machine's processors from which on there are none left.
const FULL: f64 = 0.9;
/// Cores of a server that runs on one thread at a time and has filled it.
const ONE_CORE: std::ops::Range<f64> = 0.85..1.15;
/// Memory that a machine needs to go on.
const LEAST_AVAILABLE_BYTES: u64 = 200 * 1024 * 1024;
/// Cores that wait for disks when disks are what everybody waits for.
const DISK_WAIT: f64 = 0.5;

/// Names what was exhausted in a run whose objectives were missed, in words that go on a sentence.
pub(crate) fn gave_way(record: &LoadRecord) -> String {
    if let Some(why) = &record.void {
        return format!("the generator gave way before the server did ({why})");
    }
    if let Some(why) = &record.fault {
        return format!("the server failed ({why})");
    }
    let samples = &record.samples;
    if samples.is_empty() {
        return "something gave way that cannot be seen from here: the server's processes are elsewhere"
            .to_owned();
    }
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
    let (server, generator, foreign) =
        (mean(|sample| sample.cpu), mean(|sample| sample.generator_cpu), mean(|sample| sample.foreign_cpu));
    let cores = record.machine.cores.max(1) as f64;
    let least = samples.iter().map(|sample| sample.available_bytes).min().unwrap_or(u64::MAX);
    if server >= FULL * cores {
        format!("processors gave way: the server used {server:.1} of {cores} cores")
    } else if ONE_CORE.contains(&server) {
        format!("one core gave way: the server used {server:.2} cores and cannot use more")
    } else if server + generator + foreign >= FULL * cores {
        format!(
            "processors gave way: the server used {server:.1} of {cores} cores, the generator {generator:.1}, other programs {foreign:.1}"
        )
    } else if least < LEAST_AVAILABLE_BYTES {
        format!("memory gave way: {} MiB were left on the machine", least / 1024 / 1024)
    } else if mean(|sample| sample.disk_wait) >= DISK_WAIT {
        format!("disks gave way: {:.1} cores waited for them", mean(|sample| sample.disk_wait))
    } else {
        format!(
            "latency gave way with no resource exhausted: the server used {server:.1} of {cores} cores, so its requests waited for each other"
        )
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Sample { cpu: 3.9, ..PLENTY }, "processors gave way: the server")]
    #[case(Sample { cpu: 1.0, ..PLENTY }, "one core gave way")]
    #[case(Sample { cpu: 2.0, foreign_cpu: 1.9, ..PLENTY }, "other programs 1.9")]
    #[case(Sample { cpu: 0.5, available_bytes: 1024, ..PLENTY }, "memory gave way")]
    #[case(Sample { cpu: 0.5, disk_wait: 0.9, ..PLENTY }, "disks gave way")]
    #[case(Sample { cpu: 0.5, ..PLENTY }, "latency gave way")]
    fn what_is_exhausted_is_named(#[case] sample: Sample, #[case] words: &str) {
        let mut record = LoadRecord::begun(Default::default(), 1, Default::default(), String::new(), "");
        record.machine.cores = 4;
        record.samples = vec![sample; 3];
        let named = gave_way(&record);
        assert!(named.contains(words), "{named}");
    }

    const PLENTY: Sample = Sample {
        at_ms: 0.0,
        processes: 1,
        threads: 1,
        cpu: 0.0,
        memory_bytes: 0,
        read_bytes_per_s: 0.0,
        written_bytes_per_s: 0.0,
        generator_cpu: 0.0,
        foreign_cpu: 0.0,
        available_bytes: u64::MAX,
        disk_wait: 0.0,
    };
}
