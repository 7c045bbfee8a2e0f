//! Which documented responses, error codes, and error codes of operations no check requires of the built-in server.

use std::collections::BTreeSet;

use reports::{Coverage, Record};
use suite::requirements::{UNREQUIRED, reasons};

use crate::records_of_the_built_in_server;

/// What the records of the built-in server, configured in one way and another, have not seen required stands in
/// `suite/unrequired.txt` below a reason, and nothing else does.
#[test]
fn what_no_check_requires_is_listed_with_its_reason() {
    let read = |path| Record::read(path).expect("a record").coverage.expect("coverage");
    let coverage = records_of_the_built_in_server().iter().map(read).reduce(|mut all, one: Coverage| {
        all.add(&one);
        all
    });
    let coverage = coverage.expect("a record");
    let missing = coverage
        .responses
        .missing
        .iter()
        .chain(&coverage.error_codes.missing)
        .chain(&coverage.refusals.missing);
    let missing: BTreeSet<&str> = missing.map(String::as_str).collect();
    let listed: BTreeSet<&str> = reasons(UNREQUIRED).expect("suite/unrequired.txt").into_keys().collect();
    let unlisted: Vec<_> = missing.difference(&listed).collect();
    let required: Vec<_> = listed.difference(&missing).collect();
    assert!(
        unlisted.is_empty(),
        "required by nothing, and not listed in suite/unrequired.txt: {unlisted:#?}"
    );
    assert!(required.is_empty(), "listed in suite/unrequired.txt, but required or unknown: {required:#?}");
}
