//! Servers in containers: the built-in one as an image that is kept for Complement. The image is made from the binary under test, on
//! a base that needs no registry; where that cannot be, these tests say so and end.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Command, Output},
    sync::OnceLock,
};

use rstest::rstest;
use serde_json::Value;

use crate::{determinant, ended};

/// The program by itself, and the built-in server as Complement would start it.
const PROGRAM: &str = "determinant-test";
const SERVER: &str = "determinant-test-server";

/// A slice of every part of the cast: other servers, neighbours that the configuration names, and ones that a test brings along.
const SLICE: [&str; 6] = [
    "application-service/",
    "client/push",
    "client/registration/address",
    "client/url-previews",
    "federation/joining-rooms",
    "federation/server-access-control-lists",
];

/// Whether there are images; makes them for whoever asks first, and says, past the capture of the test harness, why there are none.
fn there_are_images() -> bool {
    static MADE: OnceLock<Result<(), String>> = OnceLock::new();
    let made = MADE.get_or_init(make_images);
    if let Err(why) = made {
        let _ = writeln!(std::io::stderr(), "SKIPPED, not passed: a test of container images: {why}");
    }
    made.is_ok()
}

fn make_images() -> Result<(), String> {
    let has = |program: &str, argument: &str| {
        Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
    };
    if !has("docker", "info") {
        return Err("no Docker engine answers".to_owned());
    }
    if !has("debootstrap", "--version") && !is_here("determinant-base") {
        return Err("debootstrap is not installed, which makes their base".to_owned());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    must(Command::new("sh").arg(root.join("fixtures/images/base.sh")));
    // The files of a clean checkout with a release build in it.
    let context = tempfile::tempdir().expect("a folder");
    let release = context.path().join("target/release");
    std::fs::create_dir_all(&release).expect("a folder");
    let binary = env!("CARGO_BIN_EXE_determinant");
    must(Command::new("strip").arg("-o").arg(release.join("determinant")).arg(binary));
    must(Command::new("cp").arg("-r").arg(root.join("fixtures")).arg(context.path()));
    for old in [SERVER, PROGRAM].into_iter().filter(|image| is_here(image)) {
        must(Command::new("docker").args(["image", "rm", "--force", old]));
    }
    let build = |image: &str, base: &str, file: &str| {
        let mut command = Command::new("docker");
        command.args(["build", "--quiet", "--build-arg", &format!("BASE={base}"), "--tag", image, "--file"]);
        must(command.arg(root.join(file)).arg(context.path()));
    };
    build(PROGRAM, "determinant-base", "Dockerfile");
    build(SERVER, PROGRAM, "fixtures/images/reference-server/Dockerfile");
    Ok(())
}

fn is_here(image: &str) -> bool {
    let output = Command::new("docker").args(["image", "inspect", image]).output();
    output.is_ok_and(|output| output.status.success())
}

fn must(command: &mut Command) {
    let Output { status, stderr, .. } = command.output().expect("the program can be started");
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
}

/// The verdicts of a run of the slice, each with its reason.
fn verdicts(of: &[&str]) -> BTreeMap<String, (String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record.json");
    let record = record.to_str().expect("a path");
    let mut arguments = vec!["run", "--seed", "1", "--record", record];
    arguments.extend(SLICE.iter().flat_map(|prefix| ["--only", *prefix]));
    arguments.extend(of);
    let (code, told, errors) = ended(&arguments);
    assert_eq!(code, 0, "{told}{errors}");
    let text = std::fs::read_to_string(record).expect("a record");
    let record: Value = serde_json::from_str(&text).expect("JSON");
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = record["checks"].as_array().expect("checks").iter();
    checks.map(|check| (text(check, "id"), (text(check, "verdict"), text(check, "reason")))).collect()
}

/// Nothing of this image is left running, or stopped.
fn nothing_is_left_of(image: &str) {
    let listed = Command::new("docker").args(["ps", "--all", "--format", "{{.Image}}"]).output();
    let images = String::from_utf8(listed.expect("docker can be started").stdout).expect("text");
    assert!(images.lines().all(|other| other != image), "{images}");
}

#[test]
fn an_image_gets_the_verdicts_of_a_process() {
    if !there_are_images() {
        return;
    }
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/targets/reference-server");
    let process = verdicts(&[]);
    assert!(process.values().filter(|(verdict, _)| verdict == "pass").count() > 100, "{process:?}");
    let told = verdicts(&["--target", target, "--image", SERVER]);
    assert!(told.keys().eq(process.keys()), "the same checks");
    for (id, told) in &told {
        // A container asks its own engine for names, not the name server of the run.
        let unnamed = told.0 == "not_applicable" && told.1.contains("does not ask the run for names");
        assert!(unnamed || *told == process[id], "{id}: {told:?} with the configuration of the process");
    }
    let bare = verdicts(&["--image", SERVER]);
    for (id, (verdict, reason)) in &bare {
        let untold = verdict == "not_applicable"
            && (reason.contains("an image that is kept for Complement is told of no")
                || reason.contains("does not ask the run for names")
                || reason.contains("no application service without a URL is registered"));
        assert!(untold || *verdict == process[id].0, "{id}: {verdict} {reason}");
    }
    assert!(bare.values().any(|(verdict, _)| verdict == "pass"));
}

#[test]
fn containers_federate_and_are_cut_off_from_each_other() {
    if !there_are_images() {
        return;
    }
    let (code, told, errors) = ended(&[
        "together", "--image", SERVER, "--only", "join", "--only", "apart", "--only", "converge", "--json",
    ]);
    assert_eq!(code, 0, "{told}{errors}");
    let summary: Value = serde_json::from_str(told.lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(summary["passed"], 6, "{summary}");
}

#[test]
fn a_container_that_ends_at_once_shows_its_log_and_is_taken_away() {
    if !there_are_images() {
        return;
    }
    // Without arguments, the program explains itself and ends.
    let (code, _, errors) = ended(&["run", "--image", PROGRAM]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("ended before it was ready (exit status: 2)"), "{errors}");
    assert!(errors.contains("Print version"), "{errors}");
    nothing_is_left_of(PROGRAM);
}

#[rstest]
#[case::memory("memory_mib = 1", "emory limit")]
#[case::processors("cpus = 100000.0", "CPUs")]
#[case::both("memory_mib = 512, cpus = 1.0", "")]
fn limits_of_a_container_reach_the_engine(#[case] limits: &str, #[case] refusal: &str) {
    if !there_are_images() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("target.toml");
    let text = format!(
        "name = \"x\"\ncontainer = {{ image = \"{SERVER}\", {limits} }}\nregistration = {{ method = \"complement\" }}\n"
    );
    std::fs::write(&path, text).expect("a file");
    let target = path.to_str().expect("a path");
    let (code, told, errors) = ended(&["run", "--target", target, "--only", "client/typing-notifications"]);
    assert_eq!(code, if refusal.is_empty() { 0 } else { 3 }, "{told}{errors}");
    assert!(errors.contains(refusal), "{errors}");
}

#[test]
fn an_image_that_nobody_has_is_told() {
    if !there_are_images() {
        return;
    }
    let (code, _, errors) = ended(&["run", "--image", "localhost:9/determinant/nobody-has-this"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("is not here, and cannot be pulled"), "{errors}");
}

#[test]
fn without_an_engine_the_error_says_what_is_missing() {
    let output = determinant(&["run", "--image", "any"])
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .output()
        .expect("the binary can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("no container engine answers"), "{errors}");
    assert!(errors.contains("DOCKER_HOST"), "{errors}");
}

#[test]
fn a_target_that_says_nothing_of_containers_is_not_put_into_one() {
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/targets/oauth");
    let (code, _, errors) = ended(&["run", "--target", target, "--image", "any"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("no [container] section"), "{errors}");
}

#[test]
fn containers_and_processes_have_no_name_for_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("target.toml");
    let text = "name = \"x\"\ncontainer = { image = \"x\" }\nregistration = { method = \"complement\" }\n";
    std::fs::write(&path, text).expect("a file");
    let (code, _, errors) = ended(&["together", path.to_str().expect("a path")]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("put all of them into containers, or none"), "{errors}");
}
