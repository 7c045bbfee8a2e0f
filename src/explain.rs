//! `determinant list` and `determinant explain`: what the suite holds.

use std::process::ExitCode;

use serde_json::json;
use suite::{plan, registry};

use crate::{Failure, arguments, say};

pub(crate) fn list(arguments: &arguments::List) -> Result<ExitCode, Failure> {
    let prefix = arguments.only.as_deref().unwrap_or_default();
    let checks = plan::checks(registry::TESTS);
    let checks: Vec<_> = checks.into_iter().filter(|check| check.id.starts_with(prefix)).collect();
    if checks.is_empty() {
        return Err(Failure::Usage(format!(
            "no check begins with {prefix:?}; `determinant list` prints them all"
        )));
    }
    if arguments.json {
        let described = checks.iter().map(|check| {
            let test = check.test;
            json!({
                "id": check.id, "level": test.level, "severity": test.severity, "spec": test.spec,
                "requirement": test.requirement(), "since": test.since, "until": test.until, "needs": test.needs,
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
    let test = registry::find(registry::TESTS, &arguments.id).ok_or_else(|| {
        Failure::Usage(format!("no check is called {:?}; `determinant list` prints them", arguments.id))
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
    say(format!("written   {}:{}", test.file, test.line));
    let cases: Vec<String> = (test.instances)().into_iter().filter_map(|instance| instance.case).collect();
    if !cases.is_empty() {
        say(format!("cases     {}: {}", cases.len(), cases.join(", ")));
    }
    say(format!("repeat    determinant run --only '{}'", arguments.id));
    Ok(ExitCode::SUCCESS)
}
