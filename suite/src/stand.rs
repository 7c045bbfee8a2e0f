//! Everything that the checks of a run share, and what came of one of them.

use std::sync::Arc;

use reports::Verdict;

use crate::{
    coverage::Exercised, expectations::Expectations, scene::Scene, trial::Trial, verdict::Verdict as Outcome,
};

/// What the caller decides about a run.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// How many checks are under way at once.
    pub jobs: usize,
    /// How often each check is put; a verdict that varies is a fault.
    pub repeat: usize,
    /// The first unexpected result ends the run.
    pub fail_fast: bool,
    /// Multiplies every time limit.
    pub time_scale: f64,
    /// The seed of the run, for the command that repeats a check.
    pub seed: u64,
    /// The words after `determinant run` that name the target, for the command that repeats a check.
    pub target_words: String,
}

/// Everything that the checks of a run share.
pub(crate) struct Stand {
    pub(crate) trial: Arc<Trial>,
    pub(crate) settings: RunSettings,
    pub(crate) expectations: Expectations,
    pub(crate) exercised: Exercised,
}

/// One run of one check.
pub(crate) struct Attempt {
    pub(crate) verdict: Verdict,
    pub(crate) stop: Outcome,
    pub(crate) scene: Arc<Scene>,
    pub(crate) log_position: u64,
}
