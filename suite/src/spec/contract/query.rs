//! What becomes of query parameters that are missing or not what the operation takes: the meanings of `M_MISSING_PARAM`
//! and `M_INVALID_PARAM` in `client-server-api/#other-error-codes`.
//!
//! As with bodies, the text leaves the choice of the code to the server: a refusal must be a standard one.

use fixtures::catalogue::{Location, Operation, Parameter};
use serde_json::Value;
use suite_attribute::conformance;

use super::{approach, must_be_a_standard_refusal, operations, specimen::Specimen};
use crate::{
    cast::{Answer, Homeserver},
    registry::Case,
    verdict::{Stop, Verdict},
};

/// The server answers a request that lacks a required query parameter with a standard error, if it does not take it.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = required_parameters
)]
async fn missing_parameter(hs: &Homeserver, case: Aspect) -> Verdict {
    let mut specimen = case.specimen(hs).await?;
    specimen.query.retain(|(name, _)| *name != case.parameter.name);
    judge(specimen.call().answer().await?, "its absence", &["M_MISSING_PARAM", "M_INVALID_PARAM"])
}

/// The server answers a query parameter of the wrong type, or outside its enumeration, with a standard error, if it does
/// not take it.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = typed_parameters
)]
async fn wrong_value(hs: &Homeserver, case: Aspect) -> Verdict {
    let mut specimen = case.specimen(hs).await?;
    specimen.query.retain(|(name, _)| *name != case.parameter.name);
    specimen.query.push((case.parameter.name.clone(), "determinant-out-of-range".to_owned()));
    judge(specimen.call().answer().await?, "the wrong value", &["M_INVALID_PARAM"])
}

/// A success is observed; everything else must be a standard refusal, and a code whose definition does not fit is
/// observed.
fn judge(answer: Answer, what: &str, usual: &[&str]) -> Verdict {
    if answer.status().is_success() {
        return Err(Stop::Observed(format!("the server takes {what}")));
    }
    let answer = must_be_a_standard_refusal(answer)?;
    if answer.errcode().is_some_and(|code| usual.contains(&code)) {
        return Ok(());
    }
    Err(Stop::Observed(format!("refused with {}, not {}", answer.exchange().response.in_short(), usual.join(" or "))))
}

/// An operation and one of its query parameters.
#[derive(Clone, Debug)]
struct Aspect {
    operation: &'static Operation,
    parameter: &'static Parameter,
}

impl Case for Aspect {
    fn label(&self) -> String {
        format!("{}.{}", self.operation.id, self.parameter.name)
    }
}

impl Aspect {
    async fn specimen(&self, hs: &Homeserver) -> Result<Specimen, Stop> {
        let set = approach(hs, self.operation).await?;
        Specimen::effective(hs, &set, self.operation).await
    }
}

fn parameters() -> impl Iterator<Item = Aspect> {
    operations().flat_map(|operation| {
        operation.parameters_in(Location::Query).map(move |parameter| Aspect { operation, parameter })
    })
}

fn required_parameters() -> impl Iterator<Item = Aspect> {
    parameters().filter(|aspect| aspect.parameter.required)
}

fn typed_parameters() -> impl Iterator<Item = Aspect> {
    parameters().filter(|aspect| {
        let schema = aspect.parameter.schema.to_value();
        let typed = ["integer", "number", "boolean"].map(Value::from).contains(&schema["type"]);
        typed || schema["enum"].is_array()
    })
}
