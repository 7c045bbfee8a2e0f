//! Which documented responses, error codes, and error codes of operations no check requires of the built-in server.

use std::{collections::BTreeSet, path::Path};

use reports::Record;
use suite::requirements::{UNREQUIRED, reasons};

/// What the record of the built-in server has not seen required stands in `suite/unrequired.txt` below a reason, and
/// nothing else does.
#[test]
fn what_no_check_requires_is_listed_with_its_reason() {
    let version = env!("CARGO_PKG_VERSION");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("reports/recorded/reference-server/{version}/record.json"));
    let coverage = Record::read(&path).expect("a record").coverage.expect("coverage");
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
