//! What a selftest came to.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::bout::End;

/// What sort of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// On the wire, with a wrong shape.
    Shape,
    /// On the wire, with the right shape.
    Value,
    /// Of the server itself.
    Semantic,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Shape, Self::Value, Self::Semantic];
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Kind::Shape => "shape",
            Kind::Value => "value",
            Kind::Semantic => "semantic",
        })
    }
}

/// How many faults of a kind were tried, and how many of them the checks saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Committed in front of checks.
    pub tried: usize,
    /// Turned a check red.
    pub seen: usize,
}

/// A fault that no check saw.
#[derive(Clone, Debug, Serialize)]
pub struct Survivor {
    /// What sort of fault.
    pub kind: Kind,
    /// Its name.
    pub fault: String,
    /// What is wrong with a server that commits it, where the name does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// How many checks met it.
    pub checks: usize,
    /// Why nothing saw it, as far as that is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A fault that was not tried, since a server that commits it may do so.
#[derive(Clone, Debug, Serialize)]
pub struct Excluded {
    /// Its name.
    pub fault: String,
    /// Why it touches no requirement.
    pub why: &'static str,
}

/// What a selftest came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Faults on the wire with a wrong shape, put to all checks.
    pub shape: Count,
    /// Faults on the wire with the right shape, put to hand-written behaviours alone.
    pub value: Count,
    /// Faults of the server; seen are those that turned all checks red which are named for them.
    pub semantic: Count,
    /// Faults on the wire that a check met in the reference record and did not meet again.
    pub not_committed: usize,
    /// The faults that were tried and not seen.
    pub survivors: Vec<Survivor>,
    /// The faults that touch no requirement.
    pub excluded: Vec<Excluded>,
}

impl Tally {
    /// The count of a kind.
    pub fn of(&self, kind: Kind) -> Count {
        match kind {
            Kind::Shape => self.shape,
            Kind::Value => self.value,
            Kind::Semantic => self.semantic,
        }
    }

    /// How many faults touch no requirement, by reason.
    pub fn excluded_by_reason(&self) -> BTreeMap<&'static str, usize> {
        let mut by_reason = BTreeMap::new();
        for excluded in &self.excluded {
            *by_reason.entry(excluded.why).or_default() += 1;
        }
        by_reason
    }

    pub(super) fn add(&mut self, kind: Kind, fault: &str, sentence: Option<String>, end: End) {
        if matches!(end, End::NotCommitted) {
            self.not_committed += 1;
            return;
        }
        let count = match kind {
            Kind::Shape => &mut self.shape,
            Kind::Value => &mut self.value,
            Kind::Semantic => &mut self.semantic,
        };
        count.tried += 1;
        match end {
            End::Unseen { put, why } => {
                self.survivors.push(Survivor { kind, fault: fault.to_owned(), sentence, checks: put, why });
            }
            End::Seen | End::NotCommitted => count.seen += 1,
        }
    }
}
