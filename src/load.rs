//! `determinant load`: burdens a server and shows what came of it.

mod target;

use std::process::ExitCode;

use loadgen::{
    profile::{Profile, Shard},
    run::{Rig, RunError, Settings},
};
use reports::{
    Style,
    load::{Live, LoadRecord},
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Failure,
    arguments::{Load, LoadClient, LoadCommon},
    say,
};

use target::Reached;

/// The profile where none is named: large enough to say something, ready within a minute.
const USUAL_PROFILE: &str = "company-50";
/// What is demanded where nothing is.
const USUAL_DEMANDS: [&str; 2] = ["errors < 1%", "dropped < 1%"];

pub(crate) fn load(verb: Load) -> Result<ExitCode, Failure> {
    match verb {
        Load::Client(arguments) => client(&arguments),
    }
}

fn client(LoadClient { common }: &LoadClient) -> Result<ExitCode, Failure> {
    let (profile, url) = what(common)?;
    let settings = settings(common, profile)?;
    let live = Live::stderr();
    let record = on_one_thread(async {
        let cancelled = interrupted()?;
        let reached = Reached::reach(common.target.as_deref(), url).await?;
        live.say(&announcement(&settings, &reached));
        let mut rig = Rig::reach(&reached.endpoint, &settings, &live).await.map_err(failure)?;
        let mut record = rig.measure(&settings, cancelled).await.map_err(failure)?;
        reached.tell(&mut record);
        Ok(record)
    })?;
    live.ends();
    finish(common, &record)
}

/// The profile and the URL among what stands on the command line, in either order.
fn what(common: &LoadCommon) -> Result<(Profile, Option<url::Url>), Failure> {
    let (urls, profiles): (Vec<&String>, Vec<&String>) =
        common.what.iter().partition(|word| word.contains("://"));
    if urls.len() > 1 || profiles.len() > 1 {
        return Err(Failure::Usage(format!(
            "expected one profile and one URL at most, got {}",
            common.what.join(" ")
        )));
    }
    if !urls.is_empty() && common.target.is_some() {
        return Err(Failure::Usage("a URL and --target exclude each other".to_owned()));
    }
    let name = profiles.first().map_or(USUAL_PROFILE, |name| name);
    let profile = Profile::find(name).map_err(|error| Failure::Usage(error.to_string()))?;
    let url = urls.first().map(|url| url.parse().map_err(|error| Failure::Usage(format!("{url}: {error}"))));
    Ok((profile, url.transpose()?))
}

fn settings(common: &LoadCommon, profile: Profile) -> Result<Settings, Failure> {
    let mut demands = common.slo.clone();
    if demands.is_empty() {
        demands.extend(USUAL_DEMANDS.iter().filter_map(|text| text.parse().ok()));
    }
    let measured = profile.series();
    if let Some(name) =
        demands.iter().filter_map(|demand| demand.series()).find(|name| !measured.contains(name))
    {
        return Err(Failure::Usage(format!(
            "an objective is about `{name}`, which {} does not measure; it measures {}",
            profile.name,
            measured.join(", ")
        )));
    }
    Ok(Settings {
        users: common.users.map_or(profile.users(), u32::from),
        profile,
        span: common.span,
        seed: common.seed.unwrap_or_else(suite::seed),
        course: common.course.clone(),
        within: common.timeout,
        hands: u32::from(common.hands) as usize,
        shard: common.shard.unwrap_or(Shard::WHOLE),
        start_at: common.start_at,
        demands,
        most_lag: common.max_lag,
        most_rate: common.max_rate,
        owned: common.i_own_this_server,
        command: std::env::args()
            .skip(1)
            .fold("determinant".to_owned(), |line, word| format!("{line} {word}")),
        record: common.record.clone(),
    })
}

fn announcement(settings: &Settings, reached: &Reached) -> String {
    let part =
        if settings.shard == Shard::WHOLE { String::new() } else { format!(", part {}", settings.shard) };
    format!(
        "burdening {} with {}: {} users for {} s, seed {}{part}",
        reached.endpoint.target.name,
        settings.profile.name,
        settings.users,
        settings.span.as_secs_f64(),
        settings.seed
    )
}

/// One thread drives everything: a second one would share its locks, and another process shares nothing.
fn on_one_thread<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Fault(format!("no runtime: {error}")))?;
    runtime.block_on(future)
}

/// Ends with the first signal that asks the process to end. Listening begins here, so that no signal kills.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let signals = |kind| signal(kind).map_err(|error| Failure::Fault(format!("no signal handler: {error}")));
    let (mut interrupt, mut terminate) =
        (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Usage(words) => Failure::Usage(words),
        RunError::Fault(words) => Failure::Fault(words),
    }
}

/// Keeps the record, shows it, and says by the exit code what it is worth.
fn finish(common: &LoadCommon, record: &LoadRecord) -> Result<ExitCode, Failure> {
    let unwritable =
        |path: &std::path::Path, error| Failure::Usage(format!("cannot write {}: {error}", path.display()));
    if let Some(path) = &common.record {
        record.write(path).map_err(|error| unwritable(path, error))?;
    }
    say(reports::load::render(record, Style::of_stdout()).trim_end());
    for (path, rendering) in &common.report {
        let text = rendering.draw_load(record, Style::plain());
        text.and_then(|text| std::fs::write(path, text)).map_err(|error| unwritable(path, error))?;
    }
    if common.json {
        say(json!({
            "target": record.target, "seed": record.seed, "plan": record.plan, "series": record.series,
            "counts": record.counts, "objectives": record.objectives, "generator": record.generator,
            "notices": record.notices, "void": record.void, "fault": record.fault, "interrupted": record.interrupted,
            "duration_ms": record.duration_ms, "exit_code": record.outcome().exit_code(),
        }));
    }
    Ok(ExitCode::from(record.outcome().exit_code()))
}
