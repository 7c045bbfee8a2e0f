//! Random client sessions: several users act at the same time, their clients sync in every way that the text permits, and in
//! the end everything that they were told has to fit together.
//!
//! A [`Session`] is a list of actions, made from a seed. [`play`](Session::play) carries it out with new users in new rooms:
//! a [`model`] notes what was done, each [`client`] accumulates what it is told, and [`invariants`] compares. A session that
//! breaks one is made [small](shrinking) before it is told.

mod action;
mod client;
mod invariants;
mod model;
mod playing;
mod shrinking;

use std::{fmt, num::NonZeroUsize, pin::pin};

use futures_util::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    RunError,
    cast::Homeserver,
    conduct::meet,
    scene::Scene,
    target::Source,
    verdict::{Stop, Unmet},
};

use self::action::{Action, Deed};
pub use self::invariants::Invariant;

/// What users and their clients do, round by round; what stands in one round is done at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    rounds: Vec<Vec<Action>>,
}

/// How many rounds a session has.
const ROUNDS: usize = 24;
/// How long one session may take, with everything that is compared in the end.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(170);

impl Session {
    /// The session of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let round = |random: &mut StdRng| {
            let actions = (0..random.random_range(1..=3)).map(|_| Action::any(random));
            Action::at_once(actions.collect())
        };
        Session { rounds: (0..ROUNDS).map(|_| round(&mut random)).collect() }
    }

    /// The same, with a restart of the server in its midst.
    fn interrupted(mut self) -> Self {
        self.rounds.insert(ROUNDS / 2, vec![Action { user: 0, deed: Deed::Restarts }]);
        self
    }

    /// Plays it; an invariant that is broken is told with the smallest session that breaks it.
    ///
    /// # Errors
    /// When an invariant does not hold, or something that the session does is refused.
    pub async fn must_keep(&self, hs: &Homeserver, invariants: &[Invariant]) -> Result<(), Stop> {
        let unmet = match self.play(hs, invariants).await {
            Err(Stop::Unmet(unmet)) => *unmet,
            ended => return ended,
        };
        let (small, Unmet { expected, got, exchange }) = shrinking::shrink(self, unmet, hs, invariants).await;
        let got = format!("{got}, after these actions:\n{small}");
        Err(Stop::Unmet(Box::new(Unmet { expected, got, exchange })))
    }
}

/// What came of many sessions.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many were played.
    pub cases: usize,
    /// The seeds of those that broke an invariant, each with what it broke.
    pub broken: Vec<(u64, String)>,
    /// The seeds of those that could not be played to their end, each with why.
    pub faults: Vec<(u64, String)>,
}

/// What the caller decides.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many sessions are played.
    pub cases: usize,
    /// The seed of the first; the next one has the next number.
    pub seed: u64,
    /// How many are under way at once.
    pub at_once: usize,
    /// The server is restarted in the midst of every session whose number is a multiple of this.
    pub restart_every: Option<NonZeroUsize>,
    /// Whether a server that is not on this machine may be burdened.
    pub owned: bool,
}

/// Plays sessions with a server. None is begun any more once `enough` has ended.
///
/// # Errors
/// When the server cannot be reached or started, or is to be restarted and was not started by this run.
pub async fn sessions(
    source: &Source,
    settings: Settings,
    enough: impl Future<Output = ()>,
    mut tell: impl FnMut(),
) -> Result<Summary, RunError> {
    let Settings { cases, seed, at_once, restart_every, owned } = settings;
    if restart_every.is_some() && matches!(source, Source::Url(_)) {
        return Err(RunError::Usage(format!(
            "{source} was not started by this run, so it cannot be restarted"
        )));
    }
    let trial = meet(source, owned).await?;
    let play = |case: usize| {
        let (seed, hs) = (seed.wrapping_add(case as u64), trial.homeserver(Scene::new(LIMIT)));
        let is_interrupted = restart_every.is_some_and(|every| case.is_multiple_of(every.get()));
        let session = Session::of(seed);
        let session = if is_interrupted { session.interrupted() } else { session };
        async move { (seed, session.must_keep(&hs, &Invariant::ALL).await) }
    };
    let played = stream::iter(0..cases).take_until(enough).map(play).buffer_unordered(at_once.max(1));
    let mut played = pin!(played);
    let mut summary = Summary::default();
    while let Some((seed, ended)) = played.next().await {
        summary.cases += 1;
        match ended {
            Ok(()) => {}
            Err(stop @ Stop::Unmet(_)) => summary.broken.push((seed, stop.to_string())),
            Err(stop) => summary.faults.push((seed, stop.to_string())),
        }
        tell();
    }
    trial.target.end();
    Ok(summary)
}

impl fmt::Display for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, round) in self.rounds.iter().enumerate() {
            let actions: Vec<String> = round.iter().map(ToString::to_string).collect();
            writeln!(formatter, "{:>3}  {}", number + 1, actions.join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_stands_for_one_session() {
        assert_eq!(Session::of(7), Session::of(7));
        assert_ne!(Session::of(7), Session::of(8));
    }

    #[test]
    fn a_session_reads_well() {
        let mut session = Session::of(3);
        session.rounds.truncate(6);
        insta::assert_snapshot!(session.to_string());
    }
}
