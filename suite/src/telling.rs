//! Turns what happened to a check into what the record keeps of it.

use std::{sync::Arc, time::Duration};

use fixtures::catalogue::Direction;
use reports::{Check, Failure, Verdict};

use crate::{
    exchange::Exchange,
    expectations::Expectation,
    plan::Planned,
    stand::{Attempt, Stand},
    verdict::{Stop, Unmet},
};

/// How many exchanges a failure shows, where the test does not point at one.
const SHOWN_EXCHANGES: usize = 4;

pub(crate) fn check(
    stand: &Stand,
    planned: &Planned,
    attempt: &Attempt,
    expectation: Option<&Expectation>,
    duration: Duration,
) -> Check {
    let verdict = attempt.verdict;
    let reason = match &attempt.stop {
        Ok(()) => None,
        Err(Stop::Unmet(unmet)) => Some(format!("expected {}; got {}", unmet.expected, unmet.got))
            .filter(|_| verdict != Verdict::Fail),
        Err(Stop::Observed(words) | Stop::NotApplicable(words) | Stop::Fault(words)) => Some(words.clone()),
    };
    let failure = match &attempt.stop {
        Err(Stop::Unmet(unmet)) => Some(failure(stand, planned, attempt, unmet)),
        _ => None,
    };
    Check {
        id: planned.id.clone(),
        level: planned.test.level,
        severity: planned.test.severity,
        verdict,
        expected: expectation.map_or_else(|| tolerated(verdict), |expectation| expectation.at(verdict)),
        expectation: expectation.map(reason_of),
        spec: planned.test.spec.to_owned(),
        duration_ms: duration.as_secs_f64() * 1000.0,
        requirement: planned.test.requirement(),
        reason,
        failure,
    }
}

/// What counts as expected where no expectation says otherwise: everything but a broken Must and a fault.
fn tolerated(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Fail | Verdict::Fault => Verdict::Pass,
        other => other,
    }
}

fn reason_of(expectation: &Expectation) -> String {
    match &expectation.link {
        Some(link) => format!("{} ({link})", expectation.why),
        None => expectation.why.clone(),
    }
}

fn failure(stand: &Stand, planned: &Planned, attempt: &Attempt, unmet: &Unmet) -> Failure {
    let latest = attempt.scene.latest(SHOWN_EXCHANGES);
    let shown: Vec<_> = match &unmet.exchange {
        // What the server asked of a remote homeserver meanwhile may be the reason.
        Some(exchange) => {
            let asked = latest.into_iter().filter(|other| other.direction == Direction::Outbound);
            asked.filter(|other| !Arc::ptr_eq(other, exchange)).chain([exchange.clone()]).collect()
        }
        None => latest,
    };
    let exchanges = shown.iter().map(Exchange::recorded).collect();
    let log = stand.trial.target.log_since(attempt.log_position);
    Failure {
        expected: unmet.expected.clone(),
        got: unmet.got.clone(),
        exchanges,
        repeat: repeat(stand, planned),
        server_log: Some(log).filter(|log| !log.trim().is_empty()),
    }
}

/// The command that puts only this check again, in the same order of random choices.
fn repeat(stand: &Stand, planned: &Planned) -> String {
    let target = &stand.settings.target_words;
    let target = if target.is_empty() { String::new() } else { format!(" {target}") };
    format!("determinant run{target} --only '{}' --seed {}", planned.id, stand.settings.seed)
}
