//! `determinant catalogue`: the facts of the specification, made and compared.

use std::process::ExitCode;

use fixtures::catalogue::import;

use crate::{Failure, arguments, say};

pub(crate) fn catalogue(verb: &arguments::Catalogue) -> Result<ExitCode, Failure> {
    let wrong = |error: fixtures::catalogue::ImportError| Failure::Usage(error.to_string());
    match verb {
        arguments::Catalogue::Import { specification, out } => {
            let summary = import(specification, out).map_err(wrong)?;
            say(format!("{summary:?}"));
            Ok(ExitCode::SUCCESS)
        }
        arguments::Catalogue::Check { .. } => Err(Failure::Fault("not yet".to_owned())),
    }
}
