//! What holds for every exchange, whichever test made it. Judged when all other tests have ended.

pub(crate) mod federation;
pub(crate) mod services;

use fixtures::catalogue::{Api, Catalogue, Operation};
use suite_attribute::conformance;

use super::contract::offered;
use crate::{cast::Homeserver, judge::Aspect, verdict::Verdict};

/// A response has the documented shape: required fields are there, every field has its type, and no success has another
/// status.
#[conformance(
    spec = "client-server-api/",
    level = Must,
    severity = Interop,
    each = operations,
    last,
    proves = ["client-server-api/api-standards/3", "client-server-api/get_matrixclientv3sync/7"]
)]
async fn body_matches_schema(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    offered(hs, operation)?;
    hs.judge().verdict(operation, Aspect::Schema, "a body that matches the schema of the response")
}

/// A JSON response is declared as `application/json`.
#[conformance(
    spec = "client-server-api/#api-standards",
    level = Must,
    severity = Interop,
    each = operations,
    last,
    proves = ["client-server-api/api-standards/2"]
)]
async fn content_type_is_json(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::ContentType, "Content-Type: application/json")
}

/// An error response has the standard error body, with `errcode` and `error`.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = operations,
    last,
    proves = ["client-server-api/standard-error-response/1", "client-server-api/standard-error-response/5"]
)]
async fn errors_have_the_standard_body(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::ErrorBody, "string fields `errcode` and `error`")
}

/// Every response carries the CORS header that lets a browser read it.
#[conformance(
    spec = "client-server-api/#web-browser-clients",
    level = Should,
    severity = Usability,
    each = operations,
    last,
    proves = ["client-server-api/web-browser-clients/1"]
)]
async fn browsers_may_read_it(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::CrossOrigin, "Access-Control-Allow-Origin: *")
}

/// No request of the suite, well-formed or not, makes the server fail with an undocumented 5xx.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = operations,
    last
)]
async fn never_breaks(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::NoServerError, "no undocumented 5xx")
}

/// Whoever is refused for asking too often is told so by `M_LIMIT_EXCEEDED`, and in a `Retry-After` header when to try again.
#[conformance(
    spec = "client-server-api/#rate-limiting",
    level = Should,
    severity = Usability,
    last,
    proves = ["client-server-api/rate-limiting/2", "client-server-api/rate-limiting/3"]
)]
async fn refusal_says_when_to_try_again(hs: &Homeserver) -> Verdict {
    hs.judge().verdict_of_all(Aspect::RateLimit, "M_LIMIT_EXCEEDED with a Retry-After header")
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    Catalogue::v1_19().operations_of(Api::ClientServer)
}
