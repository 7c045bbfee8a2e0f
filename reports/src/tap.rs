//! A finished run in the Test Anything Protocol, version 14.

use crate::style::Style;
use crate::{Check, Record, Verdict, account, headline, text};

/// One test point a check. What the expectations foresee carries `TODO`, what was not applicable carries `SKIP`; every
/// unexpected result is `not ok`, an unexpected pass as well.
#[must_use]
pub fn render(record: &Record) -> String {
    let mut text = format!("TAP version 14\n1..{}\n# {}\n", record.checks.len(), headline::target(record));
    for (index, check) in record.checks.iter().enumerate() {
        point(record, index + 1, check, &mut text);
    }
    for notice in &record.notices {
        text.push_str(&format!("# {}\n", text::one_line(notice)));
    }
    if record.interrupted {
        text.push_str("Bail out! the run was interrupted\n");
    }
    text
}

fn point(record: &Record, number: usize, check: &Check, text: &mut String) {
    let is_unexpected = check.is_unexpected();
    let is_bad = is_unexpected || matches!(check.verdict, Verdict::Fail | Verdict::Fault);
    let directive = match check.verdict {
        Verdict::NotApplicable => format!(" # SKIP {}", one_line(check.story())),
        Verdict::Fail | Verdict::Fault if !is_unexpected => {
            format!(" # TODO {}", one_line(check.expectation.as_deref().unwrap_or("as expected")))
        }
        _ => String::new(),
    };
    let ok = if is_bad { "not ok" } else { "ok" };
    text.push_str(&format!("{ok} {number} - {}{}\n", one_line(&check.id), directive.trim_end()));
    if is_unexpected || matches!(check.verdict, Verdict::Advice | Verdict::Observed) {
        diagnostics(record, check, text);
    }
}

/// A YAML block whose scalars are written as JSON strings: every one of them is YAML, too.
fn diagnostics(record: &Record, check: &Check, output: &mut String) {
    output.push_str("  ---\n");
    let mut member = |name: &str, value: &str| {
        let value = serde_json::Value::from(text::printable(value));
        output.push_str(&format!("  {name}: {value}\n"));
    };
    member("verdict", check.verdict.as_str());
    member("expected", check.expected.as_str());
    member("severity", check.severity.as_str());
    member("spec", &record.citation_url(&check.spec));
    if check.is_unexpected() {
        member("message", &account::of(record, check, Style::plain()).join("\n"));
    } else {
        member("message", check.story());
    }
    output.push_str("  ...\n");
}

/// Text in which neither a directive nor a line begins.
fn one_line(text: &str) -> String {
    text::one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}
