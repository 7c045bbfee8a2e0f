//! `determinant histories`: random room histories told to a server over federation.

use std::{fmt::Write, process::ExitCode};

use indicatif::ProgressBar;
use protocol::RoomVersion;
use serde_json::json;
use suite::histories::{Plan, Summary};

use crate::{Failure, arguments::Histories, harness, say};

pub(crate) fn histories(arguments: &Histories) -> Result<ExitCode, Failure> {
    let (url, target) = (arguments.url.as_ref(), arguments.target.as_ref());
    let source = harness::source(url, target, None, &arguments.misbehave);
    // Version 1 resolves states by another algorithm, which no new room has.
    let usual = || RoomVersion::ALL.iter().copied().filter(|version| version.id != "1").collect();
    let plan = Plan {
        cases: arguments.cases as usize,
        seed: arguments.seed.unwrap_or_else(suite::seed),
        versions: Some(arguments.room_version.clone())
            .filter(|named| !named.is_empty())
            .unwrap_or_else(usual),
        at_once: arguments.jobs as usize,
        known: arguments.known.clone(),
        only: arguments.history,
    };
    let progress = ProgressBar::new(plan.cases as u64);
    let told = harness::wait_for(async {
        let enough = harness::interrupted()?;
        suite::histories::histories(&source, arguments.i_own_this_server, &plan, enough, || progress.inc(1))
            .await
    });
    progress.finish_and_clear();
    let summary = told?;
    say(told_in_words(&summary, plan.seed));
    if arguments.json {
        say(json!({
            "seed": plan.seed, "cases": summary.cases, "tellings": summary.tellings, "states": summary.asked.states,
            "visible": summary.asked.visible, "known": summary.asked.known, "unknown": summary.asked.unknown, "untold": summary.untold,
            "not_offered": summary.not_offered, "partings": summary.findings.len(), "faults": summary.faults.len(),
            "indices": summary.findings.iter().map(|finding| finding.index).collect::<Vec<_>>(),
        }));
    }
    match (summary.findings.is_empty(), summary.faults.first()) {
        (false, _) => Ok(ExitCode::from(1)),
        (true, Some((index, why))) => Err(Failure::Fault(format!("history {index} did not end: {why}"))),
        (true, None) => Ok(ExitCode::SUCCESS),
    }
}

fn told_in_words(summary: &Summary, seed: u64) -> String {
    let mut text = String::new();
    for finding in &summary.findings {
        let drawing: String = finding.drawing.lines().map(|line| format!("    │ {line}\n")).collect();
        let _ = writeln!(text, "PARTS  made small from history {} of seed {seed}", finding.index);
        let _ = writeln!(text, "{drawing}  {}", finding.parting);
        let (version, index) = (finding.version.id, finding.index);
        let _ = writeln!(
            text,
            "  repeat  determinant histories --seed {seed} --history {index} --room-version {version}\n"
        );
    }
    for (index, why) in &summary.faults {
        let _ = writeln!(text, "FAULT  history {index} of seed {seed}: {why}\n");
    }
    for (why, count) in &summary.untold {
        let _ = writeln!(text, "{count} generated histories were not told: {why}");
    }
    if !summary.not_offered.is_empty() {
        let _ =
            writeln!(text, "the server does not offer the room versions {}", summary.not_offered.join(", "));
    }
    let asked = &summary.asked;
    if asked.known > 0 {
        let _ = writeln!(text, "{} answers differ in a way that is known", asked.known);
    }
    let _ = write!(
        text,
        "{} histories of seed {seed}, told {} times: {} states and {} events as shown to clients compared, {} not known to \
         the server; {} part from the oracle, {} did not end",
        summary.cases,
        summary.tellings,
        asked.states,
        asked.visible,
        asked.unknown,
        summary.findings.len(),
        summary.faults.len()
    );
    text
}
