//! One fault against the checks that could notice it, on a server of its own.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use reports::Verdict;

use super::{
    mutant::Mutant,
    proxy::Proxy,
    reference::{Reference, Witness},
};
use crate::{
    RunError,
    coverage::Exercised,
    expectations::Expectations,
    plan::Planned,
    runner,
    stand::{Attempt, RunSettings, Stand},
    target::{Source, Target},
    trial::{Trial, TrialSettings},
    verdict::Stop,
};

/// How long a check waits for something that a server without faults shows at once.
const PATIENCE: Duration = Duration::from_secs(4);
/// Multiplies the time that one check may take: no check that passes needs the whole of it.
const TIME_SCALE: f64 = 0.25;
/// How many checks are suggested for a fault for which none is named.
const ENOUGH: usize = 4;
/// How many checks of a bout are under way at once.
const AT_ONCE: usize = 6;

/// The built-in server is judged by the newest release, as ever.
const OF_TRIALS: TrialSettings = TrialSettings { release: None, time_scale: 1.0 };

/// A server with a proxy before it.
pub(super) struct Ring {
    stand: Arc<Stand>,
    proxy: Proxy,
}

/// How a bout ended.
#[derive(Debug)]
pub(super) enum End {
    /// The fault turned these red.
    Seen,
    /// The fault was committed, and so many checks that met it stayed as they were.
    Unseen { put: usize, why: String },
    /// The fault was never committed: nothing was proved.
    NotCommitted,
}

impl Ring {
    /// Starts a server and puts a proxy before it.
    pub(super) async fn open(source: &Source) -> Result<Self, RunError> {
        let fault = |error: std::io::Error| RunError::Fault(format!("no proxy: {error}"));
        let mut target = Target::reach(source, NonZeroUsize::MIN, 1.0).await?;
        let own = Arc::get_mut(&mut target).and_then(|target| target.instances.first_mut());
        let instance = own.ok_or_else(|| RunError::Fault("no server was started".to_owned()))?;
        let proxy = Proxy::start(instance.client.clone()).await.map_err(fault)?;
        instance.client = proxy.url.clone();
        let trial = Trial::begin(target, &OF_TRIALS).await;
        Ok(Ring { stand: Arc::new(stand(trial)?), proxy })
    }

    /// The same server, with nothing of what came of the last bout.
    async fn renewed(mut self) -> Result<Self, RunError> {
        self.proxy.disarm();
        let trial = self.stand.trial.begin_again(&OF_TRIALS).await;
        self.stand = Arc::new(stand(trial)?);
        Ok(self)
    }

    /// Puts every check once and gives what came of each.
    pub(super) async fn put_all(&self, checks: Vec<Planned>) -> Vec<(Planned, Attempt)> {
        let put = |planned: Planned| async {
            let attempt = runner::attempt(&self.stand, &planned).await;
            (planned, attempt)
        };
        stream::iter(checks).map(put).buffer_unordered(2 * AT_ONCE).collect().await
    }

    /// Puts the witnesses of a fault on the wire until one of them sees it. The checks that judge all exchanges of the
    /// operation may see it too, where they are given.
    pub(super) async fn until_seen<'a>(
        &self,
        mutant: &Mutant,
        witnesses: &[&'a Witness],
        passive: &[&Planned],
    ) -> End {
        self.proxy.arm(mutant.clone());
        let put = |witness: &'a Witness| async move { (witness, self.put(witness).await) };
        let mut attempts = stream::iter(witnesses.iter().copied()).map(put).buffer_unordered(AT_ONCE);
        let mut faults = Vec::new();
        let mut count = 0;
        while let Some((witness, attempt)) = attempts.next().await {
            count += 1;
            if is_red(attempt.verdict) && self.proxy.committed() > 0 {
                return End::Seen;
            }
            if attempt.verdict == Verdict::Fault {
                faults.push(format!("{}: {}", witness.planned.id, words(&attempt)));
            }
            for passive in passive {
                if is_red(runner::attempt(&self.stand, passive).await.verdict) {
                    return End::Seen;
                }
            }
        }
        if self.proxy.committed() == 0 {
            return End::NotCommitted;
        }
        End::Unseen { put: count, why: faults.into_iter().next().unwrap_or_default() }
    }

    /// Whether a fault on the wire turns this check red.
    pub(super) async fn sees(&self, witness: &Witness, mutant: &Mutant) -> bool {
        self.proxy.arm(mutant.clone());
        let verdict = self.put(witness).await.verdict;
        is_red(verdict) && self.proxy.committed() > 0
    }

    /// Puts the checks that a fault of the server has to turn red, all of them; of those with cases, one case is enough.
    pub(super) async fn all_must_see(&self, killers: &[&str], reference: &Reference) -> End {
        let mut put = 0;
        for id in killers {
            let (mut seen, mut why) = (false, format!("{id} does not pass without the fault"));
            for witness in reference.of_check(id) {
                let attempt = self.put(witness).await;
                put += 1;
                seen = is_red(attempt.verdict);
                if seen {
                    break;
                }
                why = format!("{id} does not see it: {} {}", attempt.verdict.words(), words(&attempt));
            }
            if !seen {
                return End::Unseen { put, why };
            }
        }
        End::Seen
    }

    /// Puts behaviours to a fault for which no check is named, and says which see it, so that they can be.
    pub(super) async fn who_sees(&self, reference: &Reference) -> End {
        let put = |witness| async move { (witness, self.put(witness).await) };
        let behaviours = reference.witnesses.iter().filter(|witness| witness.is_behaviour);
        let mut attempts = stream::iter(behaviours).map(put).buffer_unordered(AT_ONCE);
        let (mut seeing, mut count) = (Vec::new(), 0);
        while seeing.len() < ENOUGH
            && let Some((witness, attempt)) = attempts.next().await
        {
            count += 1;
            if is_red(attempt.verdict) {
                seeing.push(witness.planned.id.clone());
            }
        }
        let why = match seeing.join(", ") {
            seeing if seeing.is_empty() => "no check is named that has to see it, and none does".to_owned(),
            seeing => format!("no check is named that has to see it; these do: {seeing}"),
        };
        End::Unseen { put: count, why }
    }

    async fn put(&self, witness: &Witness) -> Attempt {
        runner::attempt(&self.stand, &witness.planned).await
    }

    /// Ends the server and what tests have started beside it, and waits until they have.
    pub(super) async fn close(self) {
        let trial = self.stand.trial.clone();
        // Waiting for a process blocks its thread.
        let _ = tokio::task::spawn_blocking(move || trial.end()).await;
    }
}

/// Whatever ends a bout, its server ends with it: what tests leave behind may hold on to the trial for longer.
impl Drop for Ring {
    fn drop(&mut self) {
        self.stand.trial.end();
    }
}

/// The stand of a trial that could begin, for checks that are not to wait for long.
fn stand(trial: Result<Arc<Trial>, Stop>) -> Result<Stand, RunError> {
    let mut trial = trial.map_err(|stop| RunError::Fault(stop.to_string()))?;
    if let Some(trial) = Arc::get_mut(&mut trial) {
        trial.patience = PATIENCE;
    }
    let settings = RunSettings {
        jobs: AT_ONCE,
        repeat: 1,
        fail_fast: false,
        time_scale: TIME_SCALE,
        seed: 0,
        target_words: String::new(),
    };
    Ok(Stand { trial, settings, expectations: Expectations::default(), exercised: Exercised::default() })
}

/// Only a broken requirement counts; a check that could not be put proves nothing.
fn is_red(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Advice)
}

fn words(attempt: &Attempt) -> String {
    attempt.stop.as_ref().err().map(ToString::to_string).unwrap_or_default()
}

/// Servers without faults of their own, which one bout after another uses: what is wrong is wrong on the wire.
pub(super) struct Rings {
    source: Source,
    idle: Mutex<Vec<Ring>>,
}

impl Rings {
    pub(super) fn of(source: Source) -> Self {
        Rings { source, idle: Mutex::default() }
    }

    /// One that nobody uses, or a new one.
    pub(super) async fn take(&self) -> Result<Ring, RunError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(ring) => ring.renewed().await,
            None => Ring::open(&self.source).await,
        }
    }

    /// For the next bout.
    pub(super) fn give_back(&self, ring: Ring) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(ring);
    }

    /// Ends them all.
    pub(super) async fn close(self) {
        for ring in self.idle.into_inner().unwrap_or_else(PoisonError::into_inner) {
            ring.close().await;
        }
    }
}
