//! Wrong input: a message that says what to do next, and exit code 2.

use std::fs;

use rstest::rstest;
use tempfile::tempdir;

use crate::ended;

#[rstest]
#[case::unknown_verb(&["frobnicate"], "unrecognized subcommand")]
#[case::unknown_check(&["explain", "client/nothing"], "`determinant list` prints the checks")]
#[case::unknown_prefix(&["run", "--only", "client/nothing"], "no check begins with client/nothing")]
#[case::unlisted_prefix(&["list", "client/nothing"], "no check begins with")]
#[case::no_shard(&["run", "--shard", "3/2"], "write I/N")]
#[case::no_release(&["run", "--spec", "1.19"], "v1.19")]
#[case::no_scale(&["run", "--time-scale=-1"], "positive")]
#[case::no_target(&["run", "--target", "no/such/folder"], "cannot read the target file no/such/folder")]
#[case::two_targets(&["run", "http://localhost:1", "--target", "x"], "cannot be used with")]
#[case::no_record(&["coverage", "no/such/record.json"], "no/such/record.json")]
#[case::no_rendering(&["run", "--report", "x.pdf"], ".html")]
#[case::elsewhere(&["run", "https://matrix.example"], "--i-own-this-server")]
#[case::no_service(&["stand-in", "bank"], "identity, push, appservice or policy")]
#[case::not_at_home(&["stand-in", "push", "--listen", "0.0.0.0:0"], "this machine only")]
#[case::no_configuration(&["serve", "--config", "no/such/file.toml"], "no/such/file.toml")]
fn wrong_usage_is_told(#[case] arguments: &[&str], #[case] words: &str) {
    let (code, _, errors) = ended(arguments);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains(words), "{words:?} is not in {errors:?}");
}

#[rstest]
#[case::not_toml("name = ", "line 1")]
#[case::unknown_key(
    "name = \"x\"\nurl = \"http://localhost:1\"\nregistration = { method = \"dummy\" }\ncolour = 1\n",
    "colour"
)]
#[case::no_way(
    "name = \"x\"\nregistration = { method = \"dummy\" }\n",
    "expected `url`, or a [launch] or [container] section"
)]
#[case::no_registration("name = \"x\"\nurl = \"http://localhost:1\"\n", "registration")]
#[case::unknown_method(
    "name = \"x\"\nurl = \"http://localhost:1\"\nregistration = { method = \"magic\" }\n",
    "magic"
)]
#[case::no_certificates(
    "name = \"x\"\nurl = \"https://localhost:1\"\nca_file = \"none.pem\"\nregistration = { method = \"dummy\" }\n",
    "none.pem"
)]
#[case::unknown_variable(
    "name = \"x\"\nregistration = { method = \"dummy\" }\nlaunch = { program = \"{nowhere}/bin\" }\n",
    "unknown variable {nowhere}"
)]
#[case::missing_program(
    "name = \"x\"\nsetup = \"do this\"\nregistration = { method = \"dummy\" }\nlaunch = { program = \"/no/such/program\" }\n",
    "do this"
)]
fn a_wrong_target_file_is_told(#[case] text: &str, #[case] words: &str) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("target.toml");
    fs::write(&path, text).expect("a file");
    let (code, _, errors) = ended(&["run", "--target", path.to_str().expect("a path")]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains(words), "{words:?} is not in {errors:?}");
}

#[rstest]
#[case::not_toml("= 1", "line 1")]
#[case::no_verdict("a = { expect = \"maybe\", why = \"x\" }", "maybe")]
#[case::no_reason("a = { expect = \"fail\", why = \" \" }", "expected the reason")]
fn wrong_expectations_are_told(#[case] text: &str, #[case] words: &str) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("expectations.toml");
    fs::write(&path, text).expect("a file");
    let (code, _, errors) = ended(&["run", "--expectations", path.to_str().expect("a path")]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains(words), "{words:?} is not in {errors:?}");
}
