//! Puts the checks of a plan to a server, all at once where that is possible, and tells what came of each.

use std::{
    any::Any,
    future::pending,
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use reports::{Check, Event, Verdict};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    plan::Planned,
    registry::Phase,
    scene::Scene,
    spec::contract,
    stand::{Attempt, Stand},
    telling,
    verdict::{Stop, Verdict as Outcome},
};

/// How long one check may take, at time scale 1.
const LIMIT: Duration = Duration::from_secs(180);

tokio::task_local! {
    /// Set while a test runs: its panics are told as faults, not printed.
    static IN_A_TEST: ();
}

/// Puts every check of the plan and tells each as it ends. Gives whether the run was cut short.
pub(crate) async fn run(
    stand: &Arc<Stand>,
    plan: Vec<Planned>,
    mut tell: impl FnMut(&Event<'_>),
    mut cancelled: impl Future<Output = ()> + Unpin,
) -> bool {
    let mut plan = plan.into_iter().peekable();
    let mut cut_short = false;
    while let Some(first) = plan.peek() {
        let phase = first.test.phase;
        let at_once = if phase == Phase::Alone { 1 } else { stand.settings.jobs.max(1) };
        let mut part = Vec::new();
        while let Some(planned) = plan.next_if(|planned| planned.test.phase == phase) {
            part.push(planned);
        }
        // Whoever has ended the run has done so, and is not asked again.
        cut_short |= match cut_short {
            false => run_part(stand, part, at_once, &mut tell, &mut cancelled).await,
            true => run_part(stand, part, at_once, &mut tell, &mut pending()).await,
        };
        if cut_short && phase < Phase::Last {
            // What was exchanged until now can still be judged, but nothing more is put.
            plan = plan
                .filter(|planned| planned.test.phase == Phase::Last)
                .collect::<Vec<_>>()
                .into_iter()
                .peekable();
        }
    }
    cut_short
}

async fn run_part(
    stand: &Arc<Stand>,
    part: Vec<Planned>,
    at_once: usize,
    tell: &mut impl FnMut(&Event<'_>),
    cancelled: &mut (impl Future<Output = ()> + Unpin),
) -> bool {
    let places = Arc::new(Semaphore::new(at_once));
    let (ended, mut endings) = mpsc::unbounded_channel();
    let mut jobs = JoinSet::new();
    let mut left = part.len();
    for planned in part {
        let (stand, places, ended) = (stand.clone(), places.clone(), ended.clone());
        jobs.spawn(async move {
            let Ok(_place) = places.acquire().await else { return };
            let check = put(&stand, &planned).await;
            // The receiver is only gone when the run was cut short.
            let _ = ended.send(check);
        });
    }
    while left > 0 {
        tokio::select! {
            Some(check) = endings.recv() => {
                left -= 1;
                tell(&Event::Finished(&check));
                if stand.settings.fail_fast && check.is_unexpected() {
                    jobs.abort_all();
                    tell(&Event::Notice(&format!("ended by the first unexpected result: {left} checks of this phase were not put")));
                    return true;
                }
            }
            () = &mut *cancelled => {
                jobs.abort_all();
                tell(&Event::Notice(&format!("interrupted: {left} checks of this phase were not put")));
                return true;
            }
        }
    }
    false
}

/// Puts one check, as often as the settings say.
async fn put(stand: &Arc<Stand>, planned: &Planned) -> Check {
    let started = Instant::now();
    let mut attempt = attempt(stand, planned).await;
    for _ in 1..stand.settings.repeat {
        let again = self::attempt(stand, planned).await;
        if again.verdict != attempt.verdict {
            let what = format!(
                "the verdict varies between repetitions: once {}, once {}",
                attempt.verdict.words(),
                again.verdict.words()
            );
            attempt = Attempt { verdict: Verdict::Fault, stop: Err(Stop::Fault(what)), ..again };
            break;
        }
        attempt = again;
    }
    stand.exercised.add(planned.test, attempt.verdict, &attempt.scene.acts());
    let expectation = stand.expectations.of(&planned.id);
    telling::check(stand, planned, &attempt, expectation, started.elapsed())
}

/// Puts one check once. What it leaves is not yet told, counted or compared with what is expected.
pub(crate) async fn attempt(stand: &Arc<Stand>, planned: &Planned) -> Attempt {
    quieten_panics_of_tests();
    let scene = Scene::new(LIMIT.mul_f64(stand.settings.time_scale));
    let log_position = stand.trial.target.log_position();
    let stop = match stand.trial.gate(planned.test) {
        Ok(()) => watched(stand, planned, &scene).await,
        Err(stop) => Err(stop),
    };
    let verdict = match &stop {
        Ok(()) => Verdict::Pass,
        Err(Stop::Unmet(_)) => planned.test.level.verdict_when_broken(),
        Err(Stop::Observed(_)) => Verdict::Observed,
        Err(Stop::NotApplicable(_)) => Verdict::NotApplicable,
        Err(Stop::Fault(_)) => Verdict::Fault,
    };
    Attempt { verdict, stop, scene, log_position }
}

/// Runs the test in a task of its own, so that neither a panic nor a test that never ends harms the others.
async fn watched(stand: &Arc<Stand>, planned: &Planned, scene: &Arc<Scene>) -> Outcome {
    if let Some(end) = stand.trial.target.ended() {
        return Err(Stop::Fault(format!("not put: the server has ended ({end})")));
    }
    let test = planned.instance.run(stand.trial.homeserver(scene.clone()));
    let mut task = tokio::spawn(IN_A_TEST.scope((), test));
    loop {
        let deadline = scene.deadline();
        match tokio::time::timeout_at(deadline, &mut task).await {
            Ok(Ok(outcome)) => return excused(stand, planned, outcome).await,
            Ok(Err(error)) if error.is_panic() => {
                return Err(Stop::Fault(format!("the test panicked: {}", words(&*error.into_panic()))));
            }
            Ok(Err(error)) => return Err(Stop::Fault(format!("the test was stopped: {error}"))),
            // The test waited out a rate limit meanwhile: that time is given back.
            Err(_) if scene.deadline() > deadline => {}
            Err(_) => {
                task.abort();
                let limit = LIMIT.mul_f64(stand.settings.time_scale).as_secs();
                return Err(Stop::Fault(format!("the test did not end within {limit} s")));
            }
        }
    }
}

/// A test that stumbles over an operation which the server does not serve at all is not applicable: that the operation
/// is missing is told once, by the contract, which is not excused.
async fn excused(stand: &Stand, planned: &Planned, outcome: Outcome) -> Outcome {
    let Err(Stop::Unmet(unmet)) = &outcome else { return outcome };
    if ["contract::served", "contract::federation"].iter().any(|told| planned.test.module.ends_with(told)) {
        return outcome;
    }
    let Some(exchange) = unmet.exchange.as_ref().filter(|exchange| exchange.response.is_unrecognized())
    else {
        return outcome;
    };
    let Some(operation) = exchange.operation else { return outcome };
    let apart = stand.trial.homeserver(Scene::new(LIMIT));
    match contract::is_served(&apart, operation).await {
        Err(Stop::NotApplicable(why)) => Err(Stop::NotApplicable(why)),
        _ => outcome,
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}

/// Panics of tests are told as their faults; the default hook would print them into the progress bar as well.
fn quieten_panics_of_tests() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if IN_A_TEST.try_with(|()| ()).is_err() {
                print(panic);
            }
        }));
    });
}
