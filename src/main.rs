//! The verbs of the command line; each hands over to one crate.

mod arguments;
mod catalogue;
mod compare;
mod coverage;
mod doctor;
mod expect;
mod explain;
mod harness;
mod histories;
mod hostile;
mod load;
mod manual;
mod record;
mod run;
mod selftest;
mod serve;
mod sessions;
mod stand_in;
mod together;
mod vectors;

use std::{fmt, process::ExitCode};

use clap::Parser;
use suite::RunError;

use arguments::{Arguments, Verb};

/// Why a verb ended early, and the exit code that says so.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller's input is wrong.
    Usage(String),
    /// The target or the harness failed.
    Fault(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Usage(words) | Failure::Fault(words)) = self;
        formatter.write_str(words)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Usage(words) => Failure::Usage(words),
            error => Failure::Fault(error.to_string()),
        }
    }
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Fault(_) => ExitCode::from(3),
        }
    }
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().verb {
        Verb::Run(arguments) => run::run(arguments),
        Verb::Serve(arguments) => serve::serve(&arguments),
        Verb::List(arguments) => explain::list(&arguments),
        Verb::Explain(arguments) => explain::explain(&arguments),
        Verb::Coverage(arguments) => coverage::coverage(&arguments),
        Verb::Compare(arguments) => compare::compare(&arguments),
        Verb::Doctor(arguments) => doctor::doctor(&arguments),
        Verb::Expect { verb } => expect::expect(&verb),
        Verb::Record { verb } => record::record(&verb),
        Verb::Selftest(arguments) => selftest::selftest(&arguments),
        Verb::Load { verb } => load::load(verb),
        Verb::Sessions(arguments) => sessions::sessions(&arguments),
        Verb::Histories(arguments) => histories::histories(&arguments),
        Verb::Hostile(arguments) => hostile::hostile(&arguments),
        Verb::Together(arguments) => together::together(&arguments),
        Verb::StandIn(arguments) => stand_in::stand_in(&arguments),
        Verb::Vectors { verb } => vectors::vectors(&verb),
        Verb::Catalogue { verb } => catalogue::catalogue(&verb),
        Verb::Completions(arguments) => Ok(manual::completions(&arguments)),
        Verb::Manual(arguments) => manual::manual(&arguments),
    };
    ended.unwrap_or_else(|failure| {
        say_error(&failure);
        failure.exit_code()
    })
}

/// The one place that writes to standard output.
#[allow(clippy::print_stdout)]
pub(crate) fn say(text: impl fmt::Display) {
    use std::io::Write;
    // A reader that has gone away, such as `head`, is no error of ours.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn say_error(failure: &Failure) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "determinant: {failure}");
}
