//! A finished run as JUnit XML, for the test views of CI services.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::style::Style;
use crate::{Check, Record, Verdict, account, headline, text};

/// One suite an area, one case a check. Unexpected verdicts are failures, faults are errors, and what was not
/// applicable or fails as foreseen is skipped; advice and observations pass, with their story in the output.
///
/// # Errors
/// When the XML cannot be written.
pub fn render(record: &Record) -> io::Result<String> {
    let mut report = Report::new(format!("determinant: {}", headline::target(record)));
    report.set_time(duration(record.duration_ms));
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for check in &record.checks {
        let suite =
            suites.entry(check.area()).or_insert_with_key(|area| TestSuite::new(text::one_line(area)));
        suite.add_test_case(case(record, check));
    }
    report.add_test_suites(suites.into_values());
    report.to_string().map_err(io::Error::other)
}

fn case(record: &Record, check: &Check) -> TestCase {
    let area = check.area();
    let name = check.id.strip_prefix(area).map_or(check.id.as_str(), |name| name.trim_start_matches('/'));
    let mut case =
        TestCase::new(text::one_line(if name.is_empty() { area } else { name }), status(record, check));
    case.set_classname(text::one_line(area).replace('/', "."));
    case.set_time(duration(check.duration_ms));
    if !check.is_unexpected() && matches!(check.verdict, Verdict::Advice | Verdict::Observed) {
        case.set_system_out(format!("{}: {}", check.verdict, text::printable(check.story())));
    }
    case
}

fn status(record: &Record, check: &Check) -> TestCaseStatus {
    if check.is_unexpected() {
        let kind =
            if check.verdict == Verdict::Fault { NonSuccessKind::Error } else { NonSuccessKind::Failure };
        let mut status = TestCaseStatus::non_success(kind);
        let message = match check.verdict {
            Verdict::Fail | Verdict::Fault => text::printable(check.story()).into_owned(),
            other => format!("{}, but {} is expected", other.words(), check.expected.words()),
        };
        status.set_type(check.severity.as_str());
        status.set_message(message);
        status.set_description(account::of(record, check, Style::plain()).join("\n"));
        return status;
    }
    let mut status = match check.verdict {
        Verdict::Pass | Verdict::Advice | Verdict::Observed => return TestCaseStatus::success(),
        Verdict::NotApplicable | Verdict::Fail | Verdict::Fault => TestCaseStatus::skipped(),
    };
    let foreseen = check.expectation.as_ref().filter(|_| check.verdict != Verdict::NotApplicable);
    status.set_message(match foreseen {
        Some(reason) => format!("{} as expected: {}", check.verdict.words(), text::printable(reason)),
        None => text::printable(check.story()).into_owned(),
    });
    status
}

fn duration(duration_ms: f64) -> Duration {
    Duration::try_from_secs_f64(duration_ms / 1e3).unwrap_or_default()
}
