//! `determinant catalogue`: the facts of the specification, made and compared.

use std::process::ExitCode;

use fixtures::{
    catalogue::{CheckOutcome, ImportError, check, import},
    ledger::{self, LedgerError, Reading},
};

use crate::{Failure, arguments, say};

pub(crate) fn catalogue(verb: &arguments::Catalogue) -> Result<ExitCode, Failure> {
    let wrong = |error: ImportError| Failure::Usage(error.to_string());
    match verb {
        arguments::Catalogue::Import { specification, out } => {
            say(import(specification, out).map_err(wrong)?);
            Ok(ExitCode::SUCCESS)
        }
        arguments::Catalogue::Check { specification } => {
            let outcome = check(specification).map_err(wrong)?;
            say(&outcome);
            let differs =
                matches!(&outcome, CheckOutcome::Compared { differences, .. } if !differences.is_empty());
            Ok(ExitCode::from(u8::from(differs)))
        }
        arguments::Catalogue::Ledger { verb } => ledger(verb),
    }
}

fn ledger(verb: &arguments::Ledger) -> Result<ExitCode, Failure> {
    let wrong = |error: LedgerError| Failure::Usage(error.to_string());
    match verb {
        arguments::Ledger::Import { specification, out } => {
            say(ledger::import(specification, out).map_err(wrong)?);
            Ok(ExitCode::SUCCESS)
        }
        arguments::Ledger::Check { specification } => {
            let report = ledger::check(specification).map_err(wrong)?;
            say(&report);
            Ok(ExitCode::from(u8::from(!report.is_same())))
        }
        arguments::Ledger::Read { specification, only } => {
            let readings = ledger::read(specification).map_err(wrong)?;
            for Reading { row, sentence } in readings {
                if row.id().starts_with(only.as_str()) {
                    let since = row.since.map_or(String::new(), |since| format!(" since {since}"));
                    say(format!("{}  {} {}{since}\n    {sentence}", row.id(), row.class, row.level));
                    if !row.entry.is_empty() {
                        say(format!("  = {}", row.entry));
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
