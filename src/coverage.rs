//! `determinant coverage`: what a run really exercised of the specification.

use std::process::ExitCode;

use reports::{Coverage, Record, Share};
use serde_json::json;

use crate::{Failure, arguments, run, say};

pub(crate) fn coverage(arguments: &arguments::Coverage) -> Result<ExitCode, Failure> {
    let path = match &arguments.record {
        Some(path) => path.clone(),
        None => run::last_record()?,
    };
    let record = Record::read(&path).map_err(|error| Failure::Usage(error.to_string()))?;
    let coverage = record.coverage.ok_or_else(|| {
        Failure::Usage(format!("{} holds no coverage: the run did not come to its end", path.display()))
    })?;
    if arguments.json {
        say(json!(coverage));
        return Ok(ExitCode::SUCCESS);
    }
    for row in rows(&coverage) {
        say(row);
    }
    if arguments.missing {
        for (name, missing) in missing(&coverage) {
            say(format!("\nnot asserted, {name}:"));
            for what in missing {
                say(format!("  {what}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures as a table for people.
fn rows(coverage: &Coverage) -> Vec<String> {
    let operations = &coverage.operations;
    let inbound = Share {
        total: operations.server_server.total,
        asserted: operations.server_server.asserted_inbound,
        touched: operations.server_server.touched_inbound,
        missing: Vec::new(),
    };
    let shares = [
        ("client-server operations", &operations.client_server),
        ("server-server operations, inbound", &inbound),
        ("application-service operations", &operations.application_service),
        ("identity operations", &operations.identity),
        ("push-gateway operations", &operations.push_gateway),
        ("documented responses", &coverage.responses),
        ("error codes", &coverage.error_codes),
    ];
    let mut rows = vec![format!("{:36} {:>8} {:>8} {:>8}", "", "asserted", "touched", "total")];
    rows.extend(shares.iter().map(|(name, share)| {
        format!("{name:36} {:>8} {:>8} {:>8}", share.asserted, share.touched, share.total)
    }));
    let requirements = &coverage.requirements;
    rows.push(format!("{:36} {:>8} {:>8} {:>8}", "requirements proved", requirements.proved, "", requirements.total));
    rows
}

fn missing(coverage: &Coverage) -> [(&'static str, &Vec<String>); 3] {
    [
        ("client-server operations", &coverage.operations.client_server.missing),
        ("documented responses", &coverage.responses.missing),
        ("error codes", &coverage.error_codes.missing),
    ]
}
