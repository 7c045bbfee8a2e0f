//! `determinant sessions`: random client sessions with a server.

use std::process::ExitCode;

use indicatif::ProgressBar;
use serde_json::json;
use suite::sessions::Summary;

use crate::{Failure, arguments::Sessions, harness, say};

pub(crate) fn sessions(arguments: &Sessions) -> Result<ExitCode, Failure> {
    let (url, target) = (arguments.url.as_ref(), arguments.target.as_ref());
    let source = harness::source(url, target, None, arguments.misbehave);
    let seed = arguments.seed.unwrap_or_else(suite::seed);
    let (cases, jobs) = (arguments.cases as usize, arguments.jobs as usize);
    let progress = ProgressBar::new(cases as u64);
    let played = harness::wait_for(async {
        let (owned, enough) = (arguments.i_own_this_server, harness::interrupted()?);
        suite::sessions::sessions(&source, owned, cases, seed, jobs, enough, || progress.inc(1)).await
    });
    progress.finish_and_clear();
    let summary = played?;
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
