//! `determinant load`: burdens a server and shows what came of it.

mod settings;
mod target;

use std::{path::Path, process::ExitCode};

use loadgen::{
    capacity::{self, Search},
    objective::Demand,
    prometheus::Offer,
    run::{Rig, RunError, Settings},
};
use reports::{
    Style,
    load::{Live, LoadRecord},
};
use serde_json::json;

use crate::{
    Failure,
    arguments::{
        Load, LoadCapacity, LoadClient, LoadCommon, LoadFederation, LoadJourneys, LoadMerge, LoadOutput,
        LoadVoip,
    },
    harness, say,
};

use settings::{demands, settings, what};
use target::Reached;

/// The profile where none is named: large enough to say something, ready within a minute.
const USUAL_PROFILE: &str = "company-50";
/// The profile of calls.
const CALLS: &str = "calls";
/// The profile of federation.
const FEDERATION: &str = "federation";
/// The profile of people who wait.
const JOURNEYS: &str = "journeys";
/// What is demanded where nothing is.
const USUAL_DEMANDS: &[&str] = &["errors < 1%", "dropped < 1%"];
/// What is demanded beside that of a server whose capacity is searched for: that nobody waits long for what others do, as far as
/// the profile has it.
const AWAITED: &[(&str, &str)] = &[
    ("delivery", "delivery p95 < 500ms"),
    ("delivery-inbound", "delivery-inbound p95 < 500ms"),
    ("dial-to-ring", "dial-to-ring p95 < 500ms"),
];
/// How close a search comes to the first number of users that fails, as their ratio.
const SEARCHED_WITHIN: f64 = 1.15;

pub(crate) fn load(verb: Load) -> Result<ExitCode, Failure> {
    match verb {
        Load::Client(arguments) => client(&arguments),
        Load::Federation(arguments) => federation(&arguments),
        Load::Journeys(arguments) => journeys(&arguments),
        Load::Voip(arguments) => voip(&arguments),
        Load::Capacity(arguments) => search(&arguments),
        Load::Merge(arguments) => merge(&arguments),
    }
}

fn client(LoadClient { common }: &LoadClient) -> Result<ExitCode, Failure> {
    let (profile, url) = what(common, USUAL_PROFILE)?;
    let settings = settings(common, profile, USUAL_DEMANDS)?;
    burden(common, settings, url)
}

fn federation(arguments: &LoadFederation) -> Result<ExitCode, Failure> {
    let (mut profile, url) = what(&arguments.common, FEDERATION)?;
    let name = profile.name.clone();
    let servers = profile.servers.as_mut();
    let servers = servers.ok_or_else(|| {
        Failure::Usage(format!("{name} has no scripted servers; [servers] count = N gives a profile some"))
    })?;
    servers.shape = arguments.shape.unwrap_or(servers.shape);
    if let Some(count) = arguments.servers {
        profile.set_servers(count.into());
    }
    burden(&arguments.common, settings(&arguments.common, profile, USUAL_DEMANDS)?, url)
}

fn journeys(LoadJourneys { common }: &LoadJourneys) -> Result<ExitCode, Failure> {
    let (profile, url) = what(common, JOURNEYS)?;
    if profile.journeys.is_empty() {
        return Err(Failure::Usage(format!(
            "{} has no journeys; [[journeys]] give a profile some",
            profile.name
        )));
    }
    burden(common, settings(common, profile, USUAL_DEMANDS)?, url)
}

fn voip(arguments: &LoadVoip) -> Result<ExitCode, Failure> {
    let (profile, url) = what(&arguments.common, CALLS)?;
    let mut settings = settings(&arguments.common, profile, USUAL_DEMANDS)?;
    settings.traffic = "voip";
    settings.calls = loadgen::Calls {
        ring: arguments.ring,
        talk: arguments.talk,
        glare: arguments.glare,
        reject: arguments.reject,
        relay: arguments.relay,
    };
    if let Some(rate) = arguments.calls_per_second {
        settings.set_calls_per_second(rate).map_err(failure)?;
    }
    if let (Some(_), Some(url)) = (&arguments.across, &url) {
        return Err(Failure::Usage(format!(
            "{url} cannot call across servers: only servers that a target file launches know each other"
        )));
    }
    if arguments.across.is_some() {
        settings.set_callees_elsewhere().map_err(failure)?;
    }
    let (target, servers) = (arguments.common.target.as_deref(), settings.servers());
    let reach = async {
        let reached = match &arguments.across {
            Some(other) => Reached::reach_two(target, other.as_deref()).await?,
            None => Reached::reach(target, url, servers).await?,
        };
        if arguments.relay { reached.with_turn(arguments.common.timeout).await } else { Ok(reached) }
    };
    burden_reached(&arguments.common, settings, reach)
}

fn burden(common: &LoadCommon, settings: Settings, url: Option<url::Url>) -> Result<ExitCode, Failure> {
    let servers = settings.servers();
    burden_reached(common, settings, Reached::reach(common.target.as_deref(), url, servers))
}

fn burden_reached(
    common: &LoadCommon,
    settings: Settings,
    reach: impl Future<Output = Result<Reached, Failure>>,
) -> Result<ExitCode, Failure> {
    let live = Live::stderr();
    let record = on_one_thread(async {
        let cancelled = harness::interrupted()?;
        let _door = open_door(common, &settings.offer, &live).await?;
        let reached = reach.await?;
        live.say(&announcement(&settings, &reached));
        let mut rig = Rig::reach(&reached.endpoint, &settings, &live).await.map_err(failure)?;
        let mut record = rig.measure(&settings, cancelled).await.map_err(failure)?;
        reached.tell(&mut record);
        Ok(record)
    })?;
    live.ends();
    finish(&common.output, &record)
}

fn search(arguments: &LoadCapacity) -> Result<ExitCode, Failure> {
    let common = &arguments.common;
    let (profile, url) = what(common, USUAL_PROFILE)?;
    let measured = profile.series();
    let awaited = AWAITED.iter().filter(|(name, _)| measured.iter().any(|series| series == name));
    let demands: Vec<&str> =
        awaited.map(|(_, demand)| *demand).chain(USUAL_DEMANDS.iter().copied()).collect();
    let settings = settings(common, profile, &demands)?;
    let search = Search {
        first: arguments.from.map_or(settings.users, u32::from),
        most: arguments.most.into(),
        warm_up: arguments.warm_up,
        within: SEARCHED_WITHIN,
    };
    let live = Live::stderr();
    let record = on_one_thread(async {
        let mut cancelled = std::pin::pin!(harness::interrupted()?);
        let _door = open_door(common, &settings.offer, &live).await?;
        let reached = Reached::reach(common.target.as_deref(), url, settings.servers()).await?;
        live.say(&announcement(&settings, &reached));
        let mut rig = Rig::reach(&reached.endpoint, &settings, &live).await.map_err(failure)?;
        let say = |line: &str| live.say(line);
        let searched = capacity::search(&mut rig, &settings, search, &say, cancelled.as_mut()).await;
        let mut record = searched.map_err(failure)?;
        reached.tell(&mut record);
        Ok(record)
    })?;
    live.ends();
    finish(&common.output, &record)
}

fn merge(arguments: &LoadMerge) -> Result<ExitCode, Failure> {
    let read =
        |path: &std::path::PathBuf| LoadRecord::read(path).map_err(|error| Failure::Usage(error.to_string()));
    let parts: Vec<LoadRecord> = arguments.records.iter().map(read).collect::<Result<_, _>>()?;
    let demands: Vec<Demand> = demands(&arguments.slo, USUAL_DEMANDS);
    let whole = loadgen::merge::merge(&parts, &demands).map_err(|error| Failure::Usage(error.to_string()))?;
    finish(&arguments.output, &whole)
}

/// Opens the door to the run's own metrics, where somebody wants it.
async fn open_door(
    common: &LoadCommon,
    offer: &Offer,
    live: &Live,
) -> Result<Option<loadgen::prometheus::Offered>, Failure> {
    let Some(address) = common.serve_metrics else { return Ok(None) };
    let door = offer.open(address).await;
    let door =
        door.map_err(|error| Failure::Usage(format!("no metrics can be offered at {address}: {error}")))?;
    live.say(&format!("metrics: http://{}/metrics", door.address));
    Ok(Some(door))
}

fn announcement(settings: &Settings, reached: &Reached) -> String {
    let part = if settings.shard == loadgen::profile::Shard::WHOLE {
        String::new()
    } else {
        format!(", part {}", settings.shard)
    };
    let servers = match settings.servers() {
        0 => String::new(),
        count => format!(" and {count} servers"),
    };
    format!(
        "burdening {} with {}: {} users{servers} for {} s, seed {}{part}",
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

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Usage(words) => Failure::Usage(words),
        RunError::Fault(words) => Failure::Fault(words),
    }
}

/// Keeps the record, shows it, and says by the exit code what it is worth.
fn finish(output: &LoadOutput, record: &LoadRecord) -> Result<ExitCode, Failure> {
    let unwritable = |path: &Path, error| Failure::Usage(format!("cannot write {}: {error}", path.display()));
    if let Some(path) = &output.record {
        record.write(path).map_err(|error| unwritable(path, error))?;
    }
    say(reports::load::to_terminal(record, Style::of_stdout()).trim_end());
    for (path, rendering) in &output.report {
        let text = rendering.draw_load(record, Style::plain());
        text.and_then(|text| std::fs::write(path, text)).map_err(|error| unwritable(path, error))?;
    }
    if output.json {
        say(json!({
            "target": record.target, "seed": record.seed, "plan": record.plan, "series": record.series,
            "counts": record.counts, "capacity": record.capacity, "objectives": record.objectives,
            "generator": record.generator, "notices": record.notices, "void": record.void, "fault": record.fault,
            "interrupted": record.interrupted, "duration_ms": record.duration_ms,
            "exit_code": record.outcome().exit_code(),
        }));
    }
    Ok(ExitCode::from(record.outcome().exit_code()))
}
