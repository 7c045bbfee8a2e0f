//! `determinant expect`: an expectations file after a run that came out otherwise.

use std::fs;

use tempfile::tempdir;

use crate::ended;

/// A fault makes checks fail; with the lines that `expect update` writes, the same run is as expected.
#[test]
fn an_updated_file_makes_the_same_run_succeed() {
    let folder = tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (record, expectations) = (path("record.json"), path("expectations.toml"));
    let run = |more: &[&str]| {
        let fixed =
            ["run", "--only", "client/logout", "--misbehave", "sessions-outlive-logout", "--seed", "1"];
        ended(
            &fixed
                .iter()
                .copied()
                .chain(["--record", &record])
                .chain(more.iter().copied())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(run(&[]).0, 1, "the fault is seen");

    let (code, told, errors) = ended(&["expect", "update", &expectations, &record, "--check"]);
    assert_eq!(code, 1, "{errors}");
    assert!(told.contains("added    client/logout/"), "{told}");
    assert!(!folder.path().join("expectations.toml").exists(), "--check writes nothing");

    assert_eq!(ended(&["expect", "update", &expectations, &record]).0, 0);
    let text = fs::read_to_string(&expectations).expect("the file");
    assert!(text.contains("unexplained: expected "), "{text}");
    let (code, told, errors) = run(&["--expectations", &expectations]);
    assert_eq!(code, 0, "{told}{errors}");
    let (code, told, _) = ended(&["expect", "update", &expectations, &record, "--check"]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn a_file_that_cannot_be_read_stays_as_it_is() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("expectations.toml");
    fs::write(&path, "a = 1").expect("a file");
    let record = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/recorded/reference-server/0.1.0/record.json");
    let (code, _, errors) = ended(&["expect", "update", path.to_str().expect("a path"), record]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("expectations.toml"), "{errors}");
    assert_eq!(fs::read_to_string(&path).expect("the file"), "a = 1");
}

/// A fault makes a check fail whose requirement a test of Complement puts too; with what was imported, the run is as expected.
#[test]
fn results_of_complement_make_the_first_expectations() {
    let folder = tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (results, expectations) = (path("complement.jsonl"), path("expectations.toml"));
    let lines = [
        r#"{"Action":"fail","Test":"TestLogout/Can_logout_current_device"}"#,
        r#"{"Action":"fail","Test":"TestLogout/Can_logout_all_devices"}"#,
        r#"{"Action":"fail","Test":"TestLogout"}"#,
        r#"{"Action":"fail","Test":"TestMSC4308ThreadSubscriptionsSlidingSync"}"#,
        r#"{"Action":"pass","Test":"TestLogin"}"#,
    ];
    fs::write(&results, lines.join("\n")).expect("a file");
    let (code, told, errors) = ended(&["expect", "import", &expectations, &results]);
    assert_eq!(code, 0, "{errors}");
    assert!(told.contains("added    client/logout/ends-this-session-only"), "{told}");
    let proposal = "no check TestMSC4308ThreadSubscriptionsSlidingSync: not in the specification: ";
    assert!(told.contains(proposal), "{told}");
    assert!(told.contains("3 of 5 tests failed; 1 of them"), "{told}");

    let only =
        ["--only", "client/logout/ends-this-session-only", "--only", "client/logout/all-ends-every-session"];
    let fixed = ["run", "--misbehave", "sessions-outlive-logout", "--expectations", &expectations];
    let (code, told, errors) = ended(&[&fixed[..], &only[..]].concat());
    assert_eq!(code, 0, "{told}{errors}");

    fs::write(&results, "ok  \tcsapi\t0.1s").expect("a file");
    let (code, _, errors) = ended(&["expect", "import", &expectations, &results]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("no test has an outcome"), "{errors}");
}
