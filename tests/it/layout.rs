//! What holds of the project as a whole: its dependencies and its documents.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The packages that the workspace is built of on this platform. The lock file names more: features nobody asks for.
fn packages() -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--workspace",
            "--edges",
            "normal,build,dev",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be started");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let names = String::from_utf8(tree.stdout).expect("UTF-8");
    names.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}

/// Two providers with no installed default fail at run time.
#[test]
fn there_is_one_crypto_provider() {
    let packages = packages();
    assert!(packages.contains("aws-lc-rs"));
    for other in ["ring", "openssl", "native-tls", "boring"] {
        assert!(!packages.contains(other), "{other} is in the tree");
    }
}

/// Other implementations are opinions to compare with, never part of the judgement.
#[test]
fn no_other_implementation_is_in_the_tree() {
    let foreign: Vec<_> = packages()
        .into_iter()
        .filter(|name| name.starts_with("ruma") || name.starts_with("matrix-sdk"))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// The table in the README is what the manifests say: an arrow that nobody argued for does not slip in.
#[test]
fn crates_use_what_the_readme_says() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be started");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let uses = |package: &Value| {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        let names: BTreeSet<String> = normal
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| ours.contains(name))
            .map(str::to_owned)
            .collect();
        (package["name"].as_str().unwrap_or_default().to_owned(), names)
    };
    let manifests: BTreeMap<String, BTreeSet<String>> = packages.iter().map(uses).collect();
    let readme = read("README.md");
    let is_name = |text: &str| text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    let arrows = readme.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(" → "));
    let arrows = arrows.filter(|(name, _)| is_name(name.trim()));
    let listed = |(name, uses): (&str, &str)| {
        let uses = uses.split(", ").filter(|name| *name != "nothing of ours").map(str::to_owned).collect();
        (name.trim().to_owned(), uses)
    };
    assert_eq!(arrows.map(listed).collect::<BTreeMap<_, _>>(), manifests);
}

#[test]
fn every_shared_dependency_has_its_reason() {
    let manifest = read("Cargo.toml");
    let (_, section) = manifest.split_once("[workspace.dependencies]").expect("shared dependencies");
    let section = section.split("\n[").next().unwrap_or_default();
    let mut reason = false;
    for line in section.lines().filter(|line| !line.is_empty()) {
        let ours = line.contains("path = ");
        assert!(line.starts_with('#') || ours || reason, "no reason above: {line}");
        reason = line.starts_with('#');
    }
}

/// The figures of the README are those of the records of the built-in server, as `determinant coverage` prints them.
#[test]
fn the_readme_shows_the_figures_of_the_record() {
    let records = crate::records_of_the_built_in_server();
    let records = records.iter().map(|path| path.to_str().expect("a path"));
    let verb: Vec<&str> = std::iter::once("coverage").chain(records).collect();
    let (code, table, errors) = crate::ended(&verb);
    assert_eq!(code, 0, "{errors}");
    let readme = read("README.md");
    // Below the blank line come the chapters, which only those who ask want to see.
    for row in table.lines().take_while(|row| !row.is_empty()) {
        assert!(
            readme.lines().any(|line| line.trim() == row.trim()),
            "README.md lacks {row:?}, as {verb:?} prints it"
        );
    }
}

/// The table of recorded results in the README, and the picture beside them, are what `determinant record` makes of the records.
#[test]
fn the_readme_shows_what_was_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/recorded");
    let folder = folder.to_str().expect("a path");
    let (code, complaints, errors) = crate::ended(&["record", "check", folder]);
    assert_eq!(code, 0, "{complaints}{errors}");

    let (_, table, _) = crate::ended(&["record", "table", folder]);
    assert!(read("README.md").contains(table.trim()), "README.md lacks the table:\n{table}");

    let (_, picture, _) = crate::ended(&["record", "timeline", "synapse", folder]);
    assert_eq!(read("reports/recorded/synapse/timeline.svg").trim(), picture.trim());
}

#[test]
fn the_readme_speaks_of_verbs_that_exist() {
    let (_, help, _) = crate::ended(&["--help"]);
    let readme = read("README.md");
    let verbs =
        readme.lines().filter_map(|line| line.trim().strip_prefix("determinant ")?.split_whitespace().next());
    for verb in verbs.filter(|verb| verb.chars().all(|character| character.is_ascii_lowercase())) {
        assert!(
            help.contains(&format!("\n  {verb} ")),
            "README speaks of `determinant {verb}`; --help does not"
        );
    }
}
