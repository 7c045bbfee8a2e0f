//! The command line of `determinant vectors`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Vectors {
    Run(VectorsRun),
    Fuzz(VectorsFuzz),
    Show(VectorsShow),
    Answer(VectorsAnswer),
}

/// Put published vectors to an implementation: the built-in server's rules, or those behind an adapter.
#[derive(Debug, Args)]
pub(crate) struct VectorsRun {
    #[command(flatten)]
    pub(crate) adapter: Adapter,
    /// Put only cases whose id begins with this; may be given several times.
    #[arg(long, value_name = "ID-PREFIX")]
    pub(crate) only: Vec<String>,
    /// Put the vectors of this file or folder instead of the published ones.
    #[arg(long, value_name = "PATH")]
    pub(crate) from: Option<PathBuf>,
    /// Tell so many wrong answers in full; all of them are counted.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) show: usize,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Put generated room histories to an implementation, and make those small in which it differs from the suite's oracle.
///
/// A case is a history in which branches meet that are in conflict. Every event of it is judged by its auth events and by the
/// state before it, and the state is resolved wherever branches meet.
#[derive(Debug, Args)]
pub(crate) struct VectorsFuzz {
    #[command(flatten)]
    pub(crate) adapter: Adapter,
    /// Put so many histories with a real conflict.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) cases: u64,
    /// Decides which ones; without it, a new one, which is printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only in this room version; may be given several times. Without it, all take turns.
    #[arg(long, value_name = "VERSION", value_parser = room_version)]
    pub(crate) room_version: Vec<&'static protocol::RoomVersion>,
    /// Make so many kinds of disagreement small and tell them; all are counted.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) show: usize,
    /// Keep the small histories in this folder, as vectors and as drawings; without it, in the user's cache folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,
    /// Ask so many adapters at once; without it, one for each processor.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whom to ask.
#[derive(Debug, Args)]
pub(crate) struct Adapter {
    /// A shell command that reads questions from its standard input and writes answers to its standard output, as
    /// fixtures/vectors/README.md describes. Without it, the built-in server's rules are asked.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,
    /// How long an answer may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
}

/// Print a vector: what it is about, the question, and the one right answer.
#[derive(Debug, Args)]
pub(crate) struct VectorsShow {
    /// The id of a case, or the beginning of several.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// Answer questions from standard input, one to a line, by the built-in server's rules.
#[derive(Debug, Args)]
pub(crate) struct VectorsAnswer {
    /// Answer by the suite's oracle instead, which gives every optional property.
    #[arg(long)]
    pub(crate) oracle: bool,
}

pub(super) fn room_version(text: &str) -> Result<&'static protocol::RoomVersion, String> {
    protocol::RoomVersion::find(text).ok_or_else(|| "expected a room version from 1 to 12".to_owned())
}
