//! Expectations, counts and exit codes.

use reports::{Check, Outcome, Record, Summary, Verdict};
use rstest::rstest;

use crate::sample;

fn record(verdicts: &[(Verdict, Verdict)]) -> Record {
    let mut record = sample::record();
    let check = |(index, (expected, verdict)): (usize, &(Verdict, Verdict))| Check {
        expected: *expected,
        ..sample::check(&format!("client/sync/{index}"), *verdict)
    };
    record.checks = verdicts.iter().enumerate().map(check).collect();
    record
}

#[rstest]
#[case::all_passed(&[(Verdict::Pass, Verdict::Pass)], 0)]
#[case::advice_never_decides(&[(Verdict::Pass, Verdict::Advice), (Verdict::Pass, Verdict::Observed)], 0)]
#[case::not_applicable(&[(Verdict::Pass, Verdict::NotApplicable), (Verdict::Fail, Verdict::NotApplicable)], 0)]
#[case::foreseen(&[(Verdict::Fail, Verdict::Fail), (Verdict::Fault, Verdict::Fault)], 0)]
#[case::failure(&[(Verdict::Pass, Verdict::Fail)], 1)]
#[case::surprising_pass(&[(Verdict::Fail, Verdict::Pass)], 1)]
#[case::stale_advice(&[(Verdict::Advice, Verdict::Pass)], 1)]
#[case::fault(&[(Verdict::Pass, Verdict::Fault), (Verdict::Pass, Verdict::Pass)], 3)]
#[case::failure_outweighs_fault(&[(Verdict::Pass, Verdict::Fault), (Verdict::Pass, Verdict::Fail)], 1)]
fn exit_codes(#[case] verdicts: &[(Verdict, Verdict)], #[case] expected: u8) {
    assert_eq!(record(verdicts).outcome().exit_code(), expected);
}

#[test]
fn an_interrupted_run_is_never_as_expected() {
    let mut record = record(&[(Verdict::Pass, Verdict::Pass)]);
    record.interrupted = true;
    assert_eq!(record.outcome(), Outcome::Fault);
}

#[test]
fn what_was_not_put_is_counted_apart() {
    let summary = Summary::of(&sample::record().checks);
    let expected = Summary {
        checks: 7,
        passed: 2,
        failed: 3,
        advised: 1,
        observed: 1,
        not_applicable: 1,
        faults: 1,
        unexpected: 4,
    };
    assert_eq!(summary, expected);
}

#[rstest]
#[case("client/typing/reaches-members-only", "client/typing")]
#[case("client/typing/deep/er[a/b]", "client/typing")]
#[case("client/[a/b]", "client")]
#[case("alone", "alone")]
fn areas(#[case] id: &str, #[case] expected: &str) {
    assert_eq!(sample::check(id, Verdict::Pass).area(), expected);
}

#[rstest]
#[case("v1.19", "https://spec.matrix.org/v1.19/client-server-api/#syncing")]
#[case("1.19", "https://spec.matrix.org/v1.19/client-server-api/#syncing")]
#[case("", "https://spec.matrix.org/latest/client-server-api/#syncing")]
fn citations(#[case] judged: &str, #[case] expected: &str) {
    let mut record = sample::record();
    judged.clone_into(&mut record.releases.judged);
    assert_eq!(record.citation_url("client-server-api/#syncing"), expected);
}
