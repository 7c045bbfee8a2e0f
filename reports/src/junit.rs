//! A finished run as JUnit XML, for the test views of CI services.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::style::Style;
use crate::{Check, Record, Verdict, account, headline};

/// One suite an area, one case a check. Unexpected verdicts are failures, faults are errors, and what was not
/// applicable or fails as foreseen is skipped; advice and observations pass, with their story in the output.
///
/// # Errors
/// When the XML cannot be written.
pub fn render(record: &Record) -> io::Result<String> {
    let mut report = Report::new(format!("determinant: {}", headline::target(record)));
    report.set_time(duration(record.duration_ms));
    for check in &record.checks {
        let area = check.area();
        // Suites stay in the order in which their first check was finished; runs are long, areas are few.
        let place = match report.test_suites.iter().position(|suite| suite.name.as_str() == area) {
            Some(place) => place,
            None => {
                report.add_test_suite(TestSuite::new(area));
                report.test_suites.len() - 1
            }
        };
        report.test_suites[place].add_test_case(case(record, check));
    }
    report.to_string().map_err(io::Error::other)
}

fn case(record: &Record, check: &Check) -> TestCase {
    let area = check.area();
    let name = check.id.strip_prefix(area).map_or(check.id.as_str(), |name| name.trim_start_matches('/'));
    let mut case = TestCase::new(if name.is_empty() { area } else { name }, status(record, check));
    case.set_classname(area.replace('/', "."));
    case.set_time(duration(check.duration_ms));
    if !check.is_unexpected() && matches!(check.verdict, Verdict::Advice | Verdict::Observed) {
        case.set_system_out(format!("{}: {}", check.verdict, check.story()));
    }
    case
}

fn status(record: &Record, check: &Check) -> TestCaseStatus {
    if check.is_unexpected() {
        let kind =
            if check.verdict == Verdict::Fault { NonSuccessKind::Error } else { NonSuccessKind::Failure };
        let mut status = TestCaseStatus::non_success(kind);
        let message = match check.verdict {
            Verdict::Fail | Verdict::Fault => check.story().to_owned(),
            other => format!("{}, although the expectations say: {}", other.words(), check.expected.words()),
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
        Some(reason) => format!("{} as expected: {reason}", check.verdict.words()),
        None => check.story().to_owned(),
    });
    status
}

fn duration(duration_ms: f64) -> Duration {
    Duration::try_from_secs_f64(duration_ms / 1e3).unwrap_or_default()
}
