//! `determinant catalogue`: the facts of the specification, made and compared.

use std::process::ExitCode;

use fixtures::catalogue::{CheckOutcome, ImportError, check, import};

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
    }
}
