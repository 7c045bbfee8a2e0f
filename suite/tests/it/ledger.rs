//! What tests claim to prove, and what nothing proves yet.

use std::collections::BTreeSet;

use fixtures::ledger::{Class, Ledger, Level};
use suite::{
    faults,
    registry::{self, TESTS},
    requirements::{UNBROKEN, UNTESTED, proofs, reasons},
};

#[test]
fn what_a_test_proves_is_a_requirement_of_a_server() {
    for (id, tests) in proofs(TESTS) {
        let row = Ledger::v1_19().row(id);
        let class = row.map(|row| row.class);
        assert_eq!(class, Some(Class::Server), "{} proves {id}", tests[0].id());
    }
}

/// A test that only advises or observes cannot prove a must.
#[test]
fn a_must_is_proved_by_a_must() {
    for (id, tests) in proofs(TESTS) {
        let level = Ledger::v1_19().row(id).map(|row| row.level);
        for test in tests {
            let is_proof = match level {
                Some(Level::Must) => test.level == registry::Level::Must,
                _ => test.level != registry::Level::May,
            };
            assert!(is_proof, "{} is of level {} and proves {id}", test.id(), test.level);
        }
    }
}

#[test]
fn a_test_names_what_it_proves_once() {
    for test in TESTS {
        let names: BTreeSet<_> = test.proves.iter().collect();
        assert_eq!(names.len(), test.proves.len(), "{}", test.id());
    }
}

/// Every requirement is proved by a test, or stands in `untested.txt` below a reason.
#[test]
fn what_nothing_proves_is_listed_with_its_reason() {
    let proofs = proofs(TESTS);
    let requirements: BTreeSet<String> = Ledger::v1_19().requirements().map(|row| row.id()).collect();
    let unproved: BTreeSet<&str> =
        requirements.iter().map(String::as_str).filter(|id| !proofs.contains_key(id)).collect();
    let listed = reasons(UNTESTED).expect("suite/untested.txt");
    let listed: BTreeSet<&str> = listed.into_keys().collect();
    let missing: Vec<_> = unproved.difference(&listed).collect();
    let proved: Vec<_> = listed.difference(&unproved).collect();
    assert!(missing.is_empty(), "proved by nothing, and not listed in suite/untested.txt: {missing:#?}");
    assert!(proved.is_empty(), "listed in suite/untested.txt, but proved or no requirement: {proved:#?}");
}

/// Every must that is proved is broken by a named fault of the built-in server, or stands in `unbroken.txt` below a reason.
#[test]
fn what_no_named_fault_breaks_is_listed_with_its_reason() {
    let killers: BTreeSet<&str> = faults::all().flat_map(|(_, killers)| killers.iter().copied()).collect();
    let proofs = proofs(TESTS);
    let unbroken: BTreeSet<&str> = proofs
        .iter()
        .filter(|(id, _)| Ledger::v1_19().row(id).is_some_and(|row| matches!(row.level, Level::Must)))
        .filter(|(_, tests)| !tests.iter().any(|test| killers.contains(test.id().as_str())))
        .map(|(id, _)| *id)
        .collect();
    let listed: BTreeSet<&str> = reasons(UNBROKEN).expect("suite/unbroken.txt").into_keys().collect();
    let missing: Vec<_> = unbroken.difference(&listed).collect();
    let broken: Vec<_> = listed.difference(&unbroken).collect();
    assert!(missing.is_empty(), "broken by nothing, and not listed in suite/unbroken.txt: {missing:#?}");
    assert!(broken.is_empty(), "listed in suite/unbroken.txt, but broken or not proved: {broken:#?}");
}
