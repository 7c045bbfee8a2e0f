//! What holds for every request that the server makes to a service beside it.

use fixtures::catalogue::{Api, Catalogue, Direction, Operation};
use suite_attribute::conformance;

use crate::{cast::Homeserver, judge::Aspect, verdict::Verdict};

/// A request to an application service bears the `hs_token` of its registration in the `Authorization` header.
#[conformance(
    spec = "application-service-api/#authorisation",
    level = Must,
    severity = Security,
    since = "v1.4",
    each = called,
    last,
    proves = ["application-service-api/authorisation/1"]
)]
async fn request_bears_the_token(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Token, "an Authorization header with the hs_token")
}

/// A request to an application service has the documented parameters and the documented body.
#[conformance(spec = "application-service-api/", level = Must, severity = Interop, each = called, last)]
async fn request_matches_schema(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Request, "a request as documented")
}

/// A request to an identity server has the documented parameters and the documented body.
#[conformance(spec = "identity-service-api/", level = Must, severity = Interop, each = called_of_identity, last)]
async fn identity_request_matches_schema(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Request, "a request as documented")
}

/// A notification for a push gateway has the documented body.
#[conformance(spec = "push-gateway-api/", level = Must, severity = Interop, each = called_of_push, last)]
async fn notification_matches_schema(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    hs.judge().verdict(operation, Aspect::Request, "a request as documented")
}

/// The operations of application services.
fn called() -> impl Iterator<Item = &'static Operation> {
    operations(Api::ApplicationService)
}

/// What homeservers have a reason to ask identity servers.
fn called_of_identity() -> impl Iterator<Item = &'static Operation> {
    operations(Api::Identity)
}

/// What push gateways are told.
fn called_of_push() -> impl Iterator<Item = &'static Operation> {
    operations(Api::PushGateway)
}

fn operations(api: Api) -> impl Iterator<Item = &'static Operation> {
    let all = Catalogue::v1_19().operations_of(api);
    all.filter(|operation| operation.excluded(Direction::Outbound).is_none())
}
