//! A whole run, from reaching the server to the end of the record.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use fixtures::catalogue::Release;
use futures_util::StreamExt;
use reports::{Ending, Event, Header, Machine, Releases, Reporter};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::{
    cast::User,
    coverage::Ledger,
    expectations::Expectations,
    plan::{Selection, plan},
    registry::Test,
    runner,
    scene::Scene,
    stand::{RunSettings, Stand},
    target::{Source, Target, TargetError},
    trial::{Trial, TrialSettings},
    verdict::Stop,
};

/// How long the deactivation of one account may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(60);

/// What the caller decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the server comes from.
    pub source: Source,
    /// How many servers of the kind are started.
    pub instances: NonZeroUsize,
    /// The caller may burden a server that is not on this machine.
    pub owned: bool,
    /// Which checks.
    pub selection: Selection,
    /// How they are put.
    pub settings: RunSettings,
    /// Judges this release, whatever the server advertises.
    pub release: Option<Release>,
    /// An expectations file that overrules the target's own.
    pub expectations: Option<PathBuf>,
    /// The command line, for the record.
    pub command: String,
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The caller's input is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The server could not be judged: exit code 3.
    #[error("{0}")]
    Fault(String),
    /// A reporter could not write.
    #[error("the report cannot be written: {0}")]
    Report(#[from] std::io::Error),
}

impl From<TargetError> for RunError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Usage(words) => RunError::Usage(words),
            TargetError::Unreachable(words) => RunError::Fault(words),
        }
    }
}

/// Puts the selected tests to the server and tells the reporters. The future `cancelled` cuts the run short.
pub async fn conduct(
    tests: &[&'static Test],
    options: &Options,
    reporters: &mut [&mut dyn Reporter],
    cancelled: impl Future<Output = ()> + Unpin,
) -> Result<(), RunError> {
    let started = Instant::now();
    permitted(options)?;
    let checks = plan(tests, &options.selection, options.settings.seed);
    if checks.is_empty() {
        return Err(RunError::Usage(format!(
            "no check begins with {}; `determinant list` prints the ids",
            options.selection.only.join(" or ")
        )));
    }
    let overruling = match &options.expectations {
        Some(path) => Expectations::read(path).map_err(RunError::Usage)?,
        None => Expectations::default(),
    };
    let target = Target::reach(&options.source, options.instances, options.settings.time_scale).await?;
    let trial_settings = TrialSettings { release: options.release, time_scale: options.settings.time_scale };
    let trial = Trial::begin(target.clone(), &trial_settings).await.map_err(|stop| match stop {
        Stop::Fault(words) => RunError::Fault(words),
        stop => RunError::Fault(format!("{} cannot be judged: {stop}", target.name)),
    })?;
    let stand = Arc::new(Stand {
        expectations: target.expectations.clone().overruled_by(overruling),
        settings: options.settings.clone(),
        ledger: Ledger::default(),
        trial,
    });
    let mut failure = None;
    let mut tell = |event: &Event<'_>| {
        for reporter in reporters.iter_mut() {
            if let Err(error) = reporter.on(event) {
                failure.get_or_insert(error);
            }
        }
    };
    tell(&Event::Started(&header(&stand, options, checks.len())));
    for id in stand
        .expectations
        .idle(&crate::plan::checks(tests).into_iter().map(|check| check.id).collect::<Vec<_>>())
    {
        tell(&Event::Notice(&format!("the expectation {id:?} covers no check; remove it")));
    }
    let interrupted = runner::run(&stand, checks, &mut tell, cancelled).await;
    if target.persistent {
        deactivate_accounts(&stand.trial, &mut tell).await;
    }
    let limited = stand.trial.client.limited();
    if limited > 0 {
        tell(&Event::Notice(&format!(
            "{limited} answers were 429 and waited out; raise the server's rate limits for shorter runs"
        )));
    }
    let ending = Ending {
        coverage: Some(stand.ledger.coverage(tests.len())),
        interrupted,
        duration_ms: started.elapsed().as_secs_f64() * 1000.0,
        exchanges: stand.trial.judge.seen(),
        harness_cpu_ms: Some(cpu_time_ms()),
    };
    tell(&Event::Ended(&ending));
    failure.map_or(Ok(()), |error| Err(RunError::Report(error)))
}

/// A server elsewhere is only burdened by someone who says that it is theirs.
fn permitted(options: &Options) -> Result<(), RunError> {
    match &options.source {
        Source::Url(url) if !options.owned && !Target::is_loopback(url) => Err(RunError::Usage(format!(
            "{url} is not on this machine; the suite registers accounts, creates rooms and sends thousands of requests: \
             say --i-own-this-server if it may"
        ))),
        _ => Ok(()),
    }
}

fn header(stand: &Stand, options: &Options, total: usize) -> Header {
    let (trial, target) = (&stand.trial, &stand.trial.target);
    let chosen_by = match options.release {
        Some(_) => "--spec",
        None => "the newest release that the server advertises and the catalogue holds",
    };
    Header {
        target: reports::Target {
            name: target.name.clone(),
            version: target.version.clone(),
            notes: target.notes.clone(),
        },
        seed: options.settings.seed,
        releases: Releases {
            advertised: trial.advertised.clone(),
            judged: trial.judged.to_string(),
            chosen_by: chosen_by.to_owned(),
        },
        total,
        machine: Machine::here(),
        started: rfc_3339(SystemTime::now()),
        command: options.command.clone(),
    }
}

/// Leaves a server that outlives the run without the accounts of the run.
async fn deactivate_accounts(trial: &Arc<Trial>, tell: &mut impl FnMut(&Event<'_>)) {
    let accounts = trial.registrar.made();
    let deactivations = accounts.into_iter().map(|account| async {
        const DEACTIVATE: &str = "/_matrix/client/v3/account/deactivate";
        let user = User::new(trial.homeserver(Scene::new(LEAVE_WITHIN)), account);
        match user.post_authenticated(DEACTIVATE, json!({})).await {
            // A test has ended the session; the password may still be good.
            Err(_) => user.logs_in().await?.post_authenticated(DEACTIVATE, json!({})).await,
            deactivated => deactivated,
        }
    });
    let ended: Vec<_> = futures_util::stream::iter(deactivations).buffer_unordered(8).collect().await;
    let left = ended.iter().filter(|deactivated| deactivated.is_err()).count();
    if left > 0 {
        let prefix = trial.registrar.prefix();
        tell(&Event::Notice(&format!(
            "{left} of {} accounts could not be deactivated, or had been by a test; their localparts begin with {prefix}",
            ended.len()
        )));
    }
}

/// The processor time of this process, user and system together, in milliseconds.
fn cpu_time_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1_000_000.0
}

/// A point in time as RFC 3339, in UTC and whole seconds.
fn rfc_3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |duration| duration.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day counted from 1970-01-01, by the calendar that starts its years in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year_of_era, if month < 10 { month + 3 } else { month - 9 });
    (year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| rfc_3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_795_392_000), "2026-11-23T00:00:00Z");
    }
}
