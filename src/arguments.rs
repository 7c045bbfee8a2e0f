//! The command line: one definition for parser, help and errors.

mod catalogue;
mod doctor;
mod expect;
mod histories;
mod hostile;
mod load;
mod record;
mod stand_in;
mod together;
mod vectors;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reports::Rendering;
use suite::plan::Shard;

pub(crate) use catalogue::{Catalogue, Ledger};
pub(crate) use doctor::Doctor;
pub(crate) use expect::{Expect, ExpectImport, ExpectUpdate};
pub(crate) use histories::Histories;
pub(crate) use hostile::Hostile;
pub(crate) use load::{
    Load, LoadCapacity, LoadClient, LoadCommon, LoadFederation, LoadJourneys, LoadMerge, LoadVoip,
    Output as LoadOutput,
};
pub(crate) use record::Record;
pub(crate) use stand_in::StandIn;
pub(crate) use together::Together;
pub(crate) use vectors::{Adapter, Vectors, VectorsAnswer, VectorsFuzz, VectorsRun, VectorsShow};

/// Conformance suite and load harness for Matrix homeservers.
///
/// Exit codes: 0 everything as expected, 1 unexpected results, 2 wrong usage, 3 the target or the harness failed.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Run(Run),
    Serve(Serve),
    List(List),
    Explain(Explain),
    Coverage(Coverage),
    Compare(Compare),
    Doctor(Doctor),
    /// Keep an expectations file true.
    Expect {
        #[command(subcommand)]
        verb: Expect,
    },
    /// Look after a folder of recorded results.
    Record {
        #[command(subcommand)]
        verb: Record,
    },
    Selftest(Selftest),
    /// Put load to a homeserver: how long it takes, and how much it can take.
    ///
    /// Exit codes: 0 every objective kept, 1 one missed, 2 wrong usage, 3 the target failed or the figures are void.
    Load {
        #[command(subcommand)]
        verb: Load,
    },
    Sessions(Sessions),
    Histories(Histories),
    Hostile(Hostile),
    Together(Together),
    StandIn(StandIn),
    /// Put room rules to any implementation: published vectors and generated histories.
    Vectors {
        #[command(subcommand)]
        verb: Vectors,
    },
    /// Make the catalogue of the specification's operations, or compare it with the specification.
    Catalogue {
        #[command(subcommand)]
        verb: Catalogue,
    },
    Completions(Completions),
    Manual(Manual),
}

/// Judge a homeserver: the built-in one, or one that is up, or one that a target file launches.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The client-server API of a server that is up, such as http://localhost:8008. Without it and without --target, the
    /// built-in reference homeserver is launched and judged.
    #[arg(value_name = "URL", conflicts_with_all = ["target", "image"])]
    pub(crate) url: Option<url::Url>,
    /// A target file, or a folder with a target.toml: how to launch or reach a server, and what to expect of it.
    #[arg(long, value_name = "PATH")]
    pub(crate) target: Option<PathBuf>,
    /// Start the server in a container of this image. Any image that is kept for Complement will do; with --target, what the
    /// file says of containers goes.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Put only checks whose id begins with this; may be given several times.
    #[arg(long, value_name = "ID-PREFIX")]
    pub(crate) only: Vec<String>,
    /// Put only the checks that came out unexpectedly in the last run.
    #[arg(long)]
    pub(crate) failed_last: bool,
    /// End the run with the first unexpected result.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Run again whenever the program or the files of the target change: what came out unexpectedly, or else all that was
    /// asked for; until q and Enter, or Ctrl-C.
    #[arg(long, conflicts_with = "record")]
    pub(crate) watch: bool,
    /// Watch this file or folder as well; a server that is up needs it. May be given several times.
    #[arg(long, value_name = "PATH", requires = "watch")]
    pub(crate) watch_path: Vec<PathBuf>,
    /// The seed of order and random choices; without it, a new one, which is printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Write the record of the run to this file. Without it, it goes to the user's cache folder as the last run.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Put one part of the checks, counted from 1, such as 2/3.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Put every check so many times; a verdict that varies is a fault.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// How many checks are under way at once.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: u32,
    /// Multiply every time limit: 2 for a slow machine.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = positive)]
    pub(crate) time_scale: f64,
    /// Judge this release, such as v1.11, whatever the server advertises.
    #[arg(long, value_name = "RELEASE")]
    pub(crate) spec: Option<fixtures::catalogue::Release>,
    /// An expectations file that overrules the target's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) expectations: Option<PathBuf>,
    /// Start so many servers of the kind; they share a certificate authority.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) instances: std::num::NonZeroUsize,
    /// The server is not on this machine, and it is mine to burden.
    #[arg(long)]
    pub(crate) i_own_this_server: bool,
    /// Let the built-in server commit a fault, so that the suite can be tested; `serve --list-faults` names them. May be given several
    /// times.
    #[arg(long, value_name = "FAULT", conflicts_with_all = ["url", "target", "image"])]
    pub(crate) misbehave: Vec<reference_server::misbehave::Fault>,
    /// Also write this picture of the record, by its ending: .html, .md, .xml (JUnit), .tap, .gotest.json (the lines of
    /// `go test -json`) or .txt. May be given several times.
    #[arg(long, value_name = "FILE", value_parser = report)]
    pub(crate) report: Vec<(PathBuf, Rendering)>,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run the reference homeserver until it is interrupted.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep everything in this folder; without it, in memory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Listen for clients here; port 0 chooses one.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// The domain of its user ids.
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// Ask this name server instead of those of the system.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) nameserver: Option<std::net::SocketAddr>,
    /// Commit a fault, so that a test suite can be tested. May be given several times.
    #[arg(long, value_name = "FAULT")]
    pub(crate) misbehave: Vec<reference_server::misbehave::Fault>,
    /// Print the names of all faults, each with what is wrong, and end.
    #[arg(long)]
    pub(crate) list_faults: bool,
}

/// Print the ids of all checks.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only checks whose id begins with this.
    #[arg(value_name = "ID-PREFIX")]
    pub(crate) only: Option<String>,
    /// Only checks that prove a requirement whose id begins with this.
    #[arg(long, value_name = "ID-PREFIX")]
    pub(crate) proves: Option<String>,
    /// With level, severity and citation.
    #[arg(long)]
    pub(crate) long: bool,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say what a check requires, where the specification says so, and where the test stands; or which checks prove a
/// requirement.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The id of a check, with or without its case, or that of a requirement.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// Print what a run exercised of the specification.
#[derive(Debug, Args)]
pub(crate) struct Coverage {
    /// Records of one server, taken together; without one, the last run.
    #[arg(value_name = "RECORD")]
    pub(crate) records: Vec<PathBuf>,
    /// List what is missing.
    #[arg(long)]
    pub(crate) missing: bool,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Compare records side by side: of conformance, or of load.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Two records or more; the first is the base.
    #[arg(value_name = "RECORD", num_args = 2.., required = true)]
    pub(crate) records: Vec<PathBuf>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = ComparisonForm::Terminal)]
    pub(crate) form: ComparisonForm,
    /// Also write one self-contained page: every check beside its verdicts, with the account of what did not pass; of load
    /// records, the percentiles over each other.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Also write an SVG for a README: areas by servers, and how many checks passed. Only of conformance.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// End with exit code 1 on this, and tell each case in full.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) fail_on: Option<FailOn>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ComparisonForm {
    /// For a person at a terminal.
    Terminal,
    /// For a pull request.
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A check that passed in the first record and fails in a later one; an operation that became slower or fails more.
    Regression,
}

/// Prove that the suite can fail a server: commit faults one at a time, and count what its checks see of them.
///
/// Faults of shape and of value are committed on the wire, before the built-in server; semantic faults by the server itself.
#[derive(Debug, Args)]
pub(crate) struct Selftest {
    /// Try so many faults, of all kinds together; without it, all that there are, which takes a quarter of an hour
    /// in a release build.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sample: Option<u32>,
    /// Decides which faults are tried; without it, a new one, which is printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only faults of this kind; may be given several times.
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) kind: Vec<FaultKind>,
    /// Only faults whose name begins with this; may be given several times.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) only: Vec<String>,
    /// Go through the hand-written tests instead of the faults, and list those that no fault turns red.
    #[arg(long, conflicts_with_all = ["kind", "list"])]
    pub(crate) tests: bool,
    /// List the faults instead of trying them, and those that touch no requirement, with the reason.
    #[arg(long)]
    pub(crate) list: bool,
    /// How many faults are tried at once; without it, two for each processor.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Play random client sessions with a server, and make those small in which what clients are told does not fit together.
///
/// In a session, users speak, set state, come and go, and their clients sync in different ways, all at the same time. In the
/// end the state that a client has accumulated is compared with that of the room, the pieces of its timeline with the whole
/// history, and what it has seen with what it may see.
#[derive(Debug, Args)]
pub(crate) struct Sessions {
    /// The client-server API of a server that is up. Without it and without --target, the built-in server is launched.
    #[arg(value_name = "URL", conflicts_with = "target")]
    pub(crate) url: Option<url::Url>,
    /// A target file, or a folder with a target.toml.
    #[arg(long, value_name = "PATH")]
    pub(crate) target: Option<PathBuf>,
    /// Play so many sessions.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cases: u32,
    /// The seed of the first session; the next one has the next number. Without it, a new one, which is printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many sessions are under way at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: u32,
    /// Restart the server in the midst of the first session and of every Nth after it, as an operator does: what it has told its
    /// clients still holds, and their tokens work. The others of that time go on afterwards.
    #[arg(long, value_name = "N", conflicts_with = "url")]
    pub(crate) restart_every: Option<std::num::NonZeroUsize>,
    /// Let the built-in server commit a fault, so that the sessions can be tested.
    #[arg(long, value_name = "FAULT", conflicts_with_all = ["url", "target"])]
    pub(crate) misbehave: Vec<reference_server::misbehave::Fault>,
    /// The server is not on this machine, and it is mine to burden.
    #[arg(long)]
    pub(crate) i_own_this_server: bool,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultKind {
    /// On the wire, with a wrong shape.
    Shape,
    /// On the wire, with the right shape.
    Value,
    /// Of the server itself.
    Semantic,
}

/// Print what a shell needs to complete this command line.
///
/// For bash: determinant completions bash > ~/.local/share/bash-completion/completions/determinant
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Write a manual page for every verb.
///
/// Then: man -l DIR/determinant-run.1
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// The folder they go to; it is made if it is missing.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a positive number".to_owned()),
    }
}

fn report(text: &str) -> Result<(PathBuf, Rendering), String> {
    let path = PathBuf::from(text);
    let rendering = Rendering::of_path(&path)
        .ok_or("expected a name that ends in .html, .md, .xml, .tap, .gotest.json or .txt")?;
    Ok((path, rendering))
}
