//! `determinant coverage`: what a run really exercised of the specification.

use std::process::ExitCode;

use reports::{Record, Style};
use serde_json::json;

use crate::{Failure, arguments, run, say};

pub(crate) fn coverage(arguments: &arguments::Coverage) -> Result<ExitCode, Failure> {
    let path = match &arguments.record {
        Some(path) => path.clone(),
        None => run::last_record()?,
    };
    let record = Record::read(&path).map_err(|error| Failure::Usage(error.to_string()))?;
    let coverage = record.coverage.ok_or_else(|| {
        Failure::Usage(format!("{} holds no coverage: the run did not come to its end", path.display()))
    })?;
    if arguments.json {
        say(json!(coverage));
    } else {
        say(coverage.to_terminal(Style::of_stdout(), arguments.missing).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
