//! `determinant sessions`: random client sessions with a server.

use std::process::ExitCode;

use indicatif::ProgressBar;
use reference_server::misbehave::Fault;
use serde_json::json;
use suite::{RunError, sessions::Summary, target::Source};

use crate::{Failure, arguments::Sessions, say};

pub(crate) fn sessions(arguments: &Sessions) -> Result<ExitCode, Failure> {
    let source = source(arguments);
    let seed = arguments.seed.unwrap_or_else(suite::seed);
    let (cases, jobs) = (arguments.cases as usize, arguments.jobs as usize);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Fault(format!("no runtime: {error}")))?;
    let progress = ProgressBar::new(cases as u64);
    let played = runtime.block_on(suite::sessions::sessions(
        &source,
        arguments.i_own_this_server,
        cases,
        seed,
        jobs,
        || progress.inc(1),
    ));
    progress.finish_and_clear();
    runtime.shutdown_background();
    let summary = played.map_err(|error| match error {
        RunError::Usage(words) => Failure::Usage(words),
        error => Failure::Fault(error.to_string()),
    })?;
    say(told_in_words(&summary, seed));
    if arguments.json {
        say(json!({
            "cases": summary.cases, "broken": summary.broken.len(), "faults": summary.faults.len(), "seed": seed,
            "seeds": summary.broken.iter().map(|(seed, _)| seed).collect::<Vec<_>>(),
        }));
    }
    match (summary.broken.is_empty(), summary.faults.first()) {
        (false, _) => Ok(ExitCode::from(1)),
        (true, Some((seed, why))) => Err(Failure::Fault(format!("session {seed} did not end: {why}"))),
        (true, None) => Ok(ExitCode::SUCCESS),
    }
}

fn source(arguments: &Sessions) -> Source {
    match (&arguments.url, &arguments.target) {
        (Some(url), _) => Source::Url(url.clone()),
        (None, Some(path)) => Source::File(path.clone()),
        (None, None) => crate::run::reference_server(arguments.misbehave.map(Fault::name).as_deref()),
    }
}

fn told_in_words(summary: &Summary, seed: u64) -> String {
    let mut text = String::new();
    for (seed, what) in &summary.broken {
        text += &format!("BROKEN  session of seed {seed}\n{}\n", indented(what));
        text += &format!("  repeat  determinant sessions --cases 1 --seed {seed}\n\n");
    }
    let (cases, broken, faults) = (summary.cases, summary.broken.len(), summary.faults.len());
    text + &format!("{cases} sessions from seed {seed}: {broken} broke an invariant, {faults} did not end")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
