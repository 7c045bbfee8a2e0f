//! `determinant compare`: records side by side.

use std::process::ExitCode;

use reports::{Kind, Record, Style, load, load::LoadRecord};

use crate::{
    Failure,
    arguments::{self, ComparisonForm, FailOn},
    say,
};

pub(crate) fn compare(arguments: &arguments::Compare) -> Result<ExitCode, Failure> {
    let kinds: Vec<Kind> = arguments
        .records
        .iter()
        .map(|path| {
            Record::read(path).map(|record| record.kind).map_err(|error| Failure::Usage(error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    if kinds.iter().all(|kind| *kind == Kind::Load) {
        return compare_load(arguments);
    }
    if kinds.contains(&Kind::Load) {
        return Err(Failure::Usage(
            "records of load and of conformance cannot be compared with each other".to_owned(),
        ));
    }
    let records: Vec<Record> = arguments
        .records
        .iter()
        .map(|path| Record::read(path).map_err(|error| Failure::Usage(error.to_string())))
        .collect::<Result<_, _>>()?;
    let comparison = reports::compare(&records);
    say(match arguments.form {
        ComparisonForm::Terminal => comparison.to_terminal(Style::of_stdout()),
        ComparisonForm::Markdown => comparison.to_markdown(),
    });
    let regressed =
        arguments.fail_on == Some(FailOn::Regression) && comparison.regressions().next().is_some();
    Ok(ExitCode::from(u8::from(regressed)))
}

fn compare_load(arguments: &arguments::Compare) -> Result<ExitCode, Failure> {
    let records: Vec<LoadRecord> = arguments
        .records
        .iter()
        .map(|path| LoadRecord::read(path).map_err(|error| Failure::Usage(error.to_string())))
        .collect::<Result<_, _>>()?;
    let comparison = load::compare(&records);
    say(match arguments.form {
        ComparisonForm::Terminal => comparison.to_terminal(Style::of_stdout()),
        ComparisonForm::Markdown => comparison.to_markdown(),
    });
    let regressed =
        arguments.fail_on == Some(FailOn::Regression) && comparison.regressions().next().is_some();
    Ok(ExitCode::from(u8::from(regressed)))
}
