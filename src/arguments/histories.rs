//! The command line of `determinant histories`.

use std::path::PathBuf;

use clap::Args;

/// Tell random room histories to a server over federation, and make those small in which its state differs from the oracle's.
///
/// Four scripted homeservers tell each history in four rooms: as it was made, mixed up, by its last events alone, and backwards.
/// The server fetches what it lacks. Then it is asked for the state before every event, and clients for what they are shown:
/// the state before an event follows from the events before it, in whatever order they came.
#[derive(Debug, Args)]
pub(crate) struct Histories {
    /// The client-server API of a server that is up. Without it and without --target, the built-in server is launched.
    #[arg(value_name = "URL", conflicts_with = "target")]
    pub(crate) url: Option<url::Url>,
    /// A target file, or a folder with a target.toml.
    #[arg(long, value_name = "PATH")]
    pub(crate) target: Option<PathBuf>,
    /// Tell so many histories with a real conflict.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cases: u32,
    /// Decides which ones; without it, a new one, which is printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only the history of this number, in one room version: as a finding says how it is repeated.
    #[arg(long, value_name = "NUMBER", requires_all = ["seed", "room_version"], conflicts_with = "cases")]
    pub(crate) history: Option<u64>,
    /// Only in this room version; may be given several times. Without it, 2 to 12 take turns, as far as the server offers them.
    #[arg(long, value_name = "VERSION", value_parser = super::vectors::room_version)]
    pub(crate) room_version: Vec<&'static protocol::RoomVersion>,
    /// Count partings of this kind, and go on: it is known of the server. One of state, replaced-state (the state before an event
    /// lacks what that event replaces), absent, shown and hidden; may be given several times.
    #[arg(long, value_name = "KIND")]
    pub(crate) known: Vec<suite::histories::Kind>,
    /// How many histories are told at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: u32,
    /// Let the built-in server commit a fault, so that the histories can be tested.
    #[arg(long, value_name = "FAULT", conflicts_with_all = ["url", "target"])]
    pub(crate) misbehave: Vec<reference_server::misbehave::Fault>,
    /// The server is not on this machine, and it is mine to burden.
    #[arg(long)]
    pub(crate) i_own_this_server: bool,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
