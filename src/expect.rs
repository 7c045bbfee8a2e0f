//! `determinant expect`: keeps expectations files true.

use std::{fs, io::ErrorKind, process::ExitCode};

use reports::Record;
use suite::{
    expectations::{Change, ChangeKind, UNEXPLAINED, update},
    plan,
    registry::TESTS,
};

use crate::{Failure, arguments, arguments::Expect, run, say};

pub(crate) fn expect(verb: &Expect) -> Result<ExitCode, Failure> {
    match verb {
        Expect::Update(arguments) => update_file(arguments),
    }
}

fn update_file(arguments: &arguments::ExpectUpdate) -> Result<ExitCode, Failure> {
    let path = &arguments.file;
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?,
    };
    let from = match &arguments.record {
        Some(path) => path.clone(),
        None => run::last_record()?,
    };
    let record = Record::read(&from).map_err(|error| Failure::Usage(error.to_string()))?;
    let ids: Vec<String> = plan::checks(TESTS).into_iter().map(|check| check.id).collect();
    let updated = update(&text, &name, &record.checks, &ids).map_err(Failure::Usage)?;
    for change in &updated.changes {
        say(told(change));
    }
    if updated.changes.is_empty() {
        say(format!("{name} is in line with {}", from.display()));
    } else if !arguments.check {
        replace(path, &updated.text)?;
    }
    Ok(ExitCode::from(u8::from(arguments.check && !updated.changes.is_empty())))
}

/// A file that cannot be written whole stays as it was.
fn replace(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension("toml.new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))
}

fn told(change: &Change) -> String {
    let about = &change.about;
    match change.kind {
        ChangeKind::Added(verdict) => {
            format!("added    {about}: {verdict}; write why instead of {UNEXPLAINED:?}")
        }
        ChangeKind::Altered(expected, verdict) => {
            format!("altered  {about}: {expected} became {verdict}; see whether its reason is still true")
        }
        ChangeKind::Passed => format!("removed  {about}: it passes"),
        ChangeKind::Idle => format!("removed  {about}: there is no such check"),
    }
}
