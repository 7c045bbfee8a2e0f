//! The record of a run, as it stands in the file.

use serde::{Deserialize, Serialize};

use crate::{Check, Coverage, Summary, Verdict, secrets};

/// What the `format` field of a record says.
pub const FORMAT: &str = "determinant.record/1";

/// A run: what was judged, how, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Always [`FORMAT`].
    pub format: String,
    /// What sort of run it was.
    pub kind: Kind,
    /// The server that was judged.
    pub target: Target,
    /// Every choice of the run follows from it.
    pub seed: u64,
    /// The release of the specification that was judged.
    #[serde(default)]
    pub releases: Releases,
    /// How many checks the run set out to put.
    #[serde(default)]
    pub total: usize,
    /// Where the harness ran.
    #[serde(default)]
    pub machine: Machine,
    /// When the run started, as RFC 3339.
    #[serde(default)]
    pub started: String,
    /// The command line of the run.
    #[serde(default)]
    pub command: String,
    /// The checks, in the order in which they were finished. A load record has none.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Counts of the checks, as the run stored them; whoever compares counts anew.
    #[serde(default)]
    pub summary: Summary,
    /// What of the specification was exercised; known at the end of the run.
    #[serde(default)]
    pub coverage: Option<Coverage>,
    /// What the reader of the whole run should know.
    #[serde(default)]
    pub notices: Vec<String>,
    /// Whether the run stopped before all of its checks were put. True in the record of a run that still goes.
    #[serde(default)]
    pub interrupted: bool,
    /// Wall-clock time of the run, in milliseconds.
    #[serde(default)]
    pub duration_ms: f64,
    /// How many requests were put and answered.
    #[serde(default)]
    pub exchanges: u64,
    /// Processor time of the harness itself, in milliseconds.
    #[serde(default)]
    pub harness_cpu_ms: Option<f64>,
}

impl Record {
    /// The record of a conformance run of which only the beginning is known: without checks, and interrupted.
    /// Secrets on the command line are shortened.
    #[must_use]
    pub fn begun(header: &Header) -> Self {
        let Header { target, seed, releases, total, machine, started, command } = header.clone();
        Self {
            format: FORMAT.to_owned(),
            kind: Kind::Conformance,
            target,
            seed,
            releases,
            total,
            machine,
            started,
            command: secrets::shorten_arguments(&command),
            checks: Vec::new(),
            summary: Summary::default(),
            coverage: None,
            notices: Vec::new(),
            interrupted: true,
            duration_ms: 0.0,
            exchanges: 0,
            harness_cpu_ms: None,
        }
    }

    /// How the run ended, for the exit code of the process.
    ///
    /// A verdict that contradicts its expectation outweighs a fault: it stays true whatever else could not be asked,
    /// and must not be taken for an infrastructure problem that a retry cures. A run that stopped early cannot say
    /// that all is as expected, and counts as a fault. A fault that the expectations foresee counts for nothing.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let mut unexpected = self.checks.iter().filter(|check| check.is_unexpected()).peekable();
        let fault = unexpected.peek().is_some() || self.interrupted;
        if unexpected.any(|check| check.verdict != Verdict::Fault) {
            Outcome::Unexpected
        } else if fault {
            Outcome::Fault
        } else {
            Outcome::AsExpected
        }
    }

    /// Where a citation of this record is read: the address of the document and anchor in the judged release.
    #[must_use]
    pub fn citation_url(&self, spec: &str) -> String {
        let release = self.releases.judged.trim();
        let release = if release.is_empty() { "latest" } else { release };
        let v = if release.starts_with(|first: char| first.is_ascii_digit()) { "v" } else { "" };
        format!("https://spec.matrix.org/{v}{release}/{spec}")
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every verdict is the expected one.
    AsExpected,
    /// At least one verdict contradicts its expectation.
    Unexpected,
    /// Nothing contradicts, but something could not be asked.
    Fault,
}

impl Outcome {
    /// The exit code of the process; 2 is for wrong usage and never comes from a run.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::AsExpected => 0,
            Self::Unexpected => 1,
            Self::Fault => 3,
        }
    }
}

/// What sort of run a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Requirements were put one by one.
    Conformance,
    /// Traffic was put and measured.
    Load,
}

/// What is known of a run before its first check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The server that is judged.
    pub target: Target,
    /// Every choice of the run follows from it.
    pub seed: u64,
    /// The release of the specification that is judged.
    pub releases: Releases,
    /// How many checks the run sets out to put.
    pub total: usize,
    /// Where the harness runs.
    pub machine: Machine,
    /// When the run started, as RFC 3339.
    pub started: String,
    /// The command line of the run.
    pub command: String,
}

/// The server that is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name, as people say it.
    pub name: String,
    /// Its version, where it tells one.
    #[serde(default)]
    pub version: Option<String>,
    /// Settings that a reader has to know to judge the result: rate limits off, cheap password hashing.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Which release of the specification a run judges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releases {
    /// Those that the target advertises.
    pub advertised: Vec<String>,
    /// The one that is judged, e.g. `v1.19`.
    pub judged: String,
    /// How it was chosen, in words.
    pub chosen_by: String,
}

/// Where the harness runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// Processors that the harness may use.
    pub cores: usize,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
