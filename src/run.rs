//! `determinant run`: judges a server and shows what came of it.

mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
};

use reference_server::misbehave::Fault;
use reports::{Record, RecordWriter, Reporter, Style, Terminal};
use serde_json::json;
use suite::{
    Options, RunError, RunSettings,
    plan::Selection,
    registry::{Phase, TESTS},
    target::Source,
};

use crate::{Failure, arguments, harness, say};

pub(crate) fn run(arguments: arguments::Run) -> Result<ExitCode, Failure> {
    if arguments.watch {
        return watch::watch(&arguments);
    }
    let path = match &arguments.record {
        Some(path) => path.clone(),
        None => last_record()?,
    };
    let options = options(&arguments)?;
    let mut writer = RecordWriter::create(&path)
        .map_err(|error| Failure::Usage(format!("cannot write the record {}: {error}", path.display())))?;
    let mut progress = Terminal::stderr();
    let unwritten = |error: RunError| match error {
        RunError::Report(error) => RunError::Fault(format!("cannot write {}: {error}", path.display())),
        error => error,
    };
    harness::wait_for(async {
        let cancelled = harness::interrupted()?;
        let reporters: &mut [&mut dyn Reporter] = &mut [&mut writer, &mut progress];
        suite::conduct(TESTS, &options, reporters, cancelled).await.map_err(unwritten)
    })?;
    drop(progress);
    let record = writer.into_record().ok_or_else(|| Failure::Fault("the run left no record".to_owned()))?;
    show(&arguments, &record)?;
    Ok(ExitCode::from(record.outcome().exit_code()))
}

/// Where the record of the last run is kept, for `determinant coverage`.
pub(crate) fn last_record() -> Result<PathBuf, Failure> {
    Ok(cache()?.join("last-run.json"))
}

/// The folder in the user's cache for what nobody asked to keep elsewhere.
pub(crate) fn cache() -> Result<PathBuf, Failure> {
    let from_environment =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = from_environment("XDG_CACHE_HOME")
        .or_else(|| Some(from_environment("HOME")?.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("determinant");
    std::fs::create_dir_all(&cache).map_err(|error| {
        Failure::Fault(format!(
            "cannot make {}: {error}; set XDG_CACHE_HOME to another folder",
            cache.display()
        ))
    })?;
    Ok(cache)
}

fn options(arguments: &arguments::Run) -> Result<Options, Failure> {
    let arguments::Run { url, target, image, misbehave, .. } = arguments;
    let source = harness::source(url.as_ref(), target.as_ref(), image.as_deref(), misbehave);
    let words = [
        url.as_ref().map(ToString::to_string),
        target.as_ref().map(|path| format!("--target {}", path.display())),
        image.as_ref().map(|image| format!("--image {image}")),
    ];
    let faults = misbehave.iter().map(|fault| format!("--misbehave {}", fault.name()));
    let target_words = words.into_iter().flatten().chain(faults).collect::<Vec<_>>().join(" ");
    Ok(Options {
        source,
        instances: arguments.instances,
        owned: arguments.i_own_this_server,
        selection: Selection {
            only: arguments.only.clone(),
            ids: if arguments.failed_last { Some(failed_last()?) } else { None },
            shard: arguments.shard,
        },
        settings: RunSettings {
            jobs: arguments.jobs as usize,
            repeat: arguments.repeat as usize,
            fail_fast: arguments.fail_fast,
            time_scale: arguments.time_scale,
            seed: arguments.seed.unwrap_or_else(suite::seed),
            target_words,
        },
        release: arguments.spec,
        expectations: arguments.expectations.clone(),
        command: std::env::args()
            .skip(1)
            .fold("determinant".to_owned(), |line, word| format!("{line} {word}")),
    })
}

/// The checks that came out unexpectedly in the last run. Those that judge the exchanges of a whole run are not among them:
/// alone, they have nothing to judge.
fn failed_last() -> Result<BTreeSet<String>, Failure> {
    let path = last_record()?;
    let record = Record::read(&path).map_err(|error| Failure::Usage(format!("no last run: {error}")))?;
    let passive: BTreeSet<String> = suite::plan::checks(TESTS)
        .into_iter()
        .filter(|planned| planned.test.phase == Phase::Last)
        .map(|planned| planned.id)
        .collect();
    let unexpected = record.checks.iter().filter(|check| check.is_unexpected());
    let ids: BTreeSet<String> =
        unexpected.map(|check| check.id.clone()).filter(|id| !passive.contains(id)).collect();
    if ids.is_empty() {
        return Err(Failure::Usage(
            "no check that can be put alone came out unexpectedly in the last run".to_owned(),
        ));
    }
    Ok(ids)
}

/// An image that is kept for Complement, without a target file of its own.
pub(crate) fn image(name: &str) -> Source {
    Source::Embedded {
        called: name.to_owned(),
        text: include_str!("../fixtures/targets/complement/target.toml"),
        files: &[(
            "application-service.yaml.in",
            include_str!("../fixtures/targets/complement/application-service.yaml.in"),
        )],
        variables: BTreeMap::from([("image".to_owned(), name.to_owned())]),
    }
}

/// The built-in server: this program again, as another process, reached only by its sockets. It may be told to commit faults, and to
/// keep what it has on disk instead of in memory, so that it survives a restart.
pub(crate) fn reference_server(misbehave: &[Fault], is_kept: bool) -> Source {
    let names: Vec<String> = misbehave.iter().map(|fault| fault.name()).collect();
    let misbehave = (!names.is_empty()).then(|| format!("misbehave = {names:?}\n"));
    let data = is_kept.then(|| "data = \"data\"\n".to_owned());
    Source::Embedded {
        called: "the built-in server".to_owned(),
        text: include_str!("../fixtures/targets/reference-server/target.toml"),
        files: &[
            // What is told to this one comes before what every such server is told.
            (
                "serve.toml.in",
                concat!(
                    "{particulars}\n",
                    include_str!("../fixtures/targets/reference-server/serve.toml.in")
                ),
            ),
            (
                "application-service.yaml.in",
                include_str!("../fixtures/targets/reference-server/application-service.yaml.in"),
            ),
            (
                "application-service-without-url.yaml.in",
                include_str!("../fixtures/targets/reference-server/application-service-without-url.yaml.in"),
            ),
            ("expectations.toml", include_str!("../fixtures/targets/reference-server/expectations.toml")),
        ],
        variables: BTreeMap::from([(
            "particulars".to_owned(),
            misbehave.into_iter().chain(data).collect::<String>(),
        )]),
    }
}

fn show(arguments: &arguments::Run, record: &Record) -> Result<(), Failure> {
    say(reports::terminal::render(record, Style::of_stdout()));
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        say(reports::github::render(record));
    }
    for (path, rendering) in &arguments.report {
        let text = rendering.draw(record, Style::plain());
        text.and_then(|text| std::fs::write(path, text))
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
    }
    if arguments.json {
        say(json!({
            "target": record.target, "seed": record.seed, "summary": record.summary, "interrupted": record.interrupted,
            "duration_ms": record.duration_ms, "exchanges": record.exchanges, "harness_cpu_ms": record.harness_cpu_ms,
            "exit_code": record.outcome().exit_code(),
        }));
    }
    Ok(())
}
