//! Whole runs: against the built-in server, and against servers that die.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Output, Stdio},
    time::{Duration, Instant},
};

use reports::{Check, Record, Verdict};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::tempdir;

use crate::{determinant, ended};

fn path(path: &Path) -> &str {
    path.to_str().expect("a path")
}

#[test]
fn a_run_on_the_built_in_server_leaves_every_report() {
    let folder = tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (record, junit, tap) = (file("r.json"), file("junit.xml"), file("r.tap"));
    let (markdown, html) = (file("r.md"), file("r.html"));
    let (code, said, errors) = ended(&[
        "run",
        "--only",
        "client/typing-notifications",
        "--only",
        "exchange/",
        "--seed",
        "7",
        "--json",
        "--record",
        path(&record),
        "--report",
        path(&junit),
        "--report",
        path(&tap),
        "--report",
        path(&markdown),
        "--report",
        path(&html),
    ]);
    assert_eq!(code, 0, "{said}\n{errors}");
    let last: serde_json::Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["seed"], 7);
    assert_eq!(last["summary"]["unexpected"], 0);
    let record = Record::read(&record).expect("a record");
    assert!(record.checks.iter().any(|check| check.verdict == Verdict::Pass), "nothing was put");
    assert!(fs::read_to_string(&junit).expect("JUnit").contains("<testsuite"));
    assert!(fs::read_to_string(&tap).expect("TAP").starts_with("TAP version"));
    assert!(fs::read_to_string(&markdown).expect("Markdown").contains("reference-server"));
    assert!(fs::read_to_string(&html).expect("HTML").contains("<html"));

    let (code, table, _) = ended(&["coverage", path(&file("r.json"))]);
    assert_eq!(code, 0);
    assert!(table.contains("client-server operations"));
}

#[test]
fn the_same_seed_gives_the_same_verdicts() {
    let folder = tempdir().expect("a folder");
    let verdicts = |name: &str| {
        let file = folder.path().join(name);
        ended(&["run", "--only", "client/", "--seed", "3", "--record", path(&file)]);
        let mut verdicts: Vec<_> = Record::read(&file)
            .expect("a record")
            .checks
            .into_iter()
            .map(|check| (check.id, check.verdict))
            .collect();
        verdicts.sort();
        verdicts
    };
    assert_eq!(verdicts("one.json"), verdicts("other.json"));
}

/// Runs with a cache of its own; gives the exit code and the record of that last run.
fn last_run(cache: &Path, arguments: &[&str]) -> (Option<i32>, String, Record) {
    let output = determinant(arguments).env("XDG_CACHE_HOME", cache).output().expect("the binary starts");
    let record = Record::read(cache.join("determinant/last-run.json")).expect("the last run");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), record)
}

#[test]
fn what_failed_last_is_put_alone_until_nothing_fails() {
    let folder = tempdir().expect("a folder");
    let faulty = ["run", "--only", "client/tags/*", "--misbehave", "tags-not-removed"];
    let (code, errors, record) = last_run(folder.path(), &faulty);
    assert_eq!(code, Some(1), "{errors}");
    let failed: BTreeSet<String> =
        record.checks.iter().filter(|check| check.is_unexpected()).map(|check| check.id.clone()).collect();
    assert!(record.checks.len() > failed.len() && !failed.is_empty(), "{failed:?}");

    let (code, errors, record) = last_run(folder.path(), &["run", "--failed-last"]);
    let put: BTreeSet<String> = record.checks.into_iter().map(|check| check.id).collect();
    assert_eq!((code, &put), (Some(0), &failed), "{errors}");

    let (code, errors, _) = last_run(folder.path(), &["run", "--failed-last"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("no check that can be put alone came out unexpectedly"), "{errors}");
}

#[test]
fn the_first_unexpected_result_can_end_the_run() {
    let folder = tempdir().expect("a folder");
    let faulty =
        ["run", "--only", "client/", "--misbehave", "tags-not-removed", "--fail-fast", "--jobs", "1"];
    let (code, errors, record) = last_run(folder.path(), &faulty);
    assert_eq!(code, Some(1), "{errors}");
    assert!(record.interrupted, "the rest is not said to be as expected");
    assert!(record.checks.iter().filter(|check| check.is_unexpected()).count() == 1);
    assert!(errors.contains("ended by the first unexpected result"), "{errors}");
}

const CONFIGURATION: &str = include_str!("../../fixtures/targets/reference-server/serve.toml.in");
const REGISTRATION: &str =
    include_str!("../../fixtures/targets/reference-server/application-service.yaml.in");
const REGISTRATION_WITHOUT_URL: &str =
    include_str!("../../fixtures/targets/reference-server/application-service-without-url.yaml.in");
const OPEN_REGISTRATION: &str = r#"{ method = "dummy" }"#;

/// A target file that launches the built-in server by way of a shell script.
fn scripted_target(folder: &Path, script: &str, configuration: &str, registration: &str) -> String {
    fs::write(folder.join("serve.toml.in"), configuration).expect("a template");
    fs::write(folder.join("application-service.yaml.in"), REGISTRATION).expect("a template");
    let without_url = folder.join("application-service-without-url.yaml.in");
    fs::write(without_url, REGISTRATION_WITHOUT_URL).expect("a template");
    let text = format!(
        r#"
name = "scripted"
registration = {registration}

[launch]
program = "/bin/sh"
arguments = ["-c", '{script}']

[[files]]
template = "serve.toml.in"
to = "{{data_dir}}/serve.toml"

[[files]]
template = "application-service.yaml.in"
to = "{{data_dir}}/application-service.yaml"

[[files]]
template = "application-service-without-url.yaml.in"
to = "{{data_dir}}/application-service-without-url.yaml"
"#
    );
    let file = folder.join("target.toml");
    fs::write(&file, text).expect("a target file");
    path(&file).to_owned()
}

#[test]
fn accounts_are_made_with_a_registration_token_where_the_target_names_one() {
    let folder = tempdir().expect("a folder");
    let script = "exec {determinant} serve --config {data_dir}/serve.toml";
    let section = "[registration]\n";
    let closed =
        CONFIGURATION.replace(section, &format!("{section}mode = \"token\"\ntokens = [\"sesame\"]\n"));
    let with = |registration: &str| {
        let target = scripted_target(folder.path(), script, &closed, registration);
        ended(&["run", "--target", &target, "--only", "client/typing-notifications"])
    };
    let (code, said, errors) = with(r#"{ method = "token", token = "sesame" }"#);
    assert_eq!(code, 0, "{said}\n{errors}");
    let (code, _, errors) = with(OPEN_REGISTRATION);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("no account can be registered"), "{errors}");
}

#[test]
fn a_server_with_rate_limits_is_waited_for_and_judged_by_its_refusals() {
    let folder = tempdir().expect("a folder");
    let record = folder.path().join("r.json");
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/targets/limited");
    let refusal = "exchange/refusal-says-when-to-try-again";
    let (code, said, errors) = ended(&[
        "run",
        "--target",
        target,
        "--only",
        "client/tags/",
        "--only",
        refusal,
        "--record",
        path(&record),
    ]);
    assert_eq!(code, 0, "{said}\n{errors}");
    let checks = Record::read(&record).expect("a record").checks;
    let judged = checks.iter().find(|check| check.id == refusal).map(|check| check.verdict);
    assert_eq!(judged, Some(Verdict::Pass), "{said}\n{errors}");
    assert!(checks.iter().filter(|check| check.verdict == Verdict::Pass).count() > 3, "{said}");
}

#[test]
fn a_server_without_the_legacy_api_is_judged_by_its_application_service() {
    let folder = tempdir().expect("a folder");
    let record = folder.path().join("r.json");
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/targets/oauth");
    let area = "application-service/client-server-extensions/";
    let (code, said, errors) = ended(&["run", "--target", target, "--only", area, "--record", path(&record)]);
    assert_eq!(code, 0, "{said}\n{errors}");
    let checks = Record::read(&record).expect("a record").checks;
    let verdicts = |name: &str| {
        let of_name = checks.iter().filter(|check| check.id.starts_with(&format!("{area}{name}")));
        of_name.map(|check| check.verdict).collect::<Vec<_>>()
    };
    assert_eq!(verdicts("login-without-legacy"), [Verdict::Pass; 2], "{said}");
    assert_eq!(verdicts("service-registers-without-legacy"), [Verdict::Pass], "{said}");
}

#[test]
fn a_server_with_the_other_choices_is_judged_by_its_refusals() {
    let folder = tempdir().expect("a folder");
    let record = folder.path().join("r.json");
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/targets/otherwise");
    let limit = "client/common-error-codes/limit-of-the-server-names-a-contact";
    let asked = [
        limit,
        "client/profiles/hidden-profile-is-forbidden",
        "client/registration/closed-registration-is-forbidden",
        "client/requesting-tokens/absent-medium-is-told",
        "client/server-discovery/absent-file-is-not-found",
    ];
    let run = |target: &Path, checks: &[&str]| {
        let only = checks.iter().flat_map(|check| ["--only", check]);
        let options = ["run", "--target", path(target), "--record", path(&record)];
        ended(&options.into_iter().chain(only).collect::<Vec<_>>())
    };
    let (code, said, errors) = run(&original, &asked);
    assert_eq!(code, 0, "{said}\n{errors}");
    let checks = Record::read(&record).expect("a record").checks;
    for check in asked {
        let judged: Vec<_> = checks.iter().filter(|it| it.id.starts_with(check)).collect();
        let passed = !judged.is_empty() && judged.iter().all(|it| it.verdict == Verdict::Pass);
        assert!(passed, "{check}: {said}");
    }

    // A limit that is declared and does not hold.
    for name in ["target.toml", "serve.toml.in"] {
        let text = fs::read_to_string(original.join(name)).expect("a file");
        let text = if name == "target.toml" { text.replace("rooms = 100", "rooms = 2") } else { text };
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let (code, said, _) = run(folder.path(), &[limit]);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn a_registration_that_asks_for_everything_is_gone_through() {
    let folder = tempdir().expect("a folder");
    let record = folder.path().join("r.json");
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/targets/guarded");
    let areas = [
        "client/google-recaptcha/",
        "client/terms-of-service-at-registration/",
        "client/token-authenticated-registration/",
    ];
    let only = areas.iter().flat_map(|area| ["--only", area]);
    let options = ["run", "--target", target, "--record", path(&record)];
    let (code, said, errors) = ended(&options.into_iter().chain(only).collect::<Vec<_>>());
    assert_eq!(code, 0, "{said}\n{errors}");
    let checks = Record::read(&record).expect("a record").checks;
    let passed = |area: &str| {
        checks.iter().filter(|check| check.id.starts_with(area) && check.verdict == Verdict::Pass).count()
    };
    assert_eq!(areas.map(passed), [3, 2, 5], "{said}");
}

/// Contracts share a stage that outlives them; the server must not.
#[test]
fn a_server_that_the_run_started_ends_with_it() {
    let folder = tempdir().expect("a folder");
    let pid_file = folder.path().join("pid");
    let script =
        format!("echo $$ > {}; exec {{determinant}} serve --config {{data_dir}}/serve.toml", path(&pid_file));
    let target = scripted_target(folder.path(), &script, CONFIGURATION, OPEN_REGISTRATION);
    let (code, said, errors) =
        ended(&["run", "--target", &target, "--only", "contract/access-token/is-required"]);
    assert_eq!(code, 0, "{said}\n{errors}");
    let server: i32 = fs::read_to_string(&pid_file).expect("a pid").trim().parse().expect("a pid");
    let alive = test_kill_process(Pid::from_raw(server).expect("a pid"));
    assert!(alive.is_err(), "the server lives on as process {server}");
}

#[test]
fn a_server_that_does_not_come_up_is_told_with_its_log() {
    let folder = tempdir().expect("a folder");
    let target =
        scripted_target(folder.path(), "echo the disk is on fire; exit 5", CONFIGURATION, OPEN_REGISTRATION);
    let file = folder.path().join("r.json");
    let (code, _, errors) = ended(&["run", "--target", &target, "--record", path(&file)]);
    assert_eq!(code, 3, "{errors}");
    let record = Record::read(&file).expect("a record");
    assert!(record.interrupted && record.notices.iter().any(|notice| notice.contains("the disk is on fire")));
    assert!(
        errors.contains("ended before it was ready") && errors.contains("the disk is on fire"),
        "{errors}"
    );
}

#[test]
fn a_server_that_dies_half_way_leaves_a_whole_record_of_faults() {
    let folder = tempdir().expect("a folder");
    let pid_file = folder.path().join("pid");
    let script =
        format!("echo $$ > {}; exec {{determinant}} serve --config {{data_dir}}/serve.toml", path(&pid_file));
    let target = scripted_target(folder.path(), &script, CONFIGURATION, OPEN_REGISTRATION);
    let file = folder.path().join("r.json");
    let run = started(&["run", "--target", &target, "--repeat", "1000", "--record", path(&file)]);
    await_beginning(&file);
    let server: i32 = fs::read_to_string(&pid_file).expect("a pid").trim().parse().expect("a pid");
    kill_process(Pid::from_raw(server).expect("a pid"), Signal::KILL).expect("a signal");
    let Output { status, stdout, .. } = run.wait_with_output().expect("its end");
    assert_eq!(status.code(), Some(3), "{}", String::from_utf8_lossy(&stdout));
    let record = Record::read(&file).expect("a record");
    assert_eq!(record.checks.len(), record.total, "the record is not whole");
    let told =
        |check: &Check| check.reason.as_deref().is_some_and(|reason| reason.contains("the server has ended"));
    assert!(record.checks.iter().any(|check| check.verdict == Verdict::Fault && told(check)));
}

#[test]
fn an_interrupted_run_leaves_a_valid_record() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("r.json");
    let run = started(&["run", "--only", "client/", "--repeat", "1000", "--record", path(&file)]);
    await_beginning(&file);
    kill_process(Pid::from_child(&run), Signal::INT).expect("a signal");
    let Output { status, stdout, .. } = run.wait_with_output().expect("its end");
    assert_eq!(status.code(), Some(3), "{}", String::from_utf8_lossy(&stdout));
    let record = Record::read(&file).expect("a record");
    assert!(record.interrupted);
    assert!(record.notices.iter().any(|notice| notice.starts_with("interrupted")), "{:?}", record.notices);
}

fn started(arguments: &[&str]) -> Child {
    let mut command = determinant(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary can be started")
}

/// Waits until the record says that the first check is about to be put.
fn await_beginning(record: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !Record::read(record).is_ok_and(|record| record.total > 0) {
        assert!(Instant::now() < deadline, "the run did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
}
