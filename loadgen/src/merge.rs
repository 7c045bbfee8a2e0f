//! The records of the parts of a run, put together: histograms are added, never averaged.

use reports::load::{Generator, Histogram, LoadRecord, Part, Sample, Spread};

use crate::objective::Demand;

/// Why records are not the parts of one run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOneRun {
    /// There is nothing to be put together.
    #[error("expected the records of the parts of one run, got none")]
    Nothing,
    /// A record is no part.
    #[error("record {0} is of a whole run, not of a part of one")]
    Whole(usize),
    /// Two records are of different runs.
    #[error("records 1 and {number} are of different runs: their {what} differ")]
    Different {
        /// Which record, counted from 1.
        number: usize,
        /// What differs.
        what: &'static str,
    },
    /// A part is there twice.
    #[error("part {0} is there twice")]
    Twice(u32),
}

/// Puts the parts of a run together and judges the whole by these objectives.
///
/// A part that is missing, was broken off, was void, or whose target failed makes the whole void or failed: what it would have
/// measured is not there, and a percentile without it would be of another run.
///
/// # Errors
/// When the records are not parts of one run.
pub fn merge(parts: &[LoadRecord], demands: &[Demand]) -> Result<LoadRecord, NotOneRun> {
    let of = of_one_run(parts)?;
    let mut whole = parts[0].clone();
    whole.plan.part = None;
    whole.void = void(parts, of);
    whole.fault =
        parts.iter().find_map(|part| Some(format!("in part {}: {}", index(part), part.fault.as_ref()?)));
    whole.interrupted = false;
    for part in &parts[1..] {
        add(&mut whole, part);
    }
    whole.samples = samples(parts);
    whole.generator = generator(parts);
    whole.notices = parts
        .iter()
        .flat_map(|part| part.notices.iter().map(|notice| format!("part {}: {notice}", index(part))))
        .collect();
    whole.objectives = demands.iter().map(|demand| demand.judge(&whole)).collect();
    Ok(whole)
}

/// Of how many parts these are, once they are parts of one run.
fn of_one_run(parts: &[LoadRecord]) -> Result<u32, NotOneRun> {
    let first = parts.first().ok_or(NotOneRun::Nothing)?;
    let mut seen = Vec::new();
    for (number, record) in (1..).zip(parts) {
        let Part { index, of } = record.plan.part.ok_or(NotOneRun::Whole(number))?;
        let agreed = |record: &LoadRecord| reports::load::Plan { part: None, ..record.plan.clone() };
        let differences = [
            ("targets", record.target.name != first.target.name),
            ("seeds", record.seed != first.seed),
            ("starts", record.started != first.started),
            ("numbers of parts", Some(of) != first.plan.part.map(|part| part.of)),
            ("plans", agreed(record) != agreed(first)),
        ];
        if let Some((what, _)) = differences.into_iter().find(|(_, differ)| *differ) {
            return Err(NotOneRun::Different { number, what });
        }
        if seen.contains(&index) {
            return Err(NotOneRun::Twice(index));
        }
        seen.push(index);
    }
    Ok(first.plan.part.map_or(1, |part| part.of))
}

fn void(parts: &[LoadRecord], of: u32) -> Option<String> {
    let missing = (1..=of).find(|index| !parts.iter().any(|part| self::index(part) == *index));
    let missing = missing.map(|index| format!("part {index} of {of} is missing"));
    let broken = parts.iter().find(|part| part.interrupted);
    let broken =
        broken.map(|part| format!("part {} of {of} was broken off: it did not reach its end", index(part)));
    let void = parts
        .iter()
        .find_map(|part| Some(format!("part {} of {of} is void: {}", index(part), part.void.as_ref()?)));
    missing.or(broken).or(void)
}

fn index(part: &LoadRecord) -> u32 {
    part.plan.part.map_or(0, |part| part.index)
}

fn add(whole: &mut LoadRecord, part: &LoadRecord) {
    for series in &part.series {
        match whole.series.iter_mut().find(|known| known.name == series.name) {
            Some(known) => known.add(series),
            None => whole.series.push(series.clone()),
        }
    }
    for (name, number) in &part.counts {
        *whole.counts.entry(name.clone()).or_default() += number;
    }
    whole.duration_ms = whole.duration_ms.max(part.duration_ms);
    whole.population_ms = whole.population_ms.max(part.population_ms);
}

/// The server as the part saw it that saw most of it: a generator elsewhere sees nothing of its processes, and two on one
/// machine see the same.
fn samples(parts: &[LoadRecord]) -> Vec<Sample> {
    let memory = |part: &&LoadRecord| part.samples.iter().map(|sample| sample.memory_bytes).max();
    parts.iter().max_by_key(memory).map(|part| part.samples.clone()).unwrap_or_default()
}

fn generator(parts: &[LoadRecord]) -> Generator {
    let mut lag = Histogram::default();
    parts.iter().for_each(|part| lag.add(&part.generator.lag.histogram));
    let all = || parts.iter().map(|part| &part.generator);
    Generator {
        lag: Spread::from(lag),
        cpu_ms: all().map(|generator| generator.cpu_ms).sum(),
        busiest: all().map(|generator| generator.busiest).fold(0.0, f64::max),
        descriptors: all().map(|generator| generator.descriptors).sum(),
        descriptor_limit: all().map(|generator| generator.descriptor_limit).min().unwrap_or_default(),
        connections: all().map(|generator| generator.connections).sum(),
        port_limit: all().map(|generator| generator.port_limit).min().unwrap_or_default(),
        memory_bytes: all().map(|generator| generator.memory_bytes).sum(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use reports::load::Plan;
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;
    use crate::{
        connection::Problem,
        recorder::{Moments, Recorder},
    };

    /// What became of one arrival.
    #[derive(Clone, Copy, Debug)]
    struct Arrival {
        due_ms: u64,
        operation: usize,
        outcome: Outcome,
    }

    #[derive(Clone, Copy, Debug)]
    enum Outcome {
        Answered(u64),
        Failed,
        Dropped,
        Limited,
    }

    const NAMES: [&str; 2] = ["send", "join"];
    const PARTS: u32 = 3;

    fn any_arrival() -> impl Strategy<Value = Arrival> {
        let outcome = prop_oneof![
            4 => (0_u64..5_000_000).prop_map(Outcome::Answered),
            1 => Just(Outcome::Failed),
            1 => Just(Outcome::Dropped),
            1 => Just(Outcome::Limited),
        ];
        (0_u64..10_000, 0..NAMES.len(), outcome).prop_map(|(due_ms, operation, outcome)| Arrival {
            due_ms,
            operation,
            outcome,
        })
    }

    /// The record of those arrivals that a part has.
    fn record(start: Instant, arrivals: &[Arrival], part: Option<Part>) -> LoadRecord {
        let recorder = Recorder::new(start, Duration::from_secs(10));
        let operations = NAMES.map(|name| recorder.operation(name));
        for (number, arrival) in (0_u32..).zip(arrivals) {
            if part.is_some_and(|part| number % part.of != part.index - 1) {
                continue;
            }
            let due = start + Duration::from_millis(arrival.due_ms);
            let (operation, moments) = (operations[arrival.operation], Moments { due, begun: due });
            if !matches!(arrival.outcome, Outcome::Dropped) {
                recorder.started(operation, due, 1);
            }
            match arrival.outcome {
                Outcome::Answered(micros) => {
                    recorder.ended_at(operation, moments, due + Duration::from_micros(micros))
                }
                Outcome::Failed => recorder.ended(operation, moments, Err(&Problem::TimedOut)),
                Outcome::Dropped => recorder.dropped(operation, due),
                Outcome::Limited => recorder.limited(operation, due, 1),
            }
        }
        let plan = Plan { part, ..Plan::default() };
        let mut record = LoadRecord::begun(Default::default(), 5, plan, "now".to_owned(), "");
        record.interrupted = false;
        record.series = recorder.series();
        // A part that saw nothing late has fewer intervals; the last of a whole run are as empty.
        for series in &mut record.series {
            series.intervals.resize_with(10, Default::default);
        }
        record
    }

    fn parts(start: Instant, arrivals: &[Arrival]) -> Vec<LoadRecord> {
        (1..=PARTS).map(|index| record(start, arrivals, Some(Part { index, of: PARTS }))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever arrives, the parts together say what one process would have said.
        #[test]
        fn the_sum_of_the_parts_is_the_whole(arrivals in proptest::collection::vec(any_arrival(), 0..120)) {
            let start = Instant::now();
            let merged = merge(&parts(start, &arrivals), &[]).expect("parts of one run");
            prop_assert_eq!(merged.series, record(start, &arrivals, None).series);
            prop_assert_eq!(merged.void, None);
        }
    }

    fn three() -> Vec<LoadRecord> {
        let arrival = Arrival { due_ms: 1, operation: 0, outcome: Outcome::Answered(5_000) };
        parts(Instant::now(), &[arrival; 9])
    }

    #[rstest]
    #[case(|parts: &mut Vec<LoadRecord>| drop(parts.remove(1)), "part 2 of 3 is missing")]
    #[case(|parts: &mut Vec<LoadRecord>| parts[1].interrupted = true, "part 2 of 3 was broken off: it did not reach its end")]
    #[case(|parts: &mut Vec<LoadRecord>| parts[2].void = Some("too slow".to_owned()), "part 3 of 3 is void: too slow")]
    fn a_part_that_failed_voids_the_whole(#[case] spoil: impl Fn(&mut Vec<LoadRecord>), #[case] why: &str) {
        let mut parts = three();
        spoil(&mut parts);
        let merged = merge(&parts, &[]).expect("parts of one run");
        assert_eq!(merged.void.as_deref(), Some(why));
        assert_eq!(merged.outcome(), reports::Outcome::Fault);
    }

    #[rstest]
    #[case(|parts: &mut Vec<LoadRecord>| parts.clear(), NotOneRun::Nothing)]
    #[case(|parts: &mut Vec<LoadRecord>| parts[1].plan.part = None, NotOneRun::Whole(2))]
    #[case(|parts: &mut Vec<LoadRecord>| parts[1].seed = 6, NotOneRun::Different { number: 2, what: "seeds" })]
    #[case(|parts: &mut Vec<LoadRecord>| parts[2].plan.users = 6, NotOneRun::Different { number: 3, what: "plans" })]
    #[case(|parts: &mut Vec<LoadRecord>| parts[2].started = "then".to_owned(), NotOneRun::Different { number: 3, what: "starts" })]
    #[case(|parts: &mut Vec<LoadRecord>| parts[2] = parts[1].clone(), NotOneRun::Twice(2))]
    fn records_of_different_runs_are_refused(
        #[case] spoil: impl Fn(&mut Vec<LoadRecord>),
        #[case] why: NotOneRun,
    ) {
        let mut parts = three();
        spoil(&mut parts);
        assert_eq!(merge(&parts, &[]), Err(why));
    }

    #[test]
    fn objectives_are_judged_on_the_whole() {
        let demand = "send count >= 9".parse().expect("a demand");
        let merged = merge(&three(), &[demand]).expect("parts of one run");
        assert!(merged.objectives[0].kept);
    }
}
