//! A whole run, from reaching the server to the end of the record.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use fixtures::catalogue::Release;
use futures_util::StreamExt;
use reports::{Ending, Event, Header, Machine, Releases, Reporter};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    cast::User,
    coverage::Exercised,
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
///
/// A server that cannot be judged is an error, and leaves a record that says so.
pub async fn conduct(
    tests: &[&'static Test],
    options: &Options,
    reporters: &mut [&mut dyn Reporter],
    cancelled: impl Future<Output = ()> + Unpin,
) -> Result<(), RunError> {
    let started = Instant::now();
    let checks = plan(tests, &options.selection, options.settings.seed);
    if checks.is_empty() {
        let what = if options.selection.ids.is_some() { "none of the chosen checks" } else { "no check" };
        let prefixes = options.selection.only.join(" or ");
        return Err(RunError::Usage(format!(
            "{what} begins with {prefixes}; `determinant list` prints the ids"
        )));
    }
    let mut failure = None;
    let mut tell = |event: &Event<'_>| {
        for reporter in reporters.iter_mut() {
            if let Err(error) = reporter.on(event) {
                failure.get_or_insert(error);
            }
        }
    };
    let prepared = prepare(options).await;
    if let Err(RunError::Fault(words)) = &prepared {
        tell(&Event::Started(&header(options, checks.len())));
        tell(&Event::Notice(words));
        tell(&Event::Ended(&Ending { interrupted: true, ..ending(started) }));
    }
    let stand = prepared?;
    let _curtain = Curtain(Arc::clone(&stand.trial));
    tell(&Event::Started(&introduced(&stand, header(options, checks.len()))));
    for id in stand.expectations.idle(&ids(tests)) {
        tell(&Event::Notice(&format!("the expectation {id:?} covers no check; remove it")));
    }
    let interrupted = runner::run(&stand, checks, &mut tell, cancelled).await;
    if stand.trial.target.persistent {
        deactivate_accounts(&stand.trial, &mut tell).await;
    }
    let limited = stand.trial.client.limited();
    if limited > 0 {
        tell(&Event::Notice(&format!(
            "{limited} answers were 429 and waited out; raise the server's rate limits for shorter runs"
        )));
    }
    tell(&Event::Ended(&Ending {
        coverage: Some(stand.exercised.coverage()),
        exchanges: stand.trial.judge.seen(),
        interrupted,
        ..ending(started)
    }));
    failure.map_or(Ok(()), |error| Err(RunError::Report(error)))
}

/// Falls when the run is over, however it ends: the processes that it started end with it. What the tests leave behind may
/// hold on to the trial for longer.
struct Curtain(Arc<Trial>);

impl Drop for Curtain {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Reaches or starts the server and meets it.
async fn prepare(options: &Options) -> Result<Arc<Stand>, RunError> {
    let overruling = match &options.expectations {
        Some(path) => Expectations::read(path).map_err(RunError::Usage)?,
        None => Expectations::default(),
    };
    let target = Target::reach(&options.source, options.instances, options.settings.time_scale).await?;
    permitted(&target, options.owned)?;
    let settings = TrialSettings { release: options.release, time_scale: options.settings.time_scale };
    let trial = Trial::begin(target.clone(), &settings).await.map_err(|stop| match stop {
        Stop::Fault(words) => RunError::Fault(words),
        stop => RunError::Fault(format!("{} cannot be judged: {stop}", target.name)),
    })?;
    Ok(Arc::new(Stand {
        expectations: target.expectations.clone().overruled_by(overruling),
        settings: options.settings.clone(),
        exercised: Exercised::default(),
        trial,
    }))
}

/// Reaches or starts one server, which the caller may burden, and meets it.
pub(crate) async fn meet(source: &Source, owned: bool) -> Result<Arc<Trial>, RunError> {
    let target = Target::reach(source, NonZeroUsize::MIN, 1.0).await?;
    permitted(&target, owned)?;
    let settings = TrialSettings { release: None, time_scale: 1.0 };
    Trial::begin(target, &settings).await.map_err(|stop| RunError::Fault(stop.to_string()))
}

/// A server elsewhere is only burdened by someone who says that it is theirs.
pub(crate) fn permitted(target: &Target, owned: bool) -> Result<(), RunError> {
    let elsewhere = target.instances.iter().find(|instance| !Target::is_loopback(&instance.client));
    match elsewhere {
        Some(instance) if !owned => Err(RunError::Usage(format!(
            "{} is not on this machine; the suite registers accounts, creates rooms and sends thousands of requests: \
             say --i-own-this-server if it may",
            instance.client
        ))),
        _ => Ok(()),
    }
}

/// The ids of all checks, selected or not.
fn ids(tests: &[&'static Test]) -> Vec<String> {
    crate::plan::checks(tests).into_iter().map(|check| check.id).collect()
}

/// What is known before the server has answered.
fn header(options: &Options, total: usize) -> Header {
    Header {
        seed: options.settings.seed,
        total,
        machine: Machine::here(),
        started: now(),
        command: options.command.clone(),
        target: reports::Target { name: options.source.to_string(), ..reports::Target::default() },
        ..Header::default()
    }
}

/// The header, with what the server told of itself.
fn introduced(stand: &Stand, header: Header) -> Header {
    let (trial, target) = (&stand.trial, &stand.trial.target);
    let target = reports::Target {
        name: target.name.clone(),
        version: target.version.clone(),
        notes: target.notes.clone(),
    };
    let releases = Releases {
        advertised: trial.advertised.clone(),
        judged: trial.judged.to_string(),
        chosen_by: trial.chosen_by.to_owned(),
    };
    Header { target, releases, ..header }
}

/// How the run ends as far as the clocks know.
fn ending(started: Instant) -> Ending {
    Ending {
        duration_ms: started.elapsed().as_secs_f64() * 1000.0,
        harness_cpu_ms: Some(cpu_time_ms()),
        ..Ending::default()
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

/// This moment as RFC 3339, in UTC and whole seconds.
fn now() -> String {
    let now = OffsetDateTime::now_utc().truncate_to_second();
    // It fails for years beyond 9999.
    now.format(&Rfc3339).unwrap_or_default()
}
