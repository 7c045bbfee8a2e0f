//! End-to-end tests of the binary, as its users call it.

mod ci;
mod doctor;
mod durability;
mod expect;
mod faults;
mod help;
mod histories;
mod hostile;
mod images;
mod layout;
mod limits;
mod load;
mod page;
mod readme;
mod record;
mod routes;
mod runs;
mod sessions;
mod stand_in;
mod together;
mod unrequired;
mod usage;
mod vectors;
mod watch;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The binary with these arguments, far from the user's own cache folder.
fn determinant(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_determinant"));
    command
        .args(arguments)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .env_remove("GITHUB_ACTIONS")
        .env_remove("COLUMNS");
    command
}

/// Runs it to its end; gives its exit code, what it said, and what it said of errors.
fn ended(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        determinant(arguments).output().expect("the binary can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// The records of the built-in server: the one of the whole suite, and those of what only another configuration can be asked.
fn records_of_the_built_in_server() -> Vec<PathBuf> {
    let folder = format!("reports/recorded/reference-server/{}", env!("CARGO_PKG_VERSION"));
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder");
    let is_record = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("record") && name.ends_with(".json")
    };
    let mut records: Vec<_> = files.map(|file| file.expect("a file").path()).filter(is_record).collect();
    records.sort();
    records
}
