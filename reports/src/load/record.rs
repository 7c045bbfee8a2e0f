//! The record of a load run, as it stands in the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{Generator, Metric, Sample, Series};
use crate::{FORMAT, Kind, Machine, Outcome, ReadError, Target};

/// A load run: what was planned, what came of it, and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadRecord {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`Kind::Load`].
    pub kind: Kind,
    /// The server that was burdened.
    pub target: Target,
    /// Every choice of the run follows from it.
    pub seed: u64,
    /// What the run set out to do.
    pub plan: Plan,
    /// Where the generator ran.
    #[serde(default)]
    pub machine: Machine,
    /// When the run started, as RFC 3339.
    #[serde(default)]
    pub started: String,
    /// The command line of the run.
    #[serde(default)]
    pub command: String,
    /// What was measured, operation by operation.
    pub series: Vec<Series>,
    /// Counts that are no latencies: long polls answered, timelines limited, bytes received.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// What a search for the server's capacity found; this record is then that of its last run.
    #[serde(default)]
    pub capacity: Option<Capacity>,
    /// What was demanded, and whether it was kept.
    #[serde(default)]
    pub objectives: Vec<Objective>,
    /// The server's processes and the machine over time; empty where the server is elsewhere.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// Metrics of the server that changed.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// How the generator fared.
    #[serde(default)]
    pub generator: Generator,
    /// What the reader of the whole run should know.
    #[serde(default)]
    pub notices: Vec<String>,
    /// Why the figures say nothing about the server: the generator could not drive the run, or a part of it is missing.
    #[serde(default)]
    pub void: Option<String>,
    /// How the target failed the run altogether.
    #[serde(default)]
    pub fault: Option<String>,
    /// Whether the run stopped early. True in the record of a run that still goes.
    #[serde(default)]
    pub interrupted: bool,
    /// How long the population took to make, in milliseconds.
    #[serde(default)]
    pub population_ms: f64,
    /// How long the run took from its first slot to its last answer, in milliseconds.
    #[serde(default)]
    pub duration_ms: f64,
}

/// What a run sets out to do. Parts of one run agree on all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What sort of traffic: `client`, `federation`, `journeys` or `voip`.
    pub traffic: String,
    /// The profile of the traffic.
    pub profile: String,
    /// Active users.
    pub users: u64,
    /// For how long slots are due, in milliseconds.
    pub for_ms: f64,
    /// How long an interval is, in milliseconds.
    pub interval_ms: f64,
    /// Slots of the whole schedule, in all parts of the run.
    pub slots: u64,
    /// Which part this is, where there are several.
    #[serde(default)]
    pub part: Option<Part>,
}

/// One part of a run on several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which one, counted from 1.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

/// What was demanded of a run, and whether it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// As it was written: `delivery p95 < 500ms`.
    pub text: String,
    /// What came instead, in the same words; nothing where the run has no figure for it.
    pub actual: Option<String>,
    /// Whether it was kept. What has no figure was not.
    pub kept: bool,
}

/// How much a server can take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The largest number of active users with whom every objective was kept, and was again when it was confirmed.
    pub users: Option<u64>,
    /// What was exhausted beyond that, in words.
    pub gave_way: Option<String>,
    /// The answer as a sentence.
    pub sentence: String,
    /// What was tried, in order.
    pub steps: Vec<Step>,
}

/// One number of users that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// How many were active.
    pub users: u64,
    /// Whether every objective was kept.
    pub kept: bool,
    /// The objectives that were missed, or why there was nothing to judge.
    pub missed: Vec<String>,
    /// The 95th percentile of delivery, in milliseconds.
    pub delivery_p95_ms: Option<f64>,
}

impl LoadRecord {
    /// The record of a run of which only the plan is known.
    #[must_use]
    pub fn begun(target: Target, seed: u64, plan: Plan, started: String, command: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            kind: Kind::Load,
            target,
            seed,
            plan,
            machine: Machine::here(),
            started,
            command: crate::secrets::shorten_arguments(command),
            series: Vec::new(),
            counts: BTreeMap::new(),
            capacity: None,
            objectives: Vec::new(),
            samples: Vec::new(),
            metrics: Vec::new(),
            generator: Generator::default(),
            notices: Vec::new(),
            void: None,
            fault: None,
            interrupted: true,
            population_ms: 0.0,
            duration_ms: 0.0,
        }
    }

    /// The series of this name.
    #[must_use]
    pub fn series(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }

    /// How the run ended, for the exit code of the process.
    ///
    /// A run that was void, broken off or failed by its target says nothing of its objectives.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.void.is_some() || self.fault.is_some() || self.interrupted {
            Outcome::Fault
        } else if self.objectives.iter().all(|objective| objective.kept) {
            Outcome::AsExpected
        } else {
            Outcome::Unexpected
        }
    }

    /// Writes the record. A file that stands there is replaced at once: no moment leaves half a record.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        fs::write(&beside, self.to_json()?)?;
        fs::rename(&beside, path)
    }

    /// The record as text.
    ///
    /// # Errors
    /// When a histogram cannot be written.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Reads a load record.
    ///
    /// # Errors
    /// When there is no such file, or when it is not a load record of this format.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let bytes =
            fs::read(path).map_err(|source| ReadError::Unreadable { path: path.to_owned(), source })?;
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(record) if record.format == FORMAT => Ok(record),
            Ok(record) => Err(ReadError::Foreign { path: path.to_owned(), format: record.format }),
            Err(error) => Err(crate::reading::refuse(path, &bytes, &error)),
        }
    }
}
