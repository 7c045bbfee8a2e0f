//! The command line of `determinant record`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Record {
    Check(RecordCheck),
    Table(RecordTable),
    Timeline(RecordTimeline),
}

/// Tell what a reader would miss in a folder of recorded results.
///
/// A result is a folder SERVER/VERSION with record.json, exactly as a whole run wrote it, and a README.md that says how it is made
/// again. Exit codes: 0 nothing is missing, 1 something is.
#[derive(Debug, Args)]
pub(crate) struct RecordCheck {
    /// The folder.
    #[arg(value_name = "DIR", default_value = "reports/recorded")]
    pub(crate) folder: PathBuf,
}

/// Print all recorded results as one Markdown table.
#[derive(Debug, Args)]
pub(crate) struct RecordTable {
    /// The folder.
    #[arg(value_name = "DIR", default_value = "reports/recorded")]
    pub(crate) folder: PathBuf,
}

/// Print an SVG of one server over its recorded versions.
#[derive(Debug, Args)]
pub(crate) struct RecordTimeline {
    /// The folder of the server, such as synapse.
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// The folder of all recorded results.
    #[arg(value_name = "DIR", default_value = "reports/recorded")]
    pub(crate) folder: PathBuf,
}
