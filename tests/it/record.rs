//! `determinant record`.

use std::{fs, path::Path};

use reports::{Header, Record, Target};
use tempfile::TempDir;

/// Writes the results of a version of a server called "example server".
fn recorded(folder: &TempDir, version: &str, readme: &str, change: impl FnOnce(&mut Record)) {
    let target =
        Target { name: "example server".to_owned(), version: Some(version.to_owned()), notes: Vec::new() };
    let mut record = Record::begun(&Header { target, ..Header::default() });
    record.interrupted = false;
    change(&mut record);
    let place = folder.path().join("example-server").join(version);
    fs::create_dir_all(&place).expect("a folder");
    fs::write(place.join("README.md"), readme).expect("a README");
    let bytes = serde_json::to_vec(&record).expect("a record as JSON");
    fs::write(place.join("record.json"), bytes).expect("a record");
}

fn reproducible(version: &str) -> String {
    format!(
        "# Example\n\n## Reproduce\n\n    determinant run --record example-server/{version}/record.json\n"
    )
}

fn put(verb: &str, folder: &Path) -> (i32, String, String) {
    crate::ended(&["record", verb, folder.to_str().expect("a path")])
}

#[test]
fn complete_results_pass_and_stand_in_the_table_by_version() {
    let folder = TempDir::new().expect("a folder");
    for version in ["1.10.0", "1.9.0"] {
        recorded(&folder, version, &reproducible(version), |record| {
            record.releases.judged = "v1.11".to_owned()
        });
    }
    assert_eq!(put("check", folder.path()).0, 0);

    let (code, table, _) = put("table", folder.path());
    assert_eq!(code, 0);
    let versions: Vec<&str> = table.lines().skip(2).filter_map(|row| row.split(" | ").nth(1)).collect();
    assert_eq!(versions, ["1.9.0", "1.10.0"]);
    assert!(table.contains("| example-server | 1.9.0 | v1.11 | 0 |"), "{table}");
}

#[test]
fn what_is_missing_is_told_folder_by_folder() {
    let folder = TempDir::new().expect("a folder");
    recorded(&folder, "1.0", "# Example", |_| ());
    recorded(&folder, "1.1", &reproducible("1.0"), |_| ());
    recorded(&folder, "1.2", &reproducible("1.2"), |record| record.interrupted = true);
    recorded(&folder, "1.3", &reproducible("1.3"), |record| record.target.version = Some("1.4".to_owned()));
    recorded(&folder, "1.5", &reproducible("1.5"), |record| {
        record.command = "run --record /home/me/r.json".to_owned()
    });
    let broken = folder.path().join("example-server/1.6");
    fs::create_dir_all(&broken).expect("a folder");
    fs::write(broken.join("README.md"), reproducible("1.6")).expect("a README");
    fs::write(broken.join("record.json"), "{").expect("half a record");

    let (code, complaints, _) = put("check", folder.path());
    assert_eq!(code, 1);
    for (version, complaint) in [
        ("1.0", "no heading"),
        ("1.1", "no command that writes"),
        ("1.2", "ended before"),
        ("1.3", "is of \"1.4\""),
        ("1.5", "/home/me/r.json"),
        ("1.6", "record.json"),
    ] {
        let line = complaints.lines().find(|line| line.starts_with(&format!("example-server/{version}: ")));
        assert!(line.is_some_and(|line| line.contains(complaint)), "{version}, {complaint}: {complaints}");
    }
    assert_eq!(complaints.lines().count(), 6, "{complaints}");
}

#[test]
fn a_folder_without_results_is_wrong_usage() {
    let folder = TempDir::new().expect("a folder");
    for verb in ["check", "table"] {
        let (code, _, error) = put(verb, folder.path());
        assert_eq!(code, 2);
        assert!(error.contains("no folder SERVER/VERSION"), "{error}");
    }
}
