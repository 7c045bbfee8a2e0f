//! `determinant coverage`: what runs really exercised of the specification.

use std::{path::Path, process::ExitCode};

use reports::{Coverage, Record, Style};
use serde_json::json;
use suite::requirements;

use crate::{Failure, arguments, run, say};

pub(crate) fn coverage(arguments: &arguments::Coverage) -> Result<ExitCode, Failure> {
    let coverage = match arguments.records.as_slice() {
        [] => of_record(&run::last_record()?)?,
        [first, others @ ..] => {
            let mut coverage = of_record(first)?;
            for other in others {
                coverage.add(&of_record(other)?);
                coverage.requirements = requirements::without(&coverage.requirements.missing);
            }
            coverage
        }
    };
    if arguments.json {
        say(json!(coverage));
    } else {
        say(coverage.to_terminal(Style::of_stdout(), arguments.missing).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn of_record(path: &Path) -> Result<Coverage, Failure> {
    let record = Record::read(path).map_err(|error| Failure::Usage(error.to_string()))?;
    record.coverage.ok_or_else(|| {
        Failure::Usage(format!("{} holds no coverage: the run did not come to its end", path.display()))
    })
}
