//! `determinant expect`: keeps expectations files true.

use std::{fs, io::ErrorKind, path::Path, process::ExitCode};

use reports::Record;
use suite::{
    expectations::{
        Change, ChangeKind, UNEXPLAINED,
        complement::{self, Results},
        update,
    },
    plan,
    registry::TESTS,
};

use crate::{Failure, arguments, arguments::Expect, run, say};

pub(crate) fn expect(verb: &Expect) -> Result<ExitCode, Failure> {
    match verb {
        Expect::Update(arguments) => update_file(arguments),
        Expect::Import(arguments) => import(arguments),
    }
}

fn update_file(arguments: &arguments::ExpectUpdate) -> Result<ExitCode, Failure> {
    let path = &arguments.file;
    let name = path.display().to_string();
    let text = text_of(path)?;
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

fn import(arguments: &arguments::ExpectImport) -> Result<ExitCode, Failure> {
    let (path, from) = (&arguments.file, arguments.results.display());
    let results = fs::read_to_string(&arguments.results)
        .map_err(|error| Failure::Usage(format!("cannot read {from}: {error}")))?;
    let results = Results::read(&results).map_err(|why| Failure::Usage(format!("{from}: {why}")))?;
    let import = complement::import(&text_of(path)?, &path.display().to_string(), &results);
    let import = import.map_err(Failure::Usage)?;
    for (id, tests) in &import.added {
        say(format!("added    {id}: failed as {}", tests.join(" and ")));
    }
    for id in &import.kept {
        say(format!("kept     {id}: the file speaks of it already"));
    }
    for (test, why) in &import.unmapped {
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        say(format!("no check {test}{why}"));
    }
    let (failed, unmapped) = (results.failed.len(), import.unmapped.len());
    say(format!(
        "{failed} of {} tests failed; {unmapped} of them have no check that puts the same",
        results.total
    ));
    if !import.added.is_empty() {
        replace(path, &import.text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of an expectations file; empty where there is none yet.
fn text_of(path: &Path) -> Result<String, Failure> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display()))),
    }
}

/// A file that cannot be written whole stays as it was.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
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
