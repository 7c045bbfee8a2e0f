//! `determinant together`: real servers with each other.

use std::process::ExitCode;

use serde_json::json;
use suite::{target::Source, together::Played, verdict::Stop};

use crate::{Failure, arguments::Together, harness, run, say};

pub(crate) fn together(arguments: &Together) -> Result<ExitCode, Failure> {
    let files = arguments.targets.iter().map(|file| harness::source(None, Some(file), None, &[]));
    let images = arguments.image.iter().map(|image| harness::source(None, None, Some(image), &[]));
    let mut sources: Vec<Source> = files.chain(images).collect();
    while sources.len() < 2 {
        // An image keeps its own company: what is no container has no name for it. The built-in server is restarted, so it keeps
        // what it has on disk.
        let other = match arguments.image.first() {
            Some(image) => harness::source(None, None, Some(image), &[]),
            None => run::reference_server(&[], true),
        };
        sources.insert(0, other);
    }
    let playing = suite::together::together(&sources, &arguments.only, |played| say(told(played)));
    let played = harness::wait_for(playing)?;
    let of =
        |wanted: fn(&Option<Stop>) -> bool| played.iter().filter(|played| wanted(&played.stopped)).count();
    let passed = of(Option::is_none);
    let not_applicable = of(|stopped| matches!(stopped, Some(Stop::NotApplicable(_))));
    let failed = played.len() - passed - not_applicable;
    say(format!(
        "{} scenes: {passed} passed, {failed} failed, {not_applicable} not applicable",
        played.len()
    ));
    if arguments.json {
        let scenes = played.iter().map(|played| {
            json!({
                "scene": played.scene, "host": played.host, "guest": played.guest, "spec": played.spec,
                "passed": played.stopped.is_none(), "why": played.stopped.as_ref().map(Stop::to_string),
                "ms": played.took.as_millis(),
            })
        });
        let scenes: Vec<_> = scenes.collect();
        say(json!({"passed": passed, "failed": failed, "not_applicable": not_applicable, "scenes": scenes}));
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn told(played: &Played) -> String {
    let verdict = match &played.stopped {
        None => "PASS",
        Some(Stop::NotApplicable(_)) => "N/A ",
        Some(Stop::Fault(_)) => "FAULT",
        Some(_) => "FAIL",
    };
    let Played { scene, host, guest, says, spec, took, .. } = played;
    let line = format!("{verdict:<5} {scene:<10} {host} ← {guest} ({} ms)", took.as_millis());
    match &played.stopped {
        None => line,
        Some(stop) => format!("{line}\n      {says} {spec}\n      {stop}"),
    }
}
