//! What holds for every exchange between the server and a remote homeserver, in both directions.

use fixtures::catalogue::{Api, Catalogue, Direction, Operation};
use suite_attribute::conformance;

use crate::{cast::Homeserver, judge::Aspect, verdict::Verdict};

/// A documented response to another server has the documented shape.
#[conformance(
    spec = "server-server-api/",
    level = Must,
    severity = Interop,
    each = served,
    last,
    proves = ["server-server-api/api-standards/3"]
)]
async fn body_matches_schema(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Schema, "a body that matches the schema of the response")
}

/// A JSON response to another server is declared as `application/json`.
#[conformance(
    spec = "server-server-api/#api-standards",
    level = Must,
    severity = Interop,
    each = served,
    last,
    proves = ["server-server-api/api-standards/2"],
    proves = ["server-server-api/api-standards/2"]
)]
async fn content_type_is_json(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::ContentType, "Content-Type: application/json")
}

/// No request of another server makes the server fail with an undocumented 5xx.
#[conformance(
    spec = "server-server-api/#api-standards",
    level = Must,
    severity = Interop,
    each = served,
    last
)]
async fn never_breaks(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::NoServerError, "no undocumented 5xx")
}

/// A request to another server has the documented parameters and the documented body.
#[conformance(spec = "server-server-api/", level = Must, severity = Interop, each = called, last)]
async fn request_matches_schema(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Request, "a request as documented")
}

/// A request to another server is signed for it, with a key that the server publishes.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Must,
    severity = Security,
    each = called,
    last,
    proves = ["server-server-api/request-authentication/1"]
)]
async fn request_is_signed(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Signature, "a request signed by the server for its destination")
}

/// The events in a request to another server have the format of their room version, and verify.
#[conformance(
    spec = "server-server-api/#adding-hashes-and-signatures-to-outgoing-events",
    level = Must,
    severity = Interop,
    each = called,
    last
)]
async fn events_verify(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Events, "events whose format, hashes and signatures are right")
}

/// The operations that a server serves to other servers.
fn served() -> impl Iterator<Item = &'static Operation> {
    operations(Direction::Inbound)
}

/// The operations that a server has a reason to call.
fn called() -> impl Iterator<Item = &'static Operation> {
    operations(Direction::Outbound)
}

fn operations(direction: Direction) -> impl Iterator<Item = &'static Operation> {
    let all = Catalogue::v1_19().operations_of(Api::ServerServer);
    all.filter(move |operation| operation.excluded(direction).is_none())
}
