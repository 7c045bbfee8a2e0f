//! What becomes of a request body that is not what the operation takes: `client-server-api/#api-standards` and the
//! meanings of the codes in `client-server-api/#common-error-codes`.
//!
//! The text defines what `M_NOT_JSON`, `M_BAD_JSON`, `M_MISSING_PARAM` and `M_INVALID_PARAM` mean and leaves to the
//! server which of them it gives, and with which client error. Required here is that a refusal is one: a client error
//! with the standard error body, never a breakdown. A code whose definition does not fit is observed, and so is a server
//! that takes the body all the same.

use fixtures::catalogue::Operation;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::{
    approach, may_be_taken, must_be_a_standard_refusal, must_be_refused_where_listed, observe_code,
    operations,
    shape::{Place, Shape},
    specimen::Specimen,
};
use crate::{
    cast::{Answer, Homeserver},
    registry::Case,
    verdict::{Stop, Verdict},
};

/// The server refuses a body that is not JSON, where the operation requires a JSON object.
#[conformance(
    spec = "client-server-api/#api-standards",
    level = Must,
    severity = Interop,
    each = operations_with_object
)]
async fn malformed_json(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    must_be_json(hs, operation, br#"{"determinant": "#, &["M_NOT_JSON"]).await
}

/// The server refuses JSON that is not encoded as UTF-8.
#[conformance(
    spec = "client-server-api/#api-standards",
    level = Must,
    severity = Interop,
    each = operations_with_object
)]
async fn invalid_utf_8(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    must_be_json(hs, operation, b"{\"determinant\": \"\xff\xfe\"}", &["M_NOT_JSON", "M_BAD_JSON"]).await
}

/// The server answers JSON that is not an object with a standard error, if it does not take it; it does not where the
/// operation lists `M_BAD_JSON` or `M_NOT_JSON`.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = other_roots
)]
async fn not_an_object(hs: &Homeserver, case: OtherRoot) -> Verdict {
    let answer = put(hs, case.operation, case.body.as_bytes()).await?;
    must_be_refused_where_listed(case.operation, answer, "it", &["M_BAD_JSON", "M_NOT_JSON"])
}

/// The server answers a body that lacks a required field with a standard error, if it does not take it; it does not where
/// the operation lists `M_BAD_JSON` or `M_MISSING_PARAM`.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = required_fields
)]
async fn missing_field(hs: &Homeserver, case: Variation) -> Verdict {
    let answer = case.put(hs, None).await?;
    must_be_refused_where_listed(
        case.operation,
        answer,
        "a body without it",
        &["M_BAD_JSON", "M_MISSING_PARAM"],
    )
}

/// The server answers a body in which a field has the wrong type with a standard error, if it does not take it.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = typed_fields
)]
async fn wrong_type(hs: &Homeserver, case: WrongType) -> Verdict {
    let answer = case.variation.put(hs, Some(case.value)).await?;
    may_be_taken(answer, "the wrong type", &["M_BAD_JSON", "M_INVALID_PARAM"])
}

/// The server answers a body in which a field has a value outside its enumeration or pattern with a standard error, if
/// it does not take it.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = ranged_fields
)]
async fn out_of_range(hs: &Homeserver, case: Variation) -> Verdict {
    let answer = case.put(hs, case.place.value_out_of_range()).await?;
    may_be_taken(answer, "a value out of range", &["M_BAD_JSON", "M_INVALID_PARAM"])
}

/// The server takes a JSON body without a `Content-Type` as it takes one with it.
#[conformance(
    spec = "client-server-api/#api-standards",
    level = Must,
    severity = Interop,
    each = operations_with_object
)]
async fn content_type_is_optional(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let declared = Specimen::effective(hs, &set, operation).await?.call().answer().await?;
    let undeclared = Specimen::effective(hs, &set, operation).await?;
    let undeclared = undeclared.call().without_header("content-type").answer().await?;
    let (with, without) =
        (declared.exchange().response.in_short(), undeclared.exchange().response.in_short());
    undeclared
        .must(with == without, format!("{with}, as with Content-Type: application/json"), || without.clone())
}

/// The server may take bodies that clients should not send.
#[conformance(
    spec = "client-server-api/#api-standards",
    level = May,
    severity = Cosmetic,
    each = unusual_bodies
)]
async fn unusual(hs: &Homeserver, case: UnusualBody) -> Verdict {
    let set = approach(hs, case.operation).await?;
    let specimen = Specimen::effective(hs, &set, case.operation).await?;
    let body = specimen.body.clone().unwrap_or_else(|| json!({}));
    let call = specimen.call_without_body();
    let call = match case.kind {
        "duplicate key" => call.header("content-type", "application/json").bytes(with_every_key_twice(&body)),
        "empty" => call.header("content-type", "application/json"),
        "text/plain" => call.header("content-type", "text/plain").bytes(body.to_string()),
        _ => call.json(&with_another_key(body)),
    };
    let answer = call.answer().await?;
    Err(Stop::Observed(answer.exchange().response.in_short()))
}

/// Most endpoints "require the client to supply" a JSON object, so taking what is no JSON is no option. Which error comes
/// is open.
async fn must_be_json(
    hs: &Homeserver,
    operation: &'static Operation,
    body: &'static [u8],
    fitting: &[&str],
) -> Verdict {
    let answer = put(hs, operation, body).await?;
    if answer.status().is_success() && WITHOUT_DOCUMENTED_BODY.contains(&operation.id.as_str()) {
        return Err(Stop::Observed("the server does not look at the body".to_owned()));
    }
    observe_code(&must_be_a_standard_refusal(answer)?, fitting)
}

/// By the general text they take an object, by their own description nothing; a server may believe either.
pub(super) const WITHOUT_DOCUMENTED_BODY: [&str; 2] = ["createContent", "forgetRoom"];

async fn put(hs: &Homeserver, operation: &'static Operation, body: &'static [u8]) -> Result<Answer, Stop> {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::effective(hs, &set, operation).await?;
    specimen.call_without_body().header("content-type", "application/json").bytes(body).answer().await
}

/// An operation, and a body that is JSON but no object.
#[derive(Clone, Debug)]
struct OtherRoot {
    operation: &'static Operation,
    name: &'static str,
    body: &'static str,
}

impl Case for OtherRoot {
    fn label(&self) -> String {
        format!("{} {}", self.operation.id, self.name)
    }
}

/// An operation, and one place in its body.
#[derive(Clone, Debug)]
struct Variation {
    operation: &'static Operation,
    shape: Shape,
    place: Place,
}

impl Case for Variation {
    fn label(&self) -> String {
        format!("{}.{}", self.operation.id, self.place.label())
    }
}

impl Variation {
    /// Sends a well-formed body that has this value at the place, or has nothing there.
    async fn put(&self, hs: &Homeserver, value: Option<Value>) -> Result<Answer, Stop> {
        let set = approach(hs, self.operation).await?;
        let specimen = Specimen::effective(hs, &set, self.operation).await?;
        let body = specimen.body.clone().unwrap_or_else(|| json!({}));
        let body = match value {
            Some(value) => self.shape.with(&body, &self.place, value),
            None => self.shape.without(&body, &self.place),
        };
        specimen.call_without_body().json(&body).answer().await
    }
}

/// An operation, one place in its body, and a value of another type than may stand there.
#[derive(Clone, Debug)]
struct WrongType {
    variation: Variation,
    kind: &'static str,
    value: Value,
}

impl Case for WrongType {
    fn label(&self) -> String {
        format!("{} {}", self.variation.label(), self.kind)
    }
}

/// An operation, and a kind of body on which the text is silent.
#[derive(Clone, Debug)]
struct UnusualBody {
    operation: &'static Operation,
    kind: &'static str,
}

impl Case for UnusualBody {
    fn label(&self) -> String {
        format!("{} {}", self.operation.id, self.kind)
    }
}

fn operations_with_object() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| Shape::of(operation).is_some())
}

fn other_roots() -> impl Iterator<Item = OtherRoot> {
    const ROOTS: [(&str, &str); 4] =
        [("array", "[]"), ("string", r#""determinant""#), ("number", "5"), ("null", "null")];
    operations_with_object()
        .flat_map(|operation| ROOTS.into_iter().map(move |(name, body)| OtherRoot { operation, name, body }))
}

fn variations() -> impl Iterator<Item = Variation> {
    operations().filter_map(|operation| Some((operation, Shape::of(operation)?))).flat_map(
        |(operation, shape)| {
            let places = shape.places().into_iter();
            places.map(move |place| Variation { operation, shape: shape.clone(), place })
        },
    )
}

fn required_fields() -> impl Iterator<Item = Variation> {
    variations().filter(|variation| variation.place.required)
}

fn typed_fields() -> impl Iterator<Item = WrongType> {
    variations().flat_map(|variation| {
        let values = variation.place.values_of_wrong_type().into_iter();
        values.map(move |(kind, value)| WrongType { variation: variation.clone(), kind, value })
    })
}

fn ranged_fields() -> impl Iterator<Item = Variation> {
    variations().filter(|variation| variation.place.value_out_of_range().is_some())
}

fn unusual_bodies() -> impl Iterator<Item = UnusualBody> {
    const KINDS: [&str; 4] = ["duplicate key", "empty", "text/plain", "unknown key"];
    operations_with_object()
        .flat_map(|operation| KINDS.into_iter().map(move |kind| UnusualBody { operation, kind }))
}

/// The object with each of its fields written twice, and one more pair, so that there is always one.
fn with_every_key_twice(body: &Value) -> String {
    let fields = body.as_object().into_iter().flatten();
    let written: Vec<String> = fields.map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    let pair = [r#""determinant":1"#.to_owned()];
    let all: Vec<&str> =
        written.iter().chain(&pair).chain(&written).chain(&pair).map(String::as_str).collect();
    format!("{{{}}}", all.join(","))
}

fn with_another_key(mut body: Value) -> Value {
    body["org.determinant.unknown"] = json!({"nested": [1, "2", null]});
    body
}
