//! Records side by side.

use reports::{Change, Record, Style, Summary, Verdict, compare, comparison};
use rstest::rstest;

use crate::sample;

pub(crate) fn later() -> Record {
    let mut record = sample::record();
    record.target.version = Some("1.141.0".to_owned());
    let verdict = |record: &mut Record, id: &str, verdict: Verdict| {
        for check in record.checks.iter_mut().filter(|check| check.id == id) {
            check.verdict = verdict;
        }
    };
    verdict(&mut record, "client/sync/returns-what-happened", Verdict::Fail);
    verdict(&mut record, "client/typing/reaches-members-only", Verdict::Pass);
    verdict(&mut record, "client/search/orders-by-rank", Verdict::NotApplicable);
    record.checks.push(sample::check("client/new/one", Verdict::Pass));
    record.summary = Summary::of(&record.checks);
    record
}

#[test]
fn side_by_side_on_a_terminal() {
    insta::assert_snapshot!(compare(&[sample::record(), later()]).to_terminal(Style::plain()));
}

#[test]
fn side_by_side_in_markdown() {
    insta::assert_snapshot!(compare(&[sample::record(), later(), sample::record()]).to_markdown());
}

#[test]
fn regressions_are_told_in_full() {
    let mut worse = later();
    let failure = worse.checks[1].failure.clone();
    worse.checks[0].failure = failure;
    insta::assert_snapshot!(comparison::tell_regressions(&[sample::record(), worse], Style::plain()));
}

/// A record may hold no command for a check, such as one that met a fault.
#[test]
fn a_regression_without_a_command_gets_one_that_spares_the_record() {
    let mut base = sample::record();
    base.checks = vec![sample::check("client/sync/it's", Verdict::Pass)];
    let mut worse = base.clone();
    worse.checks[0].verdict = Verdict::Fault;
    "determinant run --target a.toml --record=a.json --report b.html --only x --seed 7"
        .clone_into(&mut worse.command);
    let told = comparison::tell_regressions(&[base, worse], Style::plain());
    let command = r"repeat    determinant run --target a.toml --only 'client/sync/it'\''s' --seed 42";
    assert!(told.lines().any(|line| line.trim() == command), "{told}");
}

#[test]
fn for_programs() {
    let mut comparison = compare(&[sample::record(), later()]);
    comparison.differences.truncate(2);
    insta::assert_json_snapshot!(comparison);
}

#[rstest]
#[case(Some(Verdict::Pass), Some(Verdict::Fail), Change::Regression)]
#[case(Some(Verdict::Pass), Some(Verdict::Advice), Change::Regression)]
#[case(Some(Verdict::Pass), Some(Verdict::Fault), Change::Regression)]
#[case(Some(Verdict::Observed), Some(Verdict::Fail), Change::Regression)]
#[case(Some(Verdict::Fail), Some(Verdict::Pass), Change::Improvement)]
#[case(Some(Verdict::Fault), Some(Verdict::Pass), Change::Improvement)]
#[case(Some(Verdict::Fault), Some(Verdict::Fail), Change::Other)]
#[case(Some(Verdict::Pass), Some(Verdict::NotApplicable), Change::Other)]
#[case(Some(Verdict::Pass), None, Change::Other)]
#[case(None, Some(Verdict::Fail), Change::Other)]
fn what_a_difference_means(
    #[case] before: Option<Verdict>,
    #[case] after: Option<Verdict>,
    #[case] expected: Change,
) {
    let record = |verdict: Option<Verdict>| {
        let mut record = sample::record();
        record.checks = verdict.map(|verdict| sample::check("client/sync/a", verdict)).into_iter().collect();
        record
    };
    let comparison = compare(&[record(before), record(after)]);
    assert_eq!(comparison.differences[0].change, expected);
    assert_eq!(comparison.regressions().count(), usize::from(expected == Change::Regression));
}

#[test]
fn what_weakens_a_comparison_is_said() {
    let mut odd = sample::record();
    odd.summary.passed += 1;
    odd.interrupted = true;
    odd.releases.judged = "v1.19".to_owned();
    odd.checks.push(sample::check("client/sync/returns-what-happened", Verdict::Pass));
    let comparison = compare(&[sample::record(), odd]);
    assert!(comparison.differences.is_empty());
    assert_eq!(
        comparison.warnings,
        [
            "B was interrupted: it lacks checks that were never put",
            "the summary stored in B contradicts its checks; the checks count",
            "B has several checks of one id; the last one counts",
            "B was judged by another release than A",
        ]
    );
}

#[test]
fn nothing_and_one_record_have_no_differences() {
    assert!(compare(&[]).differences.is_empty());
    let alone = compare(&[sample::record()]);
    assert_eq!((alone.agreed, alone.differences.len()), (9, 0));
}

#[test]
fn a_matrix_for_a_readme() {
    let picture = reports::matrix::render(&[sample::record(), later(), sample::hostile_record()]);
    assert!(!picture.contains("<img") && !picture.contains('\u{1b}'), "{picture}");
    insta::assert_snapshot!(picture.replace("><", ">\n<"));
}
