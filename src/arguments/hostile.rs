//! The command line of `determinant hostile`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

/// Be a hostile peer: send mutated federation requests and stall connections, and see whether clients notice.
///
/// Requests of every operation of the server-server API are changed in their structure, their text or their signature; events in
/// them are mostly hashed and signed anew. Meanwhile a user of the server speaks and reads. Exit code 1 says that the server broke
/// down over a request (5xx, or no answer), panicked, or kept its user waiting.
#[derive(Debug, Args)]
pub(crate) struct Hostile {
    /// The client-server API of a server that is up. Without it and without --target, the built-in server is launched.
    #[arg(value_name = "URL", conflicts_with = "target")]
    pub(crate) url: Option<url::Url>,
    /// A target file, or a folder with a target.toml.
    #[arg(long, value_name = "PATH")]
    pub(crate) target: Option<PathBuf>,
    /// Send so many requests.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests: u32,
    /// Decides what is wrong with them; without it, a new one, which is printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many requests are under way at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: u32,
    /// So many connections stall meanwhile.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=2_000))]
    pub(crate) stalled: u32,
    /// For at least so long.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = super::load::time)]
    pub(crate) stalled_for: Duration,
    /// How long 99 of 100 requests of the user may take.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = super::load::time)]
    pub(crate) within: Duration,
    /// The server is not on this machine, and it is mine to burden.
    #[arg(long)]
    pub(crate) i_own_this_server: bool,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
