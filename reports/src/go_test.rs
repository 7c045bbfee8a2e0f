//! A finished run as the lines that `go test -json` prints, for tools that read those; see `go doc test2json`.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::style::Style;
use crate::{Check, Record, Verdict, account, text};

/// One JSON object a line. An area is a package and a check is a test of it. What is unexpected fails; what was not
/// applicable, or failed as foreseen, is skipped, with the reason as its output.
///
/// # Errors
/// When an object cannot be written as JSON.
pub fn render(record: &Record) -> io::Result<String> {
    let mut areas: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in &record.checks {
        areas.entry(check.area()).or_default().push(check);
    }
    let mut lines = Lines { record, text: String::new() };
    for (area, checks) in areas {
        lines.package(area, &checks)?;
    }
    Ok(lines.text)
}

/// The fields in the order in which Go writes them.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    /// When the run started: a record knows how long a check took, not when.
    #[serde(skip_serializing_if = "str::is_empty")]
    time: &'a str,
    action: &'a str,
    package: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<&'a str>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

struct Lines<'a> {
    record: &'a Record,
    text: String,
}

impl Lines<'_> {
    fn package(&mut self, area: &str, checks: &[&Check]) -> io::Result<()> {
        let package = format!("determinant/{}", text::one_line(area));
        let line = Line { time: &self.record.started, package: &package, ..Line::default() };
        self.add(&Line { action: "start", ..line.clone() })?;
        for check in checks {
            self.test(check, &line)?;
        }
        let has_failed = self.record.interrupted || checks.iter().any(|check| check.is_unexpected());
        let duration_ms: f64 = checks.iter().map(|check| check.duration_ms).sum();
        let action = if has_failed { "fail" } else { "pass" };
        self.add(&Line { action, elapsed: Some(seconds(duration_ms)), ..line })
    }

    fn test(&mut self, check: &Check, package: &Line<'_>) -> io::Result<()> {
        let id = text::one_line(&check.id);
        let name = id.strip_prefix(check.area()).unwrap_or(&id).trim_start_matches('/');
        let line = Line { test: Some(if name.is_empty() { &id } else { name }), ..package.clone() };
        self.add(&Line { action: "run", ..line.clone() })?;
        for output in output(self.record, check) {
            self.add(&Line { action: "output", output: Some(format!("    {output}\n")), ..line.clone() })?;
        }
        let elapsed = Some(seconds(check.duration_ms));
        self.add(&Line { action: action(check), elapsed, ..line })
    }

    fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.text.push_str(&serde_json::to_string(line)?);
        self.text.push('\n');
        Ok(())
    }
}

fn action(check: &Check) -> &'static str {
    match check.verdict {
        _ if check.is_unexpected() => "fail",
        Verdict::NotApplicable | Verdict::Fail | Verdict::Fault => "skip",
        Verdict::Pass | Verdict::Advice | Verdict::Observed => "pass",
    }
}

fn output(record: &Record, check: &Check) -> Vec<String> {
    if check.is_unexpected() {
        return account::of(record, check, Style::plain());
    }
    let story = match check.verdict {
        Verdict::Fail | Verdict::Fault => check.expectation.as_deref().unwrap_or("as expected"),
        _ => check.story(),
    };
    text::one_line(story).lines().map(|line| format!("{}: {line}", check.verdict.words())).collect()
}

fn seconds(duration_ms: f64) -> f64 {
    duration_ms.round() / 1e3
}
