//! `determinant manual` and `determinant completions`: what else the definition of the command line yields.

use std::{fs, process::ExitCode};

use clap::CommandFactory;

use crate::{
    Failure,
    arguments::{self, Arguments},
    say,
};

pub(crate) fn manual(arguments: &arguments::Manual) -> Result<ExitCode, Failure> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
        .map_err(|error| Failure::Usage(format!("cannot write to {}: {error}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completions(arguments: &arguments::Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "determinant", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}
