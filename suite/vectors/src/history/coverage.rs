//! What histories exercised: the authorization rules that decided, and the steps of state resolution that were taken.

mod step;

use std::collections::{BTreeMap, BTreeSet};

use oracle::resolution::Outcome;
use oracle::{Decision, Rule};
use protocol::RoomVersion;
use protocol::room_version::StateResolution;

use super::History;
pub use step::Step;

/// What was exercised in one room version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// The rules that allowed an event.
    pub allowed: BTreeSet<Rule>,
    /// The rules that rejected one.
    pub rejected: BTreeSet<Rule>,
    /// The steps of the algorithm that were taken.
    pub steps: BTreeSet<Step>,
}

/// What many histories exercised together.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// How many histories there were.
    pub histories: usize,
    /// How many had a real conflict.
    pub conflicts: usize,
    /// How many events there were.
    pub events: usize,
    /// How many of them were rejected on receipt.
    pub rejected: usize,
    /// What was exercised, by room version.
    pub hits: BTreeMap<&'static str, Hits>,
}

/// An outcome of an authorization rule in a room version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// The rule.
    pub rule: Rule,
    /// Whether it allows.
    pub allows: bool,
}

impl Leaf {
    /// Every outcome of every rule of a room version.
    pub fn of(version: &RoomVersion) -> impl Iterator<Item = Self> {
        Rule::of(version).flat_map(|rule| {
            let outcomes: &[bool] = match rule {
                // "Allow if and only if".
                Rule::LeaveOfSender | Rule::ThirdPartyInviteLevel => &[true, false],
                Rule::CreateAllowed
                | Rule::AliasesAllowed
                | Rule::JoinOfCreator
                | Rule::JoinInvited
                | Rule::JoinRestrictedInvited
                | Rule::JoinRestrictedAllowed
                | Rule::JoinPublic
                | Rule::ThirdPartySignature
                | Rule::InviteAllowed
                | Rule::LeaveAllowed
                | Rule::BanAllowed
                | Rule::KnockAllowed
                | Rule::FirstLevels
                | Rule::LevelsAllowed
                | Rule::RedactionLevel
                | Rule::RedactionDomain
                | Rule::Otherwise => &[true],
                _ => &[false],
            };
            outcomes.iter().map(move |&allows| Self { rule, allows })
        })
    }
}

impl Coverage {
    /// Counts a history.
    pub fn add(&mut self, history: &History) {
        self.histories += 1;
        self.conflicts += usize::from(history.has_conflict());
        self.events += history.moments().len();
        self.rejected += history.rejected();
        self.hits.entry(history.version().id).or_default().merge(history.hits());
    }

    /// How many leaves of the authorization rules were hit, over all room versions.
    pub fn rules_hit(&self) -> usize {
        Self::rules_total() - self.missed_rules().len()
    }

    /// How many leaves of the authorization rules there are, over all room versions.
    pub fn rules_total() -> usize {
        RoomVersion::ALL.into_iter().map(|version| Leaf::of(version).count()).sum()
    }

    /// The leaves that were not hit, with their room version.
    pub fn missed_rules(&self) -> Vec<(&'static RoomVersion, Leaf)> {
        let missed = |version: &'static RoomVersion| {
            let hits = self.hits.get(version.id);
            Leaf::of(version)
                .filter(move |leaf| !hits.is_some_and(|hits| hits.has(*leaf)))
                .map(move |leaf| (version, leaf))
        };
        RoomVersion::ALL.into_iter().flat_map(missed).collect()
    }

    /// The steps of each algorithm that no room version took that has the algorithm.
    pub fn missed_steps(&self) -> Vec<(StateResolution, Step)> {
        let mut missed = Vec::new();
        for algorithm in [StateResolution::V1, StateResolution::V2, StateResolution::V2_1] {
            let versions =
                || RoomVersion::ALL.into_iter().filter(|version| version.state_resolution == algorithm);
            let is_taken = |step: &Step| {
                versions()
                    .any(|version| self.hits.get(version.id).is_some_and(|hits| hits.steps.contains(step)))
            };
            let steps = versions().next().map(Step::of).unwrap_or_default();
            missed.extend(steps.into_iter().filter(|step| !is_taken(step)).map(|step| (algorithm, step)));
        }
        missed
    }
}

impl Hits {
    /// Whether a leaf was hit.
    pub fn has(&self, leaf: Leaf) -> bool {
        if leaf.allows { self.allowed.contains(&leaf.rule) } else { self.rejected.contains(&leaf.rule) }
    }

    /// Adds what other histories of the same room version hit.
    pub fn merge(&mut self, other: Self) {
        self.allowed.extend(other.allowed);
        self.rejected.extend(other.rejected);
        self.steps.extend(other.steps);
    }

    fn decision(&mut self, decision: &Decision) {
        match decision {
            Decision::Allow { rule, .. } => self.allowed.insert(*rule),
            Decision::Reject(rejection) => self.rejected.insert(rejection.name),
        };
    }
}

impl History {
    /// Which rules decided, and which steps of state resolution were taken.
    pub fn hits(&self) -> Hits {
        let mut hits = Hits::default();
        for moment in self.moments() {
            hits.decision(&moment.by_auth_events);
            hits.decision(&moment.by_state);
        }
        for merge in self.merges().iter().filter(|merge| merge.differs()) {
            for step in &merge.resolution.steps {
                if let Outcome::Checked(decision) = &step.outcome {
                    hits.decision(decision);
                }
            }
            hits.steps.extend(step::taken(self, merge));
        }
        hits
    }
}
