//! `determinant sessions`: random client sessions with the built-in server, and restarts in their midst.

use std::path::Path;

use serde_json::Value;

use crate::ended;

const RESTARTED: [&str; 8] = ["sessions", "--cases", "3", "--seed", "1", "--restart-every", "2", "--json"];

#[test]
fn a_restart_breaks_no_session() {
    let (code, told, errors) = ended(&RESTARTED);
    assert_eq!(code, 0, "{told}{errors}");
    let summary: Value = serde_json::from_str(told.lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(
        (&summary["cases"], &summary["broken"], &summary["faults"]),
        (&3.into(), &0.into(), &0.into())
    );
}

#[test]
fn a_server_that_forgets_everything_when_it_is_restarted_is_found_out() {
    let in_memory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/targets/reference-server");
    let (code, told, errors) =
        ended(&[&RESTARTED[..], &["--target", in_memory.to_str().expect("a path")]].concat());
    assert_eq!(code, 1, "{told}{errors}");
    assert!(told.contains("the server is restarted"), "{told}");
    assert!(told.contains("repeat  determinant sessions --cases 1 --seed 1 --restart-every 1"), "{told}");
}

#[test]
fn a_server_that_was_up_before_is_not_restarted() {
    let (code, _, errors) = ended(&["sessions", "http://localhost:1", "--restart-every", "2"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("--restart-every"), "{errors}");
}
