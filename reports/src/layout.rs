//! How a record lies in its file: opening, one line for each check, closing.
//!
//! The writer and the reader agree on it. To everybody else the file is plain JSON.

use serde::Serialize;

use crate::{Check, Coverage, Kind, Machine, Record, Releases, Summary, Target};

/// The line that the first check follows.
pub(crate) const FIRST_CHECK_AFTER: &str = "\"checks\":[";

#[derive(Serialize)]
struct Opening<'a> {
    format: &'a str,
    kind: Kind,
    target: &'a Target,
    seed: u64,
    releases: &'a Releases,
    total: usize,
    machine: &'a Machine,
    started: &'a str,
    command: &'a str,
}

#[derive(Serialize)]
struct Closing<'a> {
    summary: &'a Summary,
    coverage: &'a Option<Coverage>,
    notices: &'a [String],
    interrupted: bool,
    duration_ms: f64,
    exchanges: u64,
    harness_cpu_ms: Option<f64>,
}

/// Everything before the first check.
pub(crate) fn opening(record: &Record) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(&Opening {
        format: &record.format,
        kind: record.kind,
        target: &record.target,
        seed: record.seed,
        releases: &record.releases,
        total: record.total,
        machine: &record.machine,
        started: &record.started,
        command: &record.command,
    })?;
    text.pop();
    text.push_str(",\n");
    text.push_str(FIRST_CHECK_AFTER);
    Ok(text)
}

/// One check, with what parts it from what stands before.
pub(crate) fn line(check: &Check, is_first: bool) -> serde_json::Result<String> {
    let separator = if is_first { "\n" } else { ",\n" };
    Ok(format!("{separator}{}", serde_json::to_string(check)?))
}

/// Everything after the last check.
pub(crate) fn closing(record: &Record) -> serde_json::Result<String> {
    let text = serde_json::to_string(&Closing {
        summary: &record.summary,
        coverage: &record.coverage,
        notices: &record.notices,
        interrupted: record.interrupted,
        duration_ms: record.duration_ms,
        exchanges: record.exchanges,
        harness_cpu_ms: record.harness_cpu_ms,
    })?;
    Ok(format!("\n],\n{}\n", &text[1..]))
}
