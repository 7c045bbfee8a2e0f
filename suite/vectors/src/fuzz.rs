//! Generated histories put to an implementation, and the smallest ones in which it differs from the oracle.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use protocol::RoomVersion;
use protocol::room_version::StateResolution;
use serde_json::Value;

use crate::agreement::{Agreement, Difference, compare};
use crate::file::Vector;
use crate::history::coverage::Leaf;
use crate::history::{Candidate, Coverage, History, Step};
use crate::respondent::{AdapterFault, Respondent};

/// What is to be put.
#[derive(Clone, Debug)]
pub struct Plan {
    /// So many histories with a real conflict.
    pub cases: u64,
    /// Decides which ones.
    pub seed: u64,
    /// The room versions that take turns.
    pub versions: Vec<&'static RoomVersion>,
    /// So many kinds of disagreement are made small; all are counted.
    pub findings: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// What the histories with a real conflict exercised.
    pub coverage: Coverage,
    /// Histories in which an answer was wrong.
    pub disagreements: u64,
    /// Histories in which a question could not be answered, and none was answered wrong.
    pub unsupported: u64,
    /// The questions that were asked.
    pub questions: u64,
    /// How many histories disagreed in each kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// For the first kinds, the smallest history that was found.
    pub findings: Vec<Finding>,
}

impl Plan {
    /// How many outcomes the authorization rules of these room versions have.
    pub fn rules_total(&self) -> usize {
        self.versions.iter().map(|version| Leaf::of(version).count()).sum()
    }
}

impl Summary {
    /// The outcomes of authorization rules that no history came to.
    pub fn missed_rules(&self, plan: &Plan) -> Vec<(&'static RoomVersion, Leaf)> {
        let mut missed = self.coverage.missed_rules();
        missed.retain(|(version, _)| plan.versions.contains(version));
        missed
    }

    /// The steps of state resolution that no history took.
    pub fn missed_steps(&self, plan: &Plan) -> Vec<(StateResolution, Step)> {
        let mut missed = self.coverage.missed_steps();
        missed.retain(|(algorithm, _)| {
            plan.versions.iter().any(|version| version.state_resolution == *algorithm)
        });
        missed
    }
}

impl Finding {
    /// A name for the files that keep it.
    pub fn name(&self, seed: u64) -> String {
        format!("v{}-{}-{seed}-{}", self.kind.room_version, self.kind.op, self.index)
    }
}

/// What tells one disagreement from another: where it shows, not what causes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The room version.
    pub room_version: String,
    /// The operation.
    pub op: String,
    /// The first property that differs.
    pub property: &'static str,
    /// The rule that rejects, in the oracle's eyes.
    pub rule: Option<String>,
}

/// A small history in which an implementation differs from the oracle.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The number of the history that it was made from, for the seed of the plan.
    pub index: u64,
    /// The kind of disagreement.
    pub kind: Kind,
    /// The history.
    pub history: History,
    /// The first question that was answered wrong.
    pub vector: Vector,
    /// How the answer differs.
    pub differences: Vec<Difference>,
}

/// The numbers of histories are dealt out to so many lanes, each of which has its share of the cases: which histories are
/// put does not depend on how many threads work.
const LANES: u64 = 16;

/// Puts histories to implementations, each of which is one adapter of the same kind in a thread of its own.
///
/// `progress` is called after every case.
///
/// # Errors
/// When an adapter gives no usable answer.
pub fn fuzz(
    plan: &Plan,
    respondents: &mut [Respondent],
    progress: impl Fn() + Sync,
) -> Result<Summary, AdapterFault> {
    let shared = Shared {
        plan,
        summary: Mutex::default(),
        next_lane: AtomicU64::new(0),
        failed: AtomicBool::new(false),
    };
    let (shared, progress) = (&shared, &progress);
    let ended: Vec<_> = thread::scope(|scope| {
        let start = |respondent| scope.spawn(move || shared.work(respondent, progress));
        let workers: Vec<_> = respondents.iter_mut().map(start).collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    for ended in ended {
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    }
    let mut summary = shared.take();
    summary.findings.sort_by_key(|finding| finding.index);
    Ok(summary)
}

struct Shared<'a> {
    plan: &'a Plan,
    summary: Mutex<Summary>,
    next_lane: AtomicU64,
    failed: AtomicBool,
}

impl Shared<'_> {
    fn work(&self, respondent: &mut Respondent, progress: &(impl Fn() + Sync)) -> Result<(), AdapterFault> {
        loop {
            let lane = self.next_lane.fetch_add(1, Ordering::Relaxed);
            if lane >= LANES || self.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.lane(lane, respondent, progress)
                .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
        }
    }

    fn lane(&self, lane: u64, respondent: &mut Respondent, progress: &impl Fn()) -> Result<(), AdapterFault> {
        let share = self.plan.cases / LANES + u64::from(lane < self.plan.cases % LANES);
        let mut indices = (lane..).step_by(LANES as usize);
        let mut cases = 0;
        while cases < share && !self.failed.load(Ordering::Relaxed) {
            let Some(index) = indices.next() else { break };
            // Every lane goes through all versions, whatever its number is.
            let turn = (index / LANES + lane) as usize % self.plan.versions.len().max(1);
            let Some(version) = self.plan.versions.get(turn) else { break };
            let candidate = Candidate::new(self.plan.seed, index);
            let history = candidate.script().play(version);
            if history.has_conflict() {
                cases += 1;
                self.case(index, candidate, &history, respondent)?;
                progress();
            }
        }
        Ok(())
    }

    fn case(
        &self,
        index: u64,
        candidate: Candidate,
        history: &History,
        respondent: &mut Respondent,
    ) -> Result<(), AdapterFault> {
        let put = put(history, respondent)?;
        let kind = put.wrong.as_ref().map(|(vector, differences)| kind(vector, differences));
        let is_new = {
            let mut summary = self.lock();
            summary.coverage.add(history);
            summary.questions += put.questions;
            summary.unsupported += u64::from(kind.is_none() && put.is_unsupported);
            summary.disagreements += u64::from(kind.is_some());
            let known = summary.kinds.len();
            kind.clone().is_some_and(|kind| {
                let count = summary.kinds.entry(kind).or_default();
                *count += 1;
                *count == 1 && known < self.plan.findings
            })
        };
        if let (true, Some(kind)) = (is_new, kind) {
            let finding = smallest(index, candidate, history, &kind, respondent)?;
            self.lock().findings.extend(finding);
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Summary> {
        // Nothing that can panic happens under the lock.
        self.summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn take(&self) -> Summary {
        std::mem::take(&mut self.lock())
    }
}

/// What came of putting one history.
struct Put {
    questions: u64,
    is_unsupported: bool,
    /// The first question that was answered wrong.
    wrong: Option<(Vector, Vec<Difference>)>,
}

fn put(history: &History, respondent: &mut Respondent) -> Result<Put, AdapterFault> {
    let vectors = history.questions();
    let questions: Vec<_> = vectors.iter().map(|vector| vector.question.clone()).collect();
    let answers = respondent.ask_all(&questions)?;
    let mut put = Put { questions: questions.len() as u64, is_unsupported: false, wrong: None };
    for (vector, answer) in vectors.into_iter().zip(&answers) {
        match compare(&vector.answer, answer) {
            Agreement::Agrees => {}
            Agreement::Unsupported(_) => put.is_unsupported = true,
            Agreement::Differs(differences) if put.wrong.is_none() => put.wrong = Some((vector, differences)),
            Agreement::Differs(_) => {}
        }
    }
    Ok(put)
}

/// The smallest history that still shows a disagreement of the kind. None if it does not show again, which means that
/// the implementation does not always answer alike.
fn smallest(
    index: u64,
    candidate: Candidate,
    history: &History,
    kind: &Kind,
    respondent: &mut Respondent,
) -> Result<Option<Finding>, AdapterFault> {
    let mut fault = None;
    let mut last = None;
    candidate.shrink(history.version(), |history| match put(history, respondent) {
        Ok(Put { wrong: Some((vector, differences)), .. }) if self::kind(&vector, &differences) == *kind => {
            let kind = kind.clone();
            last = Some(Finding { index, kind, history: history.clone(), vector, differences });
            true
        }
        Ok(_) => false,
        Err(error) => {
            fault.get_or_insert(error);
            false
        }
    });
    fault.map_or(Ok(last), Err)
}

fn kind(vector: &Vector, differences: &[Difference]) -> Kind {
    let question = serde_json::to_value(&vector.question).unwrap_or_default();
    let string =
        |property: &str| question.get(property).and_then(Value::as_str).unwrap_or_default().to_owned();
    Kind {
        room_version: string("room_version"),
        op: string("op"),
        property: differences.first().map_or("", |difference| difference.property),
        rule: vector.answer.rule.clone(),
    }
}
