//! The counts of a run.

use serde::{Deserialize, Serialize};

use crate::{Check, Verdict};

/// How many checks came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Checks that were put: passed, failed, advised and observed.
    pub checks: usize,
    /// Requirements met.
    pub passed: usize,
    /// Musts broken.
    pub failed: usize,
    /// Shoulds broken.
    pub advised: usize,
    /// Observations.
    pub observed: usize,
    /// Checks that do not concern the target; not among `checks`.
    pub not_applicable: usize,
    /// Checks that could not be put; not among `checks`.
    pub faults: usize,
    /// Verdicts that contradict the expectation, whatever they are.
    pub unexpected: usize,
}

impl Summary {
    /// Counts checks.
    #[must_use]
    pub fn of(checks: &[Check]) -> Self {
        let mut summary = Self::default();
        checks.iter().for_each(|check| summary.count(check));
        summary
    }

    /// Counts one more check.
    pub fn count(&mut self, check: &Check) {
        match check.verdict {
            Verdict::Pass => self.passed += 1,
            Verdict::Fail => self.failed += 1,
            Verdict::Advice => self.advised += 1,
            Verdict::Observed => self.observed += 1,
            Verdict::NotApplicable => self.not_applicable += 1,
            Verdict::Fault => self.faults += 1,
        }
        self.checks += usize::from(!matches!(check.verdict, Verdict::NotApplicable | Verdict::Fault));
        self.unexpected += usize::from(check.is_unexpected());
    }

    /// How many came out with this verdict.
    #[must_use]
    pub fn of_verdict(&self, verdict: Verdict) -> usize {
        match verdict {
            Verdict::Pass => self.passed,
            Verdict::Fail => self.failed,
            Verdict::Advice => self.advised,
            Verdict::Observed => self.observed,
            Verdict::NotApplicable => self.not_applicable,
            Verdict::Fault => self.faults,
        }
    }
}
