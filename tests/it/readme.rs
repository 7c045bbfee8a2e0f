//! The commands of the README: each is run as it is printed, or stands in a list that says why it is not.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use rstest::rstest;

use crate::{determinant, ended};

const README: &str = include_str!("../../README.md");

/// Commands that are not run here, each by its beginning, below the reason. All of them are parsed.
const NOT_RUN: &[(&str, &[&str])] = &[
    ("the main job of CI is this run", &["cargo run --release -- run", "determinant run"]),
    ("it is this test, among others", &["cargo test --workspace"]),
    ("a release build takes minutes", &["cargo install --locked", "cargo build --release"]),
    ("a run of all checks takes minutes", &["determinant run http", "determinant run --misbehave"]),
    (
        "Synapse has to be installed",
        &[
            "determinant run --target fixtures/targets/synapse",
            "determinant histories --cases 50 --target",
            "determinant together fixtures/targets/synapse",
            "determinant load client --target",
            "determinant load federation --target",
            "determinant load capacity company-50 --target",
            "determinant load voip --across fixtures/targets/synapse",
        ],
    ),
    (
        "it needs images, which other tests make",
        &["determinant run --image my-homeserver", "determinant together --image"],
    ),
    ("it goes on until it is interrupted", &["determinant stand-in appservice"]),
    ("it asks a server on the network", &["determinant doctor example.org"]),
    (
        "it takes minutes, and smaller ones are run by other tests",
        &[
            "determinant vectors fuzz",
            "determinant histories --cases 200",
            "determinant together",
            "determinant hostile --requests 10000",
            "determinant load client",
            "determinant load voip",
            "determinant load journeys",
            "determinant selftest --sample 150",
            "determinant selftest --tests",
            "determinant sessions http",
            "determinant sessions --cases 200",
        ],
    ),
];

/// The commands in the indented blocks, without their comments.
fn commands() -> Vec<&'static str> {
    let mut fenced = false;
    let mut commands = Vec::new();
    for line in README.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let Some(line) = line.strip_prefix("    ").filter(|_| !fenced) else { continue };
        let begins = |program: &str| line.starts_with(program);
        // The table of crates begins with names, and points with an arrow.
        if (begins("determinant ") || begins("cargo ") || begins("sh ")) && !line.contains(" → ") {
            commands.push(line.split(" #").next().unwrap_or_default().trim_end());
        }
    }
    commands
}

fn reason_not_to_run(command: &str) -> Option<&'static str> {
    let whole = |known: &str| {
        let rest = command.strip_prefix(known);
        // A verb by itself stands for itself alone; more words stand for what goes on from them.
        rest.is_some_and(|rest| rest.is_empty() || known.split(' ').count() > 2)
    };
    NOT_RUN.iter().find(|(_, known)| known.iter().any(|known| whole(known))).map(|(reason, _)| *reason)
}

/// The words of a command as a shell reads them.
fn words(command: &str) -> Vec<String> {
    let script = format!("for word in {command}; do printf '%s\\n' \"$word\"; done");
    let mut shell = Command::new("sh");
    let output =
        shell.args(["-c", &script]).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("a shell");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn every_command_is_understood() {
    let commands = commands();
    assert!(commands.len() > 25, "{commands:#?}");
    for command in commands.into_iter().filter(|command| command.starts_with("determinant ")) {
        // Everything before it is parsed, and wrong words and values are told instead of the help.
        let words: Vec<String> = words(command).into_iter().skip(1).chain(["--help".to_owned()]).collect();
        let (code, _, errors) = ended(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, 0, "{command}: {errors}");
    }
    let (code, _, _) = ended(&["run", "--no-such-option", "--help"]);
    assert_eq!(code, 2, "wrong words are told");
}

#[test]
fn no_reason_is_left_over() {
    let commands = commands();
    for beginning in NOT_RUN.iter().flat_map(|(_, known)| *known) {
        assert!(
            commands.iter().any(|command| command.starts_with(beginning)),
            "{beginning} is not in the README"
        );
    }
}

#[test]
fn every_other_command_runs_as_it_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["fixtures", "reports"] {
        symlink(root.join(name), folder.path().join(name)).expect("a link");
    }
    let record = root.join("reports/recorded/reference-server/0.1.0/record.json");
    for name in ["before.json", "after.json"] {
        symlink(&record, folder.path().join(name)).expect("a link");
    }
    let adapter = folder.path().join("adapter");
    fs::write(&adapter, "#!/bin/sh\nexec determinant vectors answer\n").expect("a file");
    fs::set_permissions(&adapter, fs::Permissions::from_mode(0o755)).expect("an executable");
    let program = Path::new(env!("CARGO_BIN_EXE_determinant"));
    let path = format!(
        "{}:{}",
        program.parent().expect("a folder").display(),
        std::env::var("PATH").expect("a path")
    );

    let mut run = 0;
    for command in commands().into_iter().filter(|command| reason_not_to_run(command).is_none()) {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env("PATH", &path)
            .envs(determinant(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))))
            .output()
            .expect("a shell");
        let told = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&told));
        run += 1;
    }
    assert!(run >= 6, "only {run} commands were run");
    assert!(folder.path().join("servers.html").exists() && folder.path().join("servers.svg").exists());
}

#[rstest]
#[case("determinant run", true)]
#[case("determinant run --report x.html", false)]
#[case("determinant run http://localhost:8008", true)]
#[case("determinant load client family", true)]
#[case("determinant vectors run", false)]
fn reasons_stand_for_what_they_name(#[case] command: &str, #[case] named: bool) {
    assert_eq!(reason_not_to_run(command).is_some(), named);
}
