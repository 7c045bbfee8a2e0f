//! The command line of `determinant together`.

use std::path::PathBuf;

use clap::Args;

/// Start real servers, and see what their users have of each other: joins, invites, messages, history, keys, files; and whether
/// servers that were cut off from each other agree again.
///
/// Every scene is played with every two of the servers, each of them once as the host of the room.
#[derive(Debug, Args)]
pub(crate) struct Together {
    /// Target files, or folders with a target.toml; with one, the built-in server is the other, and with none, both are.
    #[arg(value_name = "TARGET", num_args = 0..=3)]
    pub(crate) targets: Vec<PathBuf>,
    /// Images that are kept for Complement, each started in a container; one alone is started twice. May be given several times.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Vec<String>,
    /// Play only scenes whose name begins with this; may be given several times.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) only: Vec<String>,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
