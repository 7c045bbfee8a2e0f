//! `determinant record`: looks after a folder of recorded results.

use std::{path::Path, process::ExitCode};

use reports::{
    recorded::{self, Recorded},
    timeline,
};

use crate::{Failure, arguments::Record, say};

pub(crate) fn record(verb: &Record) -> Result<ExitCode, Failure> {
    match verb {
        Record::Check(arguments) => check(&arguments.folder),
        Record::Table(arguments) => {
            say(recorded::table(&read(&arguments.folder)?).trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Record::Timeline(arguments) => draw(&arguments.folder, &arguments.server),
    }
}

fn check(folder: &Path) -> Result<ExitCode, Failure> {
    let recorded = read(folder)?;
    let complaints: Vec<String> = recorded.iter().flat_map(Recorded::complaints).collect();
    complaints.iter().for_each(say);
    if complaints.is_empty() {
        say(format!("{} recorded results, nothing missing", recorded.len()));
    }
    Ok(ExitCode::from(u8::from(!complaints.is_empty())))
}

fn draw(folder: &Path, server: &str) -> Result<ExitCode, Failure> {
    let mut recorded = read(folder)?;
    recorded.retain(|one| one.server == server);
    if recorded.is_empty() {
        return Err(Failure::Usage(format!("{} has no results of {server}", folder.display())));
    }
    say(timeline::render(server, &recorded));
    Ok(ExitCode::SUCCESS)
}

fn read(folder: &Path) -> Result<Vec<Recorded>, Failure> {
    let recorded = recorded::read(folder).map_err(|error| Failure::Usage(error.to_string()))?;
    if recorded.is_empty() {
        return Err(Failure::Usage(format!("{} has no folder SERVER/VERSION", folder.display())));
    }
    Ok(recorded)
}
