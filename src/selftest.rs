//! `determinant selftest`: proof that the suite can fail a server.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use reference_server::misbehave::Fault;
use serde_json::json;
use suite::{
    registry::TESTS,
    selftest::{Blind, Excluded, Eyesight, Kind, NamedFault, Progress, Settings, Survivor, Tally},
};

use crate::{
    Failure,
    arguments::{FaultKind, Selftest},
    harness, run, say,
};

pub(crate) fn selftest(arguments: &Selftest) -> Result<ExitCode, Failure> {
    let settings = settings(arguments);
    let named: Vec<NamedFault> =
        Fault::all().map(|fault| NamedFault { name: fault.name(), sentence: fault.sentence() }).collect();
    let faulty = |fault: Option<&str>| run::reference_server(fault.and_then(Fault::find).as_slice(), false);
    if arguments.list {
        let survey = suite::selftest::survey(TESTS, &named, faulty, &settings);
        let (faults, excluded) = harness::wait_for(survey)?;
        say(listed_in_words(&faults, &excluded));
        return Ok(ExitCode::SUCCESS);
    }
    let progress = progress();
    let told = |event: Progress<'_>| match event {
        Progress::Begun(faults) => progress.set_length(faults as u64),
        Progress::Tried(fault, seen) => {
            progress.inc(1);
            if !seen {
                progress.println(format!("not seen: {fault}"));
            }
        }
    };
    if arguments.tests {
        let ended = harness::wait_for(suite::selftest::eyesight(TESTS, faulty, &settings, told));
        progress.finish_and_clear();
        let eyesight = ended?;
        say(seen_in_words(&eyesight, settings.seed));
        if arguments.json {
            say(json!({
                "tests": eyesight.tests, "red": eyesight.red, "blind": eyesight.blind, "seed": settings.seed,
            }));
        }
        return Ok(ExitCode::from(u8::from(!eyesight.blind.is_empty())));
    }
    let ended = harness::wait_for(suite::selftest::selftest(TESTS, &named, faulty, &settings, told));
    progress.finish_and_clear();
    let tally = ended?;
    say(told_in_words(&tally, settings.seed));
    if arguments.json {
        say(json!({
            "shape": tally.shape, "value": tally.value, "semantic": tally.semantic, "survivors": tally.survivors,
            "excluded": tally.excluded, "not_committed": tally.not_committed, "seed": settings.seed,
        }));
    }
    Ok(ExitCode::from(u8::from(!tally.survivors.is_empty())))
}

fn settings(arguments: &Selftest) -> Settings {
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get());
    let kind = |kind: &FaultKind| match kind {
        FaultKind::Shape => Kind::Shape,
        FaultKind::Value => Kind::Value,
        FaultKind::Semantic => Kind::Semantic,
    };
    let kinds = arguments.kind.iter().map(kind).collect::<Vec<_>>();
    Settings {
        sample: arguments.sample.map(|sample| sample as usize),
        seed: arguments.seed.unwrap_or_else(suite::seed),
        at_once: arguments.jobs.map_or(2 * processors, |jobs| jobs.get()),
        kinds: if kinds.is_empty() { Kind::ALL.to_vec() } else { kinds },
        only: arguments.only.clone(),
    }
}

fn listed_in_words(faults: &[(Kind, String)], excluded: &[Excluded]) -> String {
    let faults = faults.iter().map(|(kind, fault)| format!("{kind:<8}  {fault}"));
    let excluded = excluded.iter().map(|Excluded { fault, why }| format!("excluded  {fault}: {why}"));
    faults.chain(excluded).collect::<Vec<_>>().join("\n")
}

fn seen_in_words(eyesight: &Eyesight, seed: u64) -> String {
    let mut text = String::new();
    for Blind { test, faults } in &eyesight.blind {
        text += &format!("turned red by no fault  {test} ({faults} faults were committed before it)\n");
    }
    text += &format!("\n{} hand-written tests\n", eyesight.tests);
    for (kind, count) in &eyesight.red {
        text += &format!("{count:>7}  turned red by faults of kind {kind}\n");
    }
    text + &format!("{:>7}  by none\nseed {seed}", eyesight.blind.len())
}

fn told_in_words(tally: &Tally, seed: u64) -> String {
    let mut text = String::new();
    for Survivor { kind, fault, sentence, checks, why } in &tally.survivors {
        let sentence = sentence.as_ref().map(|sentence| format!(": {sentence}")).unwrap_or_default();
        text += &format!("not seen  {kind:<8}  {fault}{sentence} ({checks} checks met it)\n");
        if !why.is_empty() {
            text += &format!("          {why}\n");
        }
    }
    text += &format!("\n          {:>7} {:>7}\n", "tried", "seen");
    for kind in Kind::ALL {
        let count = tally.of(kind);
        text += &format!("{kind:<8}  {:>7} {:>7}\n", count.tried, count.seen);
    }
    for (why, count) in tally.excluded_by_reason() {
        text += &format!("excluded  {count:>7}  {why}\n");
    }
    text + &format!("seed {seed}")
}

fn progress() -> ProgressBar {
    let progress = ProgressBar::new(0);
    match ProgressStyle::with_template("{wide_bar} {pos}/{len} faults {eta}") {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}
