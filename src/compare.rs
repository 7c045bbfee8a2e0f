//! `determinant compare`: records side by side.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use reports::{Kind, ReadError, Record, Style, comparison, load, load::LoadRecord, matrix};

use crate::{
    Failure,
    arguments::{self, ComparisonForm, FailOn},
    say,
};

pub(crate) fn compare(arguments: &arguments::Compare) -> Result<ExitCode, Failure> {
    let records = read(arguments, |path| Record::read(path))?;
    if records.iter().all(|record| record.kind == Kind::Load) {
        return compare_load(arguments);
    }
    if records.iter().any(|record| record.kind == Kind::Load) {
        return Err(Failure::Usage(
            "records of load and of conformance cannot be compared with each other".to_owned(),
        ));
    }
    let comparison = reports::compare(&records);
    say(match arguments.form {
        ComparisonForm::Terminal => comparison.to_terminal(Style::of_stdout()),
        ComparisonForm::Markdown => comparison.to_markdown(),
    });
    if let Some(path) = &arguments.html {
        write(path, &comparison::to_html(&records))?;
    }
    if let Some(path) = &arguments.svg {
        write(path, &matrix::render(&records))?;
    }
    let regressed = is_demanded(arguments) && comparison.regressions().next().is_some();
    if regressed {
        say(comparison::tell_regressions(&records, Style::of_stdout()));
    }
    Ok(ExitCode::from(u8::from(regressed)))
}

fn compare_load(arguments: &arguments::Compare) -> Result<ExitCode, Failure> {
    if arguments.svg.is_some() {
        return Err(Failure::Usage("--svg draws records of conformance; choose --html for load".to_owned()));
    }
    let records = read(arguments, |path| LoadRecord::read(path))?;
    let comparison = load::compare(&records);
    say(match arguments.form {
        ComparisonForm::Terminal => comparison.to_terminal(Style::of_stdout()),
        ComparisonForm::Markdown => comparison.to_markdown(),
    });
    if let Some(path) = &arguments.html {
        write(path, &load::compare_to_html(&records))?;
    }
    let regressed = is_demanded(arguments) && comparison.regressions().next().is_some();
    Ok(ExitCode::from(u8::from(regressed)))
}

fn read<R>(
    arguments: &arguments::Compare,
    read: impl Fn(&Path) -> Result<R, ReadError>,
) -> Result<Vec<R>, Failure> {
    arguments
        .records
        .iter()
        .map(|path| read(path).map_err(|error| Failure::Usage(error.to_string())))
        .collect()
}

fn is_demanded(arguments: &arguments::Compare) -> bool {
    arguments.fail_on == Some(FailOn::Regression)
}

fn write(path: &Path, picture: &str) -> Result<(), Failure> {
    fs::write(path, picture)
        .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))
}
