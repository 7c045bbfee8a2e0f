//! Proof that the suite can fail a server: faults are committed one at a time, and the checks have to see them.
//!
//! Faults *on the wire* are made from the catalogue and from what every check meets in a reference record: a
//! [`proxy`] before a server commits one, a [`mutant`], in the responses of one operation. Those of *shape* can be seen by
//! the judgement of every exchange; those of *value* have the right shape, and only hand-written behaviours count for
//! them. *Semantic* faults are those that the server itself can be told to commit; [`faults`](crate::faults) says which
//! checks each has to turn red. Every fault meets only the checks that could notice it, on a server of its own.

mod blind;
mod bonds;
mod bout;
mod mutant;
mod place;
mod proxy;
mod reference;
mod tally;

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

use self::{
    bout::{End, Ring, Rings},
    mutant::Mutant,
    reference::Reference,
};
use crate::{
    RunError, faults,
    plan::{self, Planned},
    registry::{Phase, Test},
    target::Source,
};

pub use self::blind::{Blind, Eyesight};
pub use self::tally::{Count, Excluded, Kind, Survivor, Tally};

/// What the caller decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many faults are tried, of all kinds together; all that there are without it.
    pub sample: Option<usize>,
    /// Decides which.
    pub seed: u64,
    /// How many faults are tried at once.
    pub at_once: usize,
    /// Only these kinds.
    pub kinds: Vec<Kind>,
    /// Only faults whose names begin with one of these; all where it is empty.
    pub only: Vec<String>,
}

impl Settings {
    fn wants(&self, fault: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|prefix| fault.starts_with(prefix.as_str()))
    }
}

/// A fault that the server can be told to commit.
#[derive(Clone, Debug)]
pub struct NamedFault {
    /// The name by which it is asked for.
    pub name: String,
    /// What is wrong with a server that commits it.
    pub sentence: String,
}

/// How far a selftest is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The reference record is made; so many faults will be tried.
    Begun(usize),
    /// One fault was tried; it was seen or not.
    Tried(&'a str, bool),
}

/// Commits faults and counts what the tests see of them. `server` gives the server with a fault of its own, or without.
///
/// # Errors
/// When no server can be started.
pub async fn selftest(
    tests: &[&'static Test],
    named: &[NamedFault],
    server: impl Fn(Option<&str>) -> Source,
    settings: &Settings,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<Tally, RunError> {
    let (passive, active): (Vec<Planned>, Vec<Planned>) =
        plan::checks(tests).into_iter().partition(|planned| planned.test.phase == Phase::Last);
    let reference = reference(active, &server(None)).await?;
    let faults = chosen(&reference, named, settings);
    tell(Progress::Begun(faults.len()));
    let rings = Rings::of(server(None));
    let bouts = faults.iter().map(|fault| {
        let source = match fault {
            Fault::Wire(_) => server(None),
            Fault::Semantic(fault) => server(Some(&fault.name)),
        };
        let (reference, passive, rings) = (&reference, &passive, &rings);
        async move {
            let end = bout(fault, &source, rings, reference, passive).await;
            (fault, end)
        }
    });
    let bouts: Vec<_> = bouts.collect();
    let mut bouts = stream::iter(bouts).buffer_unordered(settings.at_once.max(1));
    let mut tally = Tally { excluded: excluded(&reference, settings), ..Tally::default() };
    while let Some((fault, end)) = bouts.next().await {
        let end = end?;
        tell(Progress::Tried(&fault.name(), matches!(end, End::Seen)));
        tally.add(fault.kind(), &fault.name(), fault.sentence(), end);
    }
    drop(bouts);
    rings.close().await;
    tally.survivors.sort_by(|left, right| (left.kind, &left.fault).cmp(&(right.kind, &right.fault)));
    Ok(tally)
}

/// Every fault that would be tried, with its kind, and those that touch no requirement, without trying any.
///
/// # Errors
/// When no server can be started.
pub async fn survey(
    tests: &[&'static Test],
    named: &[NamedFault],
    server: impl Fn(Option<&str>) -> Source,
    settings: &Settings,
) -> Result<(Vec<(Kind, String)>, Vec<Excluded>), RunError> {
    let active = plan::checks(tests).into_iter().filter(|planned| planned.test.phase != Phase::Last);
    let reference = reference(active.collect(), &server(None)).await?;
    let mut faults: Vec<_> =
        chosen(&reference, named, settings).iter().map(|fault| (fault.kind(), fault.name())).collect();
    faults.sort();
    Ok((faults, excluded(&reference, settings)))
}

/// Looks for a fault that turns it red, for every hand-written test; a sample and the names that are asked for are those of
/// tests here.
///
/// # Errors
/// When no server can be started.
pub async fn eyesight(
    tests: &[&'static Test],
    server: impl Fn(Option<&str>) -> Source,
    settings: &Settings,
    tell: impl FnMut(Progress<'_>),
) -> Result<Eyesight, RunError> {
    let active = plan::checks(tests).into_iter().filter(|planned| planned.test.phase != Phase::Last);
    let reference = reference(active.collect(), &server(None)).await?;
    let rings = Rings::of(server(None));
    let eyesight = blind::eyesight(&reference, &rings, settings, tell).await;
    rings.close().await;
    eyesight
}

/// What every check meets on a server without faults.
async fn reference(active: Vec<Planned>, source: &Source) -> Result<Reference, RunError> {
    let ring = Ring::open(source).await?;
    let attempts = ring.put_all(active).await;
    ring.close().await;
    Ok(Reference::of(attempts))
}

fn excluded(reference: &Reference, settings: &Settings) -> Vec<Excluded> {
    let excluded = reference.mutants.iter().filter_map(|(fault, met)| {
        let is_asked_for = settings.kinds.contains(&met.mutant.kind()) && settings.wants(fault);
        let why = met.freedom.filter(|_| is_asked_for)?.words();
        Some(Excluded { fault: fault.clone(), why })
    });
    excluded.collect()
}

/// One fault of either sort.
enum Fault<'a> {
    Wire(&'a Mutant),
    Semantic(&'a NamedFault),
}

impl Fault<'_> {
    fn name(&self) -> String {
        match self {
            Fault::Wire(mutant) => mutant.to_string(),
            Fault::Semantic(fault) => fault.name.clone(),
        }
    }

    fn sentence(&self) -> Option<String> {
        match self {
            Fault::Wire(_) => None,
            Fault::Semantic(fault) => Some(fault.sentence.clone()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Fault::Wire(mutant) => mutant.kind(),
            Fault::Semantic(_) => Kind::Semantic,
        }
    }
}

/// The faults of this selftest: all, or a sample in which every kind has an equal part as far as it goes.
fn chosen<'a>(reference: &'a Reference, named: &'a [NamedFault], settings: &Settings) -> Vec<Fault<'a>> {
    let touching = reference.mutants.values().filter(|met| met.freedom.is_none());
    let wire = touching.map(|met| Fault::Wire(&met.mutant));
    let mut by_kind: BTreeMap<Kind, Vec<Fault<'a>>> = BTreeMap::new();
    for fault in wire.chain(named.iter().map(Fault::Semantic)) {
        let name = fault.name();
        if settings.wants(&name) && settings.kinds.contains(&fault.kind()) {
            by_kind.entry(fault.kind()).or_default().push(fault);
        }
    }
    let mut random = StdRng::seed_from_u64(settings.seed);
    for faults in by_kind.values_mut() {
        faults.shuffle(&mut random);
    }
    let mut left = settings.sample.unwrap_or(usize::MAX);
    let mut chosen = Vec::new();
    // Kinds with few faults first: what they leave of their part goes to the others.
    let mut kinds: Vec<Vec<Fault<'a>>> = by_kind.into_values().collect();
    kinds.sort_by_key(Vec::len);
    let mut kinds_left = kinds.len();
    for mut faults in kinds {
        faults.truncate(left.div_ceil(kinds_left.max(1)));
        left -= faults.len().min(left);
        kinds_left -= 1;
        chosen.extend(faults);
    }
    chosen.shuffle(&mut random);
    chosen
}

async fn bout(
    fault: &Fault<'_>,
    source: &Source,
    rings: &Rings,
    reference: &Reference,
    passive: &[Planned],
) -> Result<End, RunError> {
    match fault {
        Fault::Wire(mutant) => {
            let met = reference.mutants.get(&mutant.to_string());
            let numbers = met.into_iter().flat_map(|met| &met.witnesses);
            let witnesses: Vec<_> = numbers.filter_map(|number| reference.witnesses.get(*number)).collect();
            // What is judged of every exchange does not count for values.
            let is_of_operation =
                |planned: &&Planned| planned.instance.case.as_deref() == Some(mutant.operation.id.as_str());
            let judges = passive.iter().filter(|_| mutant.kind() == Kind::Shape).filter(is_of_operation);
            let ring = rings.take().await?;
            let end = ring.until_seen(mutant, &witnesses, &judges.collect::<Vec<_>>()).await;
            rings.give_back(ring);
            Ok(end)
        }
        Fault::Semantic(fault) => {
            let ring = Ring::open(source).await?;
            let end = match faults::killers(&fault.name) {
                [] => ring.who_sees(reference).await,
                killers => ring.all_must_see(killers, reference).await,
            };
            ring.close().await;
            Ok(end)
        }
    }
}
