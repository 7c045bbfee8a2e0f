//! Proof that the suite can fail a server: faults are committed one at a time, and the checks have to see them.
//!
//! Faults *on the wire* are made from the catalogue and from what every check meets in a reference record: a
//! [`proxy`] before a server commits one, a [`mutant`], in the responses of one operation. Those of *shape* can be seen by
//! the judgement of every exchange; those of *value* have the right shape, and only hand-written behaviours count for
//! them. *Semantic* faults are those that the server itself can be told to commit; [`faults`](crate::faults) says which
//! checks each has to turn red. Every fault meets only the checks that could notice it, on a server of its own.

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
    bout::{End, Ring},
    mutant::Mutant,
    reference::Reference,
};
use crate::{
    RunError, faults,
    plan::{self, Planned},
    registry::{Phase, Test},
    target::Source,
};

pub use self::tally::{Count, Kind, Survivor, Tally};

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
    let ring = Ring::open(&server(None), None).await?;
    let attempts = ring.put_all(active).await;
    ring.close().await;
    let reference = Reference::of(attempts);
    let faults = chosen(&reference, named, settings);
    tell(Progress::Begun(faults.len()));
    let bouts = faults.iter().map(|fault| {
        let source = match fault {
            Fault::Wire(_) => server(None),
            Fault::Semantic(fault) => server(Some(&fault.name)),
        };
        let (reference, passive) = (&reference, &passive);
        async move {
            let end = bout(fault, &source, reference, passive).await;
            (fault, end)
        }
    });
    let bouts: Vec<_> = bouts.collect();
    let mut bouts = stream::iter(bouts).buffer_unordered(settings.at_once.max(1));
    let mut tally = Tally::default();
    while let Some((fault, end)) = bouts.next().await {
        let end = end?;
        tell(Progress::Tried(&fault.name(), matches!(end, End::Seen)));
        tally.add(fault.kind(), &fault.name(), fault.sentence(), end);
    }
    tally.survivors.sort_by(|left, right| (left.kind, &left.fault).cmp(&(right.kind, &right.fault)));
    Ok(tally)
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
    let wire = reference.mutants.values().map(|(mutant, _)| Fault::Wire(mutant));
    let mut by_kind: BTreeMap<Kind, Vec<Fault<'a>>> = BTreeMap::new();
    for fault in wire.chain(named.iter().map(Fault::Semantic)) {
        let name = fault.name();
        let is_wanted =
            settings.only.is_empty() || settings.only.iter().any(|prefix| name.starts_with(prefix.as_str()));
        if is_wanted && settings.kinds.contains(&fault.kind()) {
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
    reference: &Reference,
    passive: &[Planned],
) -> Result<End, RunError> {
    match fault {
        Fault::Wire(mutant) => {
            let ring = Ring::open(source, Some((*mutant).clone())).await?;
            let numbers = reference.mutants.get(&mutant.to_string()).map(|(_, numbers)| numbers);
            let witnesses: Vec<_> =
                numbers.into_iter().flatten().filter_map(|number| reference.witnesses.get(*number)).collect();
            let concerns = |planned: &&Planned| {
                mutant.kind() == Kind::Shape
                    && planned.instance.case.as_deref() == Some(mutant.operation.id.as_str())
            };
            let passive: Vec<_> = passive.iter().filter(concerns).collect();
            let end = ring.until_seen(&witnesses, &passive).await;
            ring.close().await;
            Ok(end)
        }
        Fault::Semantic(fault) => {
            let ring = Ring::open(source, None).await?;
            let end = match faults::killers(&fault.name) {
                [] => ring.who_sees(reference).await,
                killers => ring.all_must_see(killers, reference).await,
            };
            ring.close().await;
            Ok(end)
        }
    }
}
