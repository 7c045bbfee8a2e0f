//! Tests that no fault turns red: they prove nothing.
//!
//! A hand-written test that [`faults`] names for a semantic fault has to see that one. Every other test is put to faults
//! on the wire that its cases meet, those first that the fewest tests meet: of value, then of shape. That a request
//! which succeeds is told to have failed is no such fault: it turns every test red that makes the request, whatever it
//! looks at.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::Serialize;

use super::{
    Kind, Progress, Settings,
    bout::Rings,
    mutant::{Change, Mutant},
    reference::{Met, Reference, Witness},
};
use crate::{RunError, faults};

/// After so many faults of either kind a test counts as blind.
const ENOUGH: usize = 24;

/// What turned the hand-written tests red.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Eyesight {
    /// How many tests were looked at.
    pub tests: usize,
    /// How many of them a fault turned red, by its kind.
    pub red: BTreeMap<Kind, usize>,
    /// Those that none did.
    pub blind: Vec<Blind>,
}

/// A test that no fault turned red.
#[derive(Clone, Debug, Serialize)]
pub struct Blind {
    /// Its id, without a case.
    pub test: String,
    /// How many faults were committed before it.
    pub faults: usize,
}

/// Looks for a fault that turns it red, for every hand-written test.
pub(super) async fn eyesight(
    reference: &Reference,
    rings: &Rings,
    settings: &Settings,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<Eyesight, RunError> {
    let mut tests: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, witness) in
        reference.witnesses.iter().enumerate().filter(|(_, witness)| witness.is_behaviour)
    {
        let id = witness.planned.test.id();
        if settings.wants(&id) {
            tests.entry(id).or_default().push(number);
        }
    }
    let mut tests: Vec<_> = tests.into_iter().collect();
    tests.shuffle(&mut StdRng::seed_from_u64(settings.seed));
    tests.truncate(settings.sample.unwrap_or(usize::MAX));
    tell(Progress::Begun(tests.len()));
    let mut eyesight = Eyesight { tests: tests.len(), ..Eyesight::default() };
    let looked =
        tests.iter().map(|(id, cases)| async move { (id, turned_red(id, cases, reference, rings).await) });
    let looked: Vec<_> = looked.collect();
    let mut looked = stream::iter(looked).buffer_unordered(settings.at_once.max(1));
    while let Some((id, result)) = looked.next().await {
        let result = result?;
        tell(Progress::Tried(id, result.is_ok()));
        match result {
            Ok(kind) => *eyesight.red.entry(kind).or_default() += 1,
            Err(faults) => eyesight.blind.push(Blind { test: id.clone(), faults }),
        }
    }
    eyesight.blind.sort_by(|left, right| left.test.cmp(&right.test));
    Ok(eyesight)
}

/// The kind of the fault that turns a test red, or how many were tried in vain.
async fn turned_red(
    id: &str,
    cases: &[usize],
    reference: &Reference,
    rings: &Rings,
) -> Result<Result<Kind, usize>, RunError> {
    if faults::all().any(|(_, killers)| killers.contains(&id)) {
        return Ok(Ok(Kind::Semantic));
    }
    let ring = rings.take().await?;
    let mut tried = 0;
    let mut seen = None;
    for (witness, mutant) in candidates(cases, reference) {
        tried += 1;
        if ring.sees(witness, mutant).await {
            seen = Some(mutant.kind());
            break;
        }
    }
    rings.give_back(ring);
    Ok(seen.ok_or(tried))
}

/// Faults on the wire that a case of the test meets, and one case that does: those that are its own first.
fn candidates<'r>(cases: &[usize], reference: &'r Reference) -> Vec<(&'r Witness, &'r Mutant)> {
    let of_kind = |kind: Kind| {
        let met =
            reference.mutants.values().filter(move |met| met.mutant.kind() == kind && tells_something(met));
        let mut met: Vec<_> = met
            .filter_map(|met| {
                let case = cases.iter().find(|case| met.witnesses.contains(*case))?;
                Some((met.witnesses.len(), reference.witnesses.get(*case)?, &met.mutant))
            })
            .collect();
        met.sort_by_key(|(witnesses, _, _)| *witnesses);
        met.truncate(ENOUGH);
        met.into_iter().map(|(_, witness, mutant)| (witness, mutant))
    };
    of_kind(Kind::Value).chain(of_kind(Kind::Shape)).collect()
}

fn tells_something(met: &Met) -> bool {
    let is_success = met.mutant.status < 300;
    match met.mutant.change {
        Change::Status(_) => !is_success,
        Change::WithoutHeader(_) => false,
        _ => met.freedom.is_none(),
    }
}
