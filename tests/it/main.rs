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

use std::process::{Command, Output};

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
