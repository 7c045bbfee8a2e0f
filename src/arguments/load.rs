//! The command line of `determinant load`.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use loadgen::{federation::Shape, objective::Demand, profile::Course, profile::Shard};
use reports::Rendering;

#[derive(Debug, Subcommand)]
pub(crate) enum Load {
    Client(LoadClient),
    Federation(LoadFederation),
    Journeys(LoadJourneys),
    Voip(Box<LoadVoip>),
    Capacity(LoadCapacity),
    Merge(LoadMerge),
}

/// Put client traffic to a homeserver, and measure it from the moment each request was due.
///
/// Users, rooms and history are made first, from the seed. Then arrivals come as scheduled, whether or not earlier ones have
/// been answered: a server that stalls is told by every request that had to wait, and by none that was never sent.
#[derive(Debug, Args)]
pub(crate) struct LoadClient {
    #[command(flatten)]
    pub(crate) common: LoadCommon,
}

/// Have people go through what they do on a homeserver, step by step: chat, read back, search, share, call, come for the first time.
///
/// The profile is `journeys`. Everybody waits for each answer and thinks before the next step, so latencies count from the moment
/// at which a step is begun, and a server that slows down is asked less: this tells what people meet. What a server can take is
/// asked by `determinant load client` and `load capacity`, whose arrivals wait for nobody.
#[derive(Debug, Args)]
pub(crate) struct LoadJourneys {
    #[command(flatten)]
    pub(crate) common: LoadCommon,
}

/// Put federation traffic to a homeserver: scripted servers that send into its rooms, join them, and ask for what they lack.
///
/// The profile is `federation`. Each server has a name, a key and a door of its own, and is in rooms of the server under load. What
/// they send is signed before the run. Measured are the answers to transactions, joins, backfill, state and keys, and how long a
/// message takes from a scripted server to the sync of a local user (`delivery-inbound`) and from a local user to the
/// scripted servers in the room (`delivery-outbound`). Only a server that a target file launches can be federated with.
#[derive(Debug, Args)]
pub(crate) struct LoadFederation {
    #[command(flatten)]
    pub(crate) common: LoadCommon,
    /// How many scripted servers there are; without it, as many as the profile says. Rooms that all of them are in stay so.
    #[arg(long, value_name = "N")]
    pub(crate) servers: Option<NonZeroU32>,
    /// The shape that their events make: linear, forks of each server, or merges of as many branches as there are servers in a
    /// room.
    #[arg(long, value_name = "SHAPE")]
    pub(crate) shape: Option<Shape>,
}

/// Put the signalling of calls to a homeserver: pairs who dial, ring, answer, negotiate and hang up.
///
/// The profile is `calls`. Every event is of version 1 of the specification's calls, and what one party sends, the other acts on
/// when its own sync brings it. Measured are dial-to-ring, answer-to-caller, the whole set-up without the time that it rang
/// (`call`), renegotiation, and how long a hangup or a rejection takes to reach the other. A call finds its pair busy, or is
/// dropped.
#[derive(Debug, Args)]
pub(crate) struct LoadVoip {
    #[command(flatten)]
    pub(crate) common: LoadCommon,
    /// Have callees ask the TURN server for a relay with the credentials that they were given, and give it back; counts as
    /// `turn-allocation`. A server that a target file launches gets a coturn beside it, where that is installed.
    #[arg(long)]
    pub(crate) relay: bool,
    /// Have everybody who is called be a user of another server: the one that this target file launches, or without a path another
    /// built-in one. The two federate; the first is the one under load, whose process is observed.
    #[arg(long, value_name = "PATH", num_args = 0..=1, conflicts_with = "shard")]
    pub(crate) across: Option<Option<PathBuf>>,
    /// How many calls begin in a second; without it, as many as the profile says.
    #[arg(long, value_name = "RATE", value_parser = super::positive)]
    pub(crate) calls_per_second: Option<f64>,
    /// How long it rings before the callee decides.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub(crate) ring: Duration,
    /// How long an answered call lasts.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(crate) talk: Duration,
    /// The share of calls in which both call each other at once, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    pub(crate) glare: f64,
    /// The share of calls that the callee rejects, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent)]
    pub(crate) reject: f64,
}

/// Search for the largest number of active users that a server holds with every objective kept.
///
/// The number doubles until an objective is missed, then the gap is halved; the answer is confirmed by a run of twice the
/// time. Without --slo, the objectives are "errors < 1%", "dropped < 1%" and "p95 < 500ms" of what people wait for that others
/// do, as far as the profile has it: "delivery", with servers "delivery-inbound", and of calls "dial-to-ring".
#[derive(Debug, Args)]
pub(crate) struct LoadCapacity {
    #[command(flatten)]
    pub(crate) common: LoadCommon,
    /// Users of the first step; without it, those of one family, company or community of the profile.
    #[arg(long, value_name = "N")]
    pub(crate) from: Option<NonZeroU32>,
    /// Try no more users than this.
    #[arg(long, value_name = "N", default_value = "20000")]
    pub(crate) most: NonZeroU32,
    /// How long each step is driven before it is measured.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time)]
    pub(crate) warm_up: Duration,
}

/// Put the records of the parts of a run together, and judge the whole.
///
/// Histograms are added, never averaged. A part that is missing, was broken off or was void voids the whole.
#[derive(Debug, Args)]
pub(crate) struct LoadMerge {
    /// The records of all parts.
    #[arg(value_name = "RECORD", num_args = 1.., required = true)]
    pub(crate) records: Vec<PathBuf>,
    /// An objective, as for `determinant load client`.
    #[arg(long, value_name = "OBJECTIVE")]
    pub(crate) slo: Vec<Demand>,
    /// What is done with the whole.
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What is done with a record.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Write the record of the run to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Also write this picture of the record, by its ending: .html, .md or .txt. May be given several times.
    #[arg(long, value_name = "FILE", value_parser = picture)]
    pub(crate) report: Vec<(PathBuf, Rendering)>,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What every kind of traffic takes.
#[derive(Debug, Args)]
pub(crate) struct LoadCommon {
    /// The profile, and the client-server API of a server that is up.
    ///
    /// A profile is one of family, company-50, community-10k, bridge-bot, sync-storm, login-rush, media, e2ee, calls, federation and
    /// journeys, or the path of a .toml file like those in loadgen/profiles; without one, it is company-50, federation for federation,
    /// journeys for journeys, and calls for voip. Without a URL and without --target, the
    /// built-in reference homeserver is launched and burdened.
    #[arg(value_name = "PROFILE | URL", num_args = 0..=2)]
    pub(crate) what: Vec<String>,
    /// A target file, or a folder with a target.toml: how to launch or reach a server.
    #[arg(long, value_name = "PATH")]
    pub(crate) target: Option<PathBuf>,
    /// For how long arrivals are due: 10s, 5m, 1h.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) span: Duration,
    /// So many active users; without it, those of the profile. More than that are several families or companies beside each
    /// other, fewer leave some of them asleep.
    #[arg(long, value_name = "N")]
    pub(crate) users: Option<NonZeroU32>,
    /// How rates change over the run, whatever the profile says: poisson, constant, spike:FACTOR, ramp:FROM..TO, steps:A,B,C, or
    /// replay:FILE with one moment in seconds to a line.
    #[arg(long, value_name = "COURSE")]
    pub(crate) course: Option<Course>,
    /// Who there is and what arrives when; without it, a new one, which is printed. A server that stays keeps the users and rooms
    /// of a seed for the next run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// An objective, such as "delivery p95 < 500ms" or "errors < 0.1%"; may be given several times. Without one, "errors < 1%" and
    /// "dropped < 1%".
    #[arg(long, value_name = "OBJECTIVE")]
    pub(crate) slo: Vec<Demand>,
    /// How long an answer may take before it counts as an error.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time)]
    pub(crate) timeout: Duration,
    /// How late one request in a hundred may be begun before the run is void, because the generator could not keep up.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = time)]
    pub(crate) max_lag: Duration,
    /// Refuse a schedule of more requests per second than this. Without it, 50 for a server that is not on this machine.
    #[arg(long, value_name = "RATE")]
    pub(crate) max_rate: Option<f64>,
    /// How many requests make users and rooms at once.
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) hands: NonZeroU32,
    /// Drive one part of the run, counted from 1, such as 2/3; `determinant load merge` puts the records together.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Begin at this moment, as 2026-11-23T09:00:00Z, so that all parts begin together.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(crate) start_at: Option<std::time::SystemTime>,
    /// The server is not on this machine, and it is mine to burden.
    #[arg(long)]
    pub(crate) i_own_this_server: bool,
    /// Ask this Prometheus endpoint of the server before and after the run, and keep what has changed in the record.
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Option<url::Url>,
    /// Offer the run's own metrics to Prometheus at this address while it goes.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) serve_metrics: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn picture(text: &str) -> Result<(PathBuf, Rendering), String> {
    let (path, rendering) =
        super::report(text).map_err(|_| "expected a name that ends in .html, .md or .txt")?;
    match rendering {
        Rendering::Html | Rendering::Markdown | Rendering::Terminal => Ok((path, rendering)),
        _ => Err("a load run is drawn as .html, .md or .txt".to_owned()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').map(|number| number.trim().parse::<f64>()) {
        Some(Ok(number)) if (0.0..=100.0).contains(&number) => Ok(number / 100.0),
        _ => Err("expected a share such as 5%".to_owned()),
    }
}

/// A time with its unit.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let number =
        |(unit, seconds): (&str, f64)| Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * seconds);
    match units.into_iter().find_map(number) {
        Some(seconds) if seconds > 0.0 && seconds <= 1e7 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a time such as 500ms, 10s, 5m or 1h".to_owned()),
    }
}

fn moment(text: &str) -> Result<std::time::SystemTime, String> {
    reports::parse_rfc_3339(text).ok_or_else(|| "expected a moment such as 2026-11-23T09:00:00Z".to_owned())
}
