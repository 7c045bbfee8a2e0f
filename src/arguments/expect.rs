//! The command line of `determinant expect`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Expect {
    Update(ExpectUpdate),
    Import(ExpectImport),
}

/// Bring an expectations file in line with what came of a run.
///
/// What came out otherwise than expected gets a line with what was seen; its reason begins with "unexplained:" and waits for
/// somebody to write it. What has passed, and what covers no check any more, loses its line. Comments, and what a run did not
/// put, stay as they are.
#[derive(Debug, Args)]
pub(crate) struct ExpectUpdate {
    /// The expectations file; it is made if it is missing.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The record of a run; without it, the last run.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Option<PathBuf>,
    /// Write nothing; end with exit code 1 if the file would change.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Begin an expectations file with the results of Complement.
///
/// What failed there is expected to fail here, with that as its reason, where a check puts the same requirement; failed tests
/// without such a check are listed. Lines that the file has already stay as they are. After the first run, `expect update`
/// brings it in line with what really came.
#[derive(Debug, Args)]
pub(crate) struct ExpectImport {
    /// The expectations file; it is made if it is missing.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What a run of Complement printed: the lines of `go test -json`, or the text of `go test -v`.
    #[arg(value_name = "RESULTS")]
    pub(crate) results: PathBuf,
}
