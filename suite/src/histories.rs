//! Room histories over the wire: remote homeservers play a random history to the server under test, in several orders, and the
//! state that it then has before every event must be the oracle's (server-server-api/#room-state-resolution).
//!
//! The state before an event follows from the events before it alone, whatever the order in which they arrive. So a history is
//! told [in every order](order::Order), each time in a new room, to a server that may have to fetch what it lacks. What comes of
//! it is compared with what the oracle says of the same events; a history on which they [part](parting::Parting) is made small.
//!
//! | module | holds |
//! |---|---|
//! | `transcript` | the history as events of servers that can be reached |
//! | `order` | the orders in which it is told |
//! | `playing` | telling it, and asking the server what came of it |
//! | `parting` | how a server parts from the oracle, in words |

mod order;
mod parting;
mod playing;
mod transcript;

use std::{collections::BTreeMap, ops::AddAssign, pin::pin, time::Duration};

use futures_util::{StreamExt, stream};
use protocol::RoomVersion;
use tokio::{runtime::Handle, time::Instant};
use vectors::history::{Candidate, History, generate};

pub use self::parting::{Kind, Parting, Shows};
use self::{
    playing::Table,
    transcript::{Untold, told_by},
};
use crate::{RunError, cast::Homeserver, conduct::meet, scene::Scene, target::Source, verdict::Stop};

/// How long one history may take in all orders.
const LIMIT: Duration = Duration::from_secs(300);
/// How long a server may take until it has an event that it was told.
const ARRIVES_WITHIN: Duration = Duration::from_secs(15);
/// How long a history on which somebody parts is made smaller.
const SHRINKING: Duration = Duration::from_secs(20);

/// Which histories are told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// So many histories with a real conflict.
    pub cases: usize,
    /// Decides which ones.
    pub seed: u64,
    /// The room versions that take turns, as far as the server offers them.
    pub versions: Vec<&'static RoomVersion>,
    /// So many are under way at once.
    pub at_once: usize,
    /// The kinds of parting that are known of the server: they are counted, and nobody stops at them.
    pub known: Vec<Kind>,
    /// Only the history of this number in the row of the seed, and in the first of the versions.
    pub only: Option<u64>,
}

/// What came of all histories.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many were told.
    pub cases: usize,
    /// How often, each order counted.
    pub tellings: usize,
    /// What was asked and compared.
    pub asked: Asked,
    /// The room versions that were asked for and are not offered.
    pub not_offered: Vec<&'static str>,
    /// How many generated histories cannot be told over the wire, by the reason.
    pub untold: BTreeMap<&'static str, usize>,
    /// Those on which the server parts from the oracle.
    pub findings: Vec<Finding>,
    /// Those that could not be told to their end, each with why.
    pub faults: Vec<(u64, String)>,
}

/// What was asked of the server, and compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// States before an event.
    pub states: usize,
    /// Events that clients must be told, or must not.
    pub visible: usize,
    /// What was as the oracle does not have it, in a way that is known of the server.
    pub known: usize,
    /// Events of which the server says nothing, where it need not have them.
    pub unknown: usize,
}

/// A history on which the server parts from the oracle.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The number of the history in the row of the seed.
    pub index: u64,
    /// Its room version.
    pub version: &'static RoomVersion,
    /// How it parts.
    pub parting: Parting,
    /// The smallest history that was found, drawn.
    pub drawing: String,
}

impl AddAssign for Asked {
    fn add_assign(&mut self, other: Self) {
        self.states += other.states;
        self.visible += other.visible;
        self.known += other.known;
        self.unknown += other.unknown;
    }
}

/// Tells histories to a server; `tell` is called after each. None is begun any more once `enough` has ended: what was told until then is
/// what comes of it.
///
/// # Errors
/// When the server cannot be reached or started, offers none of the room versions, or cannot federate with remotes.
pub async fn histories(
    source: &Source,
    owned: bool,
    plan: &Plan,
    enough: impl Future<Output = ()>,
    mut tell: impl FnMut(),
) -> Result<Summary, RunError> {
    let trial = meet(source, owned).await?;
    if let Err(stop) = trial.target.federation() {
        return Err(RunError::Usage(format!("histories are told over federation: {stop}")));
    }
    let hs = trial.homeserver(Scene::new(LIMIT));
    let (offered, missing): (Vec<&'static RoomVersion>, Vec<_>) =
        plan.versions.iter().copied().partition(|version| hs.offers_room_version(version));
    if offered.is_empty() {
        return Err(RunError::Usage("the server offers none of the room versions".to_owned()));
    }
    let mut summary =
        Summary { not_offered: missing.iter().map(|version| version.id).collect(), ..Summary::default() };
    let cases = match plan.only {
        Some(index) => vec![(index, offered[0])],
        None => chosen(plan, &offered, &mut summary.untold),
    };
    let play = |(index, version)| {
        let (seed, known, hs) = (plan.seed, plan.known.clone(), trial.homeserver(Scene::new(LIMIT)));
        // In a task of its own, because making a history smaller blocks the thread.
        let told = tokio::spawn(async move { case(&hs, seed, index, version, known).await });
        async move {
            let ended = told.await.map_err(|error| Stop::Fault(error.to_string()));
            (index, ended.and_then(|ended| ended))
        }
    };
    let played = stream::iter(cases).take_until(enough).map(play).buffer_unordered(plan.at_once.max(1));
    let mut played = pin!(played);
    while let Some((index, ended)) = played.next().await {
        summary.cases += 1;
        match ended {
            Ok(told) => {
                summary.tellings += told.tellings;
                summary.asked += told.asked;
                summary.findings.extend(told.finding);
            }
            Err(stop) => summary.faults.push((index, stop.to_string())),
        }
        tell();
    }
    summary.findings.sort_by_key(|finding| finding.index);
    trial.target.end();
    Ok(summary)
}

/// The numbers of the histories that are told, and their room versions, which take turns.
fn chosen(
    plan: &Plan,
    versions: &[&'static RoomVersion],
    untold: &mut BTreeMap<&'static str, usize>,
) -> Vec<(u64, &'static RoomVersion)> {
    let mut chosen = Vec::new();
    for index in 0.. {
        if chosen.len() == plan.cases {
            break;
        }
        let version = versions[chosen.len() % versions.len()];
        let history = generate(plan.seed, index).play(version);
        if !history.has_conflict() {
            continue;
        }
        match told_by(&history) {
            Ok(()) => chosen.push((index, version)),
            Err(Untold(why)) => *untold.entry(why).or_default() += 1,
        }
    }
    chosen
}

/// What came of one history.
#[derive(Default)]
struct Told {
    tellings: usize,
    asked: Asked,
    finding: Option<Finding>,
}

async fn case(
    hs: &Homeserver,
    seed: u64,
    index: u64,
    version: &'static RoomVersion,
    known: Vec<Kind>,
) -> Result<Told, Stop> {
    let table = Table::set(hs, known).await?;
    let history = generate(seed, index).play(version);
    told_by(&history).map_err(|Untold(why)| Stop::Fault(format!("it cannot be told: {why}")))?;
    // Who is known to lack events is not waited for as long at every one of them.
    let within = if table.knows(Kind::Absent) { ARRIVES_WITHIN / 5 } else { ARRIVES_WITHIN };
    let mut told = Told::default();
    for order in order::ALL {
        told.tellings += 1;
        match table.tell(&history, order, index, within).await? {
            Ok(asked) => told.asked += asked,
            Err(parting) => {
                let (small, parting) = smallest(&table, seed, index, history, parting);
                told.finding = Some(Finding { index, version, parting, drawing: small.draw() });
                break;
            }
        }
    }
    Ok(told)
}

/// The smallest history found on which the server parts in the same way.
fn smallest(table: &Table, seed: u64, index: u64, history: History, parting: Parting) -> (History, Parting) {
    let deadline = Instant::now() + SHRINKING;
    let (order, kind) = (parting.order, parting.kind());
    let mut found = parting;
    let mut is_first = true;
    let small = tokio::task::block_in_place(|| {
        Candidate::new(seed, index).shrink(history.version(), |smaller| {
            if std::mem::take(&mut is_first) {
                return true;
            }
            if Instant::now() > deadline || told_by(smaller).is_err() {
                return false;
            }
            match Handle::current().block_on(table.tell(smaller, order, index, ARRIVES_WITHIN / 5)) {
                Ok(Err(parting)) if parting.kind() == kind => {
                    found = parting;
                    true
                }
                _ => false,
            }
        })
    });
    (small, found)
}
