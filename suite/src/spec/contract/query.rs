//! What becomes of query parameters that are missing or not what the operation takes: the meanings of `M_MISSING_PARAM`
//! and `M_INVALID_PARAM` in `client-server-api/#other-error-codes`.
//!
//! As with bodies, the text leaves the choice of the code to the server: a refusal must be a standard one.

use fixtures::catalogue::{Location, Operation, Parameter};
use serde_json::Value;
use suite_attribute::conformance;

use super::{approach, may_be_taken, must_be_refused_where_listed, operations, specimen::Specimen};
use crate::{
    cast::Homeserver,
    registry::Case,
    verdict::{Stop, Verdict},
};

/// The server answers a request that lacks a required query parameter with a standard error, if it does not take it; it
/// does not where the operation lists `M_MISSING_PARAM` or `M_INVALID_PARAM`.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = required_parameters
)]
async fn missing_parameter(hs: &Homeserver, case: Aspect) -> Verdict {
    let mut specimen = case.specimen(hs).await?;
    specimen.query.retain(|(name, _)| *name != case.parameter.name);
    let answer = specimen.call().answer().await?;
    must_be_refused_where_listed(
        case.operation,
        answer,
        "its absence",
        &["M_MISSING_PARAM", "M_INVALID_PARAM"],
    )
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
    case.set(&mut specimen, "determinant-out-of-range");
    let answer = specimen.call().answer().await?;
    may_be_taken(answer, "the wrong value", &["M_INVALID_PARAM"])
}

/// The server answers a pagination token that it never gave with a standard error, if it does not take it; it does not
/// where the operation lists `M_INVALID_PARAM`.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = pagination_tokens
)]
async fn unknown_pagination_token(hs: &Homeserver, case: Aspect) -> Verdict {
    let mut specimen = case.specimen(hs).await?;
    case.set(&mut specimen, "determinant-never-given");
    let answer = specimen.call().answer().await?;
    must_be_refused_where_listed(case.operation, answer, "it", &["M_INVALID_PARAM"])
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

    fn set(&self, specimen: &mut Specimen, value: &str) {
        specimen.query.retain(|(name, _)| *name != self.parameter.name);
        specimen.query.push((self.parameter.name.clone(), value.to_owned()));
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

/// `appendices/#pagination`, and the tokens of `/sync`.
fn pagination_tokens() -> impl Iterator<Item = Aspect> {
    const TOKENS: [&str; 5] = ["at", "from", "next_batch", "since", "to"];
    parameters().filter(|aspect| TOKENS.contains(&aspect.parameter.name.as_str()))
}
