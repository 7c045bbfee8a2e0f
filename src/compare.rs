//! `determinant compare`: records side by side.

use std::process::ExitCode;

use reports::{Record, Style};

use crate::{
    Failure,
    arguments::{self, ComparisonForm, FailOn},
    say,
};

pub(crate) fn compare(arguments: &arguments::Compare) -> Result<ExitCode, Failure> {
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
