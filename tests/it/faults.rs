//! The faults of the built-in server, and what the suite says of them.

use std::collections::BTreeSet;

use crate::ended;

#[test]
fn the_suite_names_checks_for_every_fault_and_no_other() {
    let (code, list, errors) = ended(&["serve", "--list-faults"]);
    assert_eq!(code, 0, "{errors}");
    let listed: BTreeSet<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let known: BTreeSet<&str> = suite::faults::all().map(|(name, _)| *name).collect();
    assert_eq!(listed, known);
}

#[test]
fn a_run_against_a_fault_is_red() {
    let (code, told, _) = ended(&[
        "run",
        "--misbehave",
        "keys-given-out-twice",
        "--only",
        "client/end-to-end-encryption/one-time-key-is-claimed-once",
        "--seed",
        "1",
    ]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("--misbehave keys-given-out-twice --only"), "{told}");
}

#[test]
fn an_unknown_fault_is_a_wrong_request() {
    let (code, _, errors) = ended(&["run", "--misbehave", "sleeps-all-day"]);
    assert_eq!(code, 2);
    assert!(errors.contains("serve --list-faults"), "{errors}");
}

#[test]
fn the_target_that_misbehaves_is_told_of_its_faults() {
    let (code, told, errors) =
        ended(&["run", "--target", "fixtures/targets/misbehaving", "--only", "client/tags/", "--seed", "1"]);
    assert_eq!(code, 1, "{told}{errors}");
    assert!(told.contains("FAIL   client/tags/are-listed-until-removed"), "{told}");
}
