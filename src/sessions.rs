//! `determinant sessions`: random client sessions with a server.

use std::process::ExitCode;

use indicatif::ProgressBar;
use serde_json::json;
use suite::sessions::{Settings, Summary};

use crate::{Failure, arguments::Sessions, harness, run, say};

pub(crate) fn sessions(arguments: &Sessions) -> Result<ExitCode, Failure> {
    let (url, target) = (arguments.url.as_ref(), arguments.target.as_ref());
    let source = match (url, target) {
        (None, None) => run::reference_server(&arguments.misbehave, arguments.restart_every.is_some()),
        _ => harness::source(url, target, None, &[]),
    };
    let seed = arguments.seed.unwrap_or_else(suite::seed);
    let settings = Settings {
        cases: arguments.cases as usize,
        seed,
        at_once: arguments.jobs as usize,
        restart_every: arguments.restart_every,
        owned: arguments.i_own_this_server,
    };
    let progress = ProgressBar::new(u64::from(arguments.cases));
    let played = harness::wait_for(async {
        let enough = harness::interrupted()?;
        suite::sessions::sessions(&source, settings, enough, || progress.inc(1)).await
    });
    progress.finish_and_clear();
    let summary = played?;
    say(told_in_words(&summary, seed, arguments.restart_every.is_some()));
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

fn told_in_words(summary: &Summary, seed: u64, is_restarted: bool) -> String {
    // A session that is played alone has a restart in its midst where its like have one now and then.
    let restarts = if is_restarted { " --restart-every 1" } else { "" };
    let mut text = String::new();
    for (seed, what) in &summary.broken {
        text += &format!("BROKEN  session of seed {seed}\n{}\n", indented(what));
        text += &format!("  repeat  determinant sessions --cases 1 --seed {seed}{restarts}\n\n");
    }
    let (cases, broken, faults) = (summary.cases, summary.broken.len(), summary.faults.len());
    text + &format!("{cases} sessions from seed {seed}: {broken} broke an invariant, {faults} did not end")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
