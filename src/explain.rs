//! `determinant list` and `determinant explain`: what the suite holds.

use std::process::ExitCode;

use fixtures::ledger::{Class, Ledger, Row};
use serde_json::json;
use suite::{
    plan::{self, Planned},
    registry,
    requirements::{UNTESTED, reasons},
};

use crate::{Failure, arguments, say};

pub(crate) fn list(arguments: &arguments::List) -> Result<ExitCode, Failure> {
    let prefix = arguments.only.as_deref().unwrap_or_default();
    let checks = plan::checks(registry::TESTS);
    let proves = |check: &Planned| match &arguments.proves {
        Some(prefix) => check.test.proves.iter().any(|row| row.starts_with(prefix.as_str())),
        None => true,
    };
    let checks: Vec<_> =
        checks.into_iter().filter(|check| check.id.starts_with(prefix) && proves(check)).collect();
    if checks.is_empty() {
        let proves = arguments.proves.iter().map(|row| format!(" and proves {row:?}")).collect::<String>();
        return Err(Failure::Usage(format!(
            "no check begins with {prefix:?}{proves}; `determinant list` prints them all"
        )));
    }
    if arguments.json {
        let described = checks.iter().map(|check| {
            let test = check.test;
            json!({
                "id": check.id, "level": test.level, "severity": test.severity, "spec": test.spec,
                "requirement": test.requirement(), "since": test.since, "until": test.until, "needs": test.needs,
                "proves": test.proves,
            })
        });
        say(json!({"checks": described.collect::<Vec<_>>()}));
        return Ok(ExitCode::SUCCESS);
    }
    for check in checks {
        match arguments.long {
            true => say(format!(
                "{:6} {:9} {}  {}",
                check.test.level, check.test.severity, check.id, check.test.spec
            )),
            false => say(check.id),
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn explain(arguments: &arguments::Explain) -> Result<ExitCode, Failure> {
    if let Some(row) = Ledger::v1_19().row(&arguments.id) {
        requirement(row);
        return Ok(ExitCode::SUCCESS);
    }
    let test = registry::find(registry::TESTS, &arguments.id).ok_or_else(|| {
        Failure::Usage(format!(
            "no check and no requirement is called {:?}; `determinant list` prints the checks",
            arguments.id
        ))
    })?;
    let release = fixtures::catalogue::Catalogue::v1_19().release;
    say(test.id());
    say("");
    say(test.documentation);
    say("");
    say(format!("level     {}", test.level));
    say(format!("severity  {}", test.severity));
    say(format!("text      https://spec.matrix.org/{release}/{}", test.spec));
    for (name, value) in [("since", test.since), ("until", test.until), ("needs", test.needs)] {
        if let Some(value) = value {
            say(format!("{name:9} {value}"));
        }
    }
    for (at, id) in test.proves.iter().enumerate() {
        let entry = Ledger::v1_19().row(id).map_or("", |row| row.entry.as_str());
        say(format!("{:9} {id}\n          {entry}", if at == 0 { "proves" } else { "" }));
    }
    say(format!("written   {}:{}", test.file, test.line));
    let cases: Vec<String> = (test.instances)().into_iter().filter_map(|instance| instance.case).collect();
    if !cases.is_empty() {
        say(format!("cases     {}: {}", cases.len(), cases.join(", ")));
    }
    say(format!("repeat    determinant run --only '{}'", arguments.id));
    Ok(ExitCode::SUCCESS)
}

/// What the ledger says of a sentence, and which checks prove it.
fn requirement(row: &Row) {
    let release = fixtures::catalogue::Catalogue::v1_19().release;
    say(row.id());
    say("");
    say(match row.class {
        Class::Server => row.entry.clone(),
        class => format!("This asks nothing of a homeserver: its class is {class}."),
    });
    say("");
    say(format!("level     {}", row.level));
    say(format!("text      https://spec.matrix.org/{release}/{}", row.citation()));
    if let Some(since) = row.since {
        say(format!("since     {since}"));
    }
    let id = row.id();
    let tests = registry::TESTS.iter().filter(|test| test.proves.contains(&id.as_str()));
    let proofs: Vec<String> = tests.map(|test| test.id()).collect();
    if proofs.is_empty()
        && let Some(reason) = reasons(UNTESTED).ok().and_then(|reasons| reasons.get(id.as_str()).copied())
    {
        say(format!("unproved  {reason}"));
    }
    for (at, proof) in proofs.iter().enumerate() {
        say(format!("{:9} {proof}", if at == 0 { "proved by" } else { "" }));
    }
}
