//! `determinant hostile`: mutated federation requests and stalled connections, while clients go on asking.

use std::{fmt::Write, process::ExitCode, time::Duration};

use indicatif::ProgressBar;
use serde_json::{Value, json};
use suite::hostile::{Plan, Summary, Waits};

use crate::{Failure, arguments::Hostile, harness, say};

pub(crate) fn hostile(arguments: &Hostile) -> Result<ExitCode, Failure> {
    let source = harness::source(arguments.url.as_ref(), arguments.target.as_ref(), None, &[]);
    let plan = Plan {
        requests: arguments.requests as usize,
        seed: arguments.seed.unwrap_or_else(suite::seed),
        at_once: arguments.jobs as usize,
        stalled: arguments.stalled as usize,
        stalled_for: arguments.stalled_for,
    };
    let progress = ProgressBar::new(plan.requests as u64);
    let sent = suite::hostile::hostile(&source, arguments.i_own_this_server, &plan, || progress.inc(1));
    let sent = harness::wait_for(sent);
    progress.finish_and_clear();
    let summary = sent?;
    let is_unharmed = summary.is_unharmed(arguments.within);
    say(told_in_words(&summary, plan.seed));
    if arguments.json {
        say(told_to_machines(&summary, plan.seed));
    }
    Ok(ExitCode::from(u8::from(!is_unharmed)))
}

fn told_in_words(summary: &Summary, seed: u64) -> String {
    let mut text = String::new();
    for (operation, breakdown) in &summary.breakdowns {
        let _ = writeln!(text, "BROKE DOWN  {operation}, {} times; the first:", breakdown.count);
        let _ = writeln!(text, "  sent  {}\n  came  {}\n", breakdown.request, breakdown.answer);
    }
    for line in &summary.panics {
        let _ = writeln!(text, "PANIC  {line}");
    }
    if let Some(how) = &summary.ended {
        let _ = writeln!(text, "ENDED  the server: {how}");
    }
    let statuses = summary.statuses.iter().map(|(status, count)| format!("{count} × {status}"));
    let statuses = statuses.collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "answers of seed {seed}: {statuses}; {} without one", summary.unanswered);
    let _ = writeln!(text, "stalled connections: {:.0} s, all added up", summary.stalled_seconds);
    if let Some((before, after)) = summary.resident_kib {
        let _ = writeln!(text, "resident memory: {before} KiB before, {after} KiB after");
    }
    for (when, waits) in phases(summary) {
        let (half, most) = (ms(waits.percentile(50.0)), ms(waits.percentile(99.0)));
        let (count, failures) = (waits.count(), waits.failures);
        let _ = writeln!(
            text,
            "a user waited {when}: p50 {half:.1} ms, p99 {most:.1} ms for {count} requests; {failures} failed"
        );
    }
    text.trim_end().to_owned()
}

fn told_to_machines(summary: &Summary, seed: u64) -> Value {
    let waits = phases(summary).into_iter().map(|(when, waits)| {
        let p50 = ms(waits.percentile(50.0));
        let told = json!({"count": waits.count(), "failures": waits.failures, "p50_ms": p50, "p99_ms": ms(waits.percentile(99.0))});
        (when.to_owned(), told)
    });
    json!({
        "seed": seed, "statuses": summary.statuses, "unanswered": summary.unanswered,
        "breakdowns": summary.breakdowns.values().map(|breakdown| breakdown.count).sum::<usize>(),
        "panics": summary.panics.len(), "ended": summary.ended, "stalled_seconds": summary.stalled_seconds,
        "resident_kib": summary.resident_kib, "waits": waits.collect::<serde_json::Map<_, _>>(),
    })
}

fn phases(summary: &Summary) -> [(&'static str, &Waits); 3] {
    [("before", &summary.before), ("meanwhile", &summary.meanwhile), ("afterwards", &summary.afterwards)]
}

fn ms(wait: Duration) -> f64 {
    (wait.as_secs_f64() * 10_000.0).round() / 10.0
}
