//! What came of many questions: counts by area, and which rules decided.

use std::collections::{BTreeMap, BTreeSet};

use oracle::{Decision, Rule};
use protocol::RoomVersion;

use crate::agreement::Agreement;
use crate::expected;
use crate::question::Question;

/// Counts of cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub cases: usize,
    /// Those that were answered wrong.
    pub disagreements: usize,
    /// Those that the implementation cannot answer.
    pub unsupported: usize,
}

/// A running account of questions and what came of them.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    areas: BTreeMap<String, Counts>,
    decided: BTreeSet<(&'static str, Rule)>,
    rejected: usize,
}

impl Tally {
    /// Notes what came of a case; `area` is what it is counted under.
    pub fn note(&mut self, area: &str, question: &Question, agreement: &Agreement) {
        let counts = self.areas.entry(area.to_owned()).or_default();
        counts.cases += 1;
        match agreement {
            Agreement::Agrees => {}
            Agreement::Unsupported(_) => counts.unsupported += 1,
            Agreement::Differs(_) => counts.disagreements += 1,
        }
        if let Question::Authorize(authorize) = question
            && let Some(version) = RoomVersion::find(&authorize.room_version)
            && let Some(decision) = expected::decision(authorize)
        {
            self.decided.insert((version.id, decision.rule()));
            self.rejected += usize::from(matches!(decision, Decision::Reject(_)));
        }
    }

    /// The counts by area.
    pub fn areas(&self) -> &BTreeMap<String, Counts> {
        &self.areas
    }

    /// The counts of all areas together.
    pub fn total(&self) -> Counts {
        self.areas.values().fold(Counts::default(), |sum, counts| Counts {
            cases: sum.cases + counts.cases,
            disagreements: sum.disagreements + counts.disagreements,
            unsupported: sum.unsupported + counts.unsupported,
        })
    }

    /// How many authorization rules decided a case, each room version's counted by itself.
    pub fn rules_hit(&self) -> usize {
        self.decided.len()
    }

    /// How many events the rules reject.
    pub fn rejected(&self) -> usize {
        self.rejected
    }
}

/// How many authorization rules these room versions have.
pub fn rules_of<'a>(versions: impl IntoIterator<Item = &'a RoomVersion>) -> usize {
    versions.into_iter().map(|version| Rule::of(version).count()).sum()
}
