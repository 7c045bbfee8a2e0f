//! Which tests a run puts, and in which order.

use std::collections::BTreeSet;

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::registry::{Instance, Phase, Test};

/// What the caller chose.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only checks whose id begins with one of these; all where it is empty. A `*` at the end says the same.
    pub only: Vec<String>,
    /// Of those, only checks with these ids.
    pub ids: Option<BTreeSet<String>>,
    /// The part that this run puts, of so many.
    pub shard: Option<Shard>,
}

impl Selection {
    fn has(&self, id: &str) -> bool {
        let begins = |prefix: &String| id.starts_with(prefix.strip_suffix('*').unwrap_or(prefix));
        (self.only.is_empty() || self.only.iter().any(begins))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(id))
    }
}

/// One of several parts of a run, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err(format!("{text:?} is no shard; write I/N with I from 1 to N, such as 2/3")),
        }
    }
}

/// One check that a run will put.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The test.
    pub test: &'static Test,
    /// Its case.
    pub instance: Instance,
    /// The stable id, with the case in brackets.
    pub id: String,
}

/// Every check of these tests, sorted by id.
pub fn checks(tests: &[&'static Test]) -> Vec<Planned> {
    let of_test = |test: &&'static Test| {
        let (test, stem) = (*test, test.id());
        let planned = move |instance: Instance| {
            let id = match &instance.case {
                Some(case) => format!("{stem}[{case}]"),
                None => stem.clone(),
            };
            Planned { test, instance, id }
        };
        (test.instances)().into_iter().map(planned)
    };
    let mut checks: Vec<Planned> = tests.iter().flat_map(of_test).collect();
    checks.sort_by(|left, right| left.id.cmp(&right.id));
    checks
}

/// The selected checks in the order of the run: phase by phase, shuffled by the seed within each.
pub fn plan(tests: &[&'static Test], selection: &Selection, seed: u64) -> Vec<Planned> {
    let mut checks = checks(tests);
    checks.retain(|check| selection.has(&check.id));
    if let Some(Shard { number, of }) = selection.shard {
        // By position in the sorted list, so that the parts are equally large whatever the seed. What judges the
        // exchanges of a run judges those of its own part.
        let mut position = 0;
        checks.retain(|check| {
            position += 1;
            check.test.phase == Phase::Last || position % of == number - 1
        });
    }
    checks.shuffle(&mut StdRng::seed_from_u64(seed));
    checks.sort_by_key(|check| check.test.phase);
    checks
}
