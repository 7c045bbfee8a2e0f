//! A run in a few words: what was judged, by what, and how it came out.

use std::fmt::Write;

use crate::{Coverage, Outcome, Record, Summary, text};

/// The totals in words, without colour: `1,204 checks: 1,180 passed, …`.
pub(crate) fn totals(summary: &Summary) -> String {
    let parts = [
        (summary.passed, "passed"),
        (summary.failed, "failed"),
        (summary.advised, "advised"),
        (summary.observed, "observed"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, word)| *number > 0 || ["passed", "failed"].contains(word))
        .map(|(number, word)| format!("{} {word}", text::thousands(*number)))
        .collect();
    let mut totals = format!("{}: {}", text::count(summary.checks, "check"), parts.join(", "));
    if summary.not_applicable > 0 {
        let _ = write!(totals, "; {} not applicable", text::thousands(summary.not_applicable));
    }
    if summary.faults > 0 {
        let _ = write!(totals, "; {}", text::count(summary.faults, "fault"));
    }
    totals
}

/// The outcome in words.
pub(crate) fn outcome(record: &Record, summary: &Summary) -> String {
    let words = match record.outcome() {
        Outcome::AsExpected => "as expected".to_owned(),
        Outcome::Unexpected => text::count(summary.unexpected, "unexpected result"),
        Outcome::Fault if summary.unexpected > 0 => text::count(summary.unexpected, "unexpected fault"),
        Outcome::Fault => "incomplete".to_owned(),
    };
    if record.interrupted {
        let put = summary.checks + summary.not_applicable + summary.faults;
        format!(
            "{words}; interrupted after {} of {}",
            text::thousands(put),
            text::count(record.total, "check")
        )
    } else {
        words
    }
}

/// Name and version of the target, in one line.
pub(crate) fn target(record: &Record) -> String {
    let version = record.target.version.as_deref().unwrap_or_default();
    text::one_line(&format!("{} {version}", record.target.name))
}

/// What a reader has to know of the run, by label; only what there is.
pub(crate) fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let releases = &record.releases;
    let chosen =
        if releases.chosen_by.is_empty() { String::new() } else { format!(" ({})", releases.chosen_by) };
    let machine = &record.machine;
    let cpu = record
        .harness_cpu_ms
        .map_or(String::new(), |cpu_ms| format!(", harness CPU {}", text::duration(cpu_ms)));
    let exchanges = match record.exchanges {
        0 => String::new(),
        count => format!(" for {} exchanges", text::thousands(count as usize)),
    };
    let facts = [
        ("target", target(record)),
        ("settings", record.target.notes.join("; ")),
        (
            "judged by",
            if releases.judged.is_empty() { String::new() } else { format!("{}{chosen}", releases.judged) },
        ),
        ("advertised", releases.advertised.join(" ")),
        ("seed", record.seed.to_string()),
        ("started", record.started.clone()),
        ("took", format!("{}{exchanges}{cpu}", text::duration(record.duration_ms))),
        (
            "machine",
            if machine.os.is_empty() {
                String::new()
            } else {
                format!("{} {}, {}", machine.os, machine.arch, text::count(machine.cores, "core"))
            },
        ),
        ("command", record.command.clone()),
        ("coverage", record.coverage.as_ref().map(coverage).unwrap_or_default()),
    ];
    facts
        .into_iter()
        .map(|(label, fact)| (label, text::one_line(&fact)))
        .filter(|(_, fact)| !fact.is_empty())
        .collect()
}

/// Coverage in a line.
fn coverage(coverage: &Coverage) -> String {
    let operations = &coverage.operations;
    let (client, server) = (&operations.client_server, &operations.server_server);
    format!(
        "client-server {}/{} operations, server-server {}/{} in and {}/{} out, {}/{} responses, {}/{} error codes, \
         {}/{} requirements",
        client.asserted,
        client.total,
        server.asserted_inbound,
        server.total,
        server.asserted_outbound,
        server.total_outbound(),
        coverage.responses.asserted,
        coverage.responses.total,
        coverage.error_codes.asserted,
        coverage.error_codes.total,
        coverage.requirements.proved,
        coverage.requirements.total,
    )
}
