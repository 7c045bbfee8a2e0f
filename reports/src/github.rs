//! A finished run as annotations of a GitHub workflow.

use crate::digest::{self, Digest};
use crate::{Check, Outcome, Record, headline, text};

/// GitHub shows ten errors of a step and drops the others without a word.
const SHOWN: usize = 10;

/// One workflow command a line: an error for each unexpected result as far as GitHub shows them, the worst first, and
/// a notice with the totals.
#[must_use]
pub fn render(record: &Record) -> String {
    let digest = Digest::of(record);
    let mut errors: Vec<String> = Vec::new();
    for group in digest::by_stem(&digest.failures) {
        errors.push(annotation(record, &group, "fails"));
    }
    for group in digest::by_stem(&digest.surprising_passes) {
        errors.push(annotation(record, &group, "passes unexpectedly"));
    }
    for group in digest::by_stem(&digest.other_surprises) {
        errors.push(annotation(record, &group, "differs from its expectation"));
    }
    for group in digest::by_reason(&digest.faults) {
        errors.push(annotation(record, &group, "could not be put"));
    }
    let left_out = errors.len().saturating_sub(SHOWN);
    if left_out > 0 {
        errors.truncate(SHOWN - 1);
        let rest = format!("and {} of this run: see its report", text::count(left_out + 1, "more error"));
        errors.push(command("error", "Determinant", &rest));
    }
    let message = format!(
        "{}: {}; {}",
        headline::target(record),
        headline::totals(&digest.summary),
        headline::outcome(record, &digest.summary)
    );
    let level = if record.outcome() == Outcome::AsExpected { "notice" } else { "error" };
    errors.push(command(level, "Determinant", &message));
    errors.concat()
}

fn annotation(record: &Record, group: &[&Check], what: &str) -> String {
    let check = group[0];
    let others = match group.len() {
        1 => String::new(),
        number => format!(" and {}", text::count(number - 1, "more check")),
    };
    let mut message = text::one_line(&check.requirement);
    if !check.story().is_empty() {
        message.push('\n');
        message.push_str(&text::one_line(check.story()));
    }
    if let Some(failure) = check.failure.as_ref().filter(|failure| !failure.repeat.is_empty()) {
        message.push_str("\nrepeat: ");
        message.push_str(&text::one_line(&failure.repeat));
    }
    message.push('\n');
    message.push_str(&record.citation_url(&text::one_line(&check.spec)));
    command("error", &format!("{}{others} {what}", text::one_line(&check.id)), &message)
}

fn command(level: &str, title: &str, message: &str) -> String {
    let message = escape(message);
    let title = escape(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={title}::{message}\n")
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
