//! What holds for every operation of the server-server API: `server-server-api/#api-standards`.

use fixtures::catalogue::{Api, Auth, Catalogue, Direction, Operation, Segment};
use http::Method;
use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver},
    verdict::{Stop, Verdict},
};

/// The operations that a server serves to other servers.
fn served() -> impl Iterator<Item = &'static Operation> {
    let all = Catalogue::v1_19().operations_of(Api::ServerServer);
    all.filter(|operation| operation.excluded(Direction::Inbound).is_none())
}

/// The operations that only a signed request may call.
fn signed() -> impl Iterator<Item = &'static Operation> {
    served().filter(|operation| operation.auth == Auth::SignedRequest)
}

/// A request to the operation that nobody has signed, about things that do not exist.
async fn unsigned(hs: &Homeserver, operation: &'static Operation) -> Result<Answer, Stop> {
    let segment = |segment: Segment<'_>| match segment {
        Segment::Literal(literal) => literal.to_owned(),
        Segment::Parameter("roomId") => format!("!nothing:{}", hs.name()),
        Segment::Parameter("userId") => format!("@nobody:{}", hs.name()),
        Segment::Parameter("serverName") => hs.name().to_owned(),
        Segment::Parameter(_) => "nothing".to_owned(),
    };
    let path: String =
        operation.path.segments().map(|part| format!("/{}", crate::cast::encoded(segment(part)))).collect();
    let method = Method::from_bytes(operation.method.as_str().as_bytes())
        .map_err(|error| Stop::Fault(error.to_string()))?;
    let call = hs.federation_request(method.clone(), path)?;
    if method == Method::GET { call.answer().await } else { call.json(&json!({})).answer().await }
}

/// Stops where the server does not serve the operation: one failure is enough. Asked once in a run.
pub(crate) async fn is_served(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    if operation.excluded(Direction::Inbound).is_some() {
        return Ok(());
    }
    let probe = |apart: Homeserver| async move {
        let answer = unsigned(&apart, operation).await?;
        if answer.exchange().response.is_unrecognized() {
            let id = &operation.id;
            return Err(Stop::NotApplicable(format!(
                "the server does not serve {id}, see contract/federation/operation-is-served[{id}]"
            )));
        }
        Ok(())
    };
    hs.trial().stage.once(&operation.key(), hs, probe).await
}

/// The server serves every operation of the server-server API.
#[conformance(spec = "server-server-api/", level = Must, severity = Interop, each = served)]
async fn operation_is_served(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let judged = hs.trial().judged;
    if !operation.exists_in(judged) {
        return Err(Stop::NotApplicable(format!("{judged}, which is judged, does not have it")));
    }
    let answer = unsigned(hs, operation).await?;
    if operation.path.as_str().starts_with("/.well-known/") && answer.status() == 404 {
        return Err(Stop::NotApplicable("the server is not delegated, and need not be".to_owned()));
    }
    answer.must(!answer.exchange().response.is_unrecognized(), "an answer of the operation", || {
        format!("{}, as for an endpoint that does not exist", answer.exchange().response.in_short())
    })
}

/// A request that nobody has signed is refused.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Must,
    severity = Security,
    each = signed
)]
async fn unsigned_request_is_refused(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    is_served(hs, operation).await?;
    let answer = unsigned(hs, operation).await?;
    let refused = matches!(answer.status().as_u16(), 401 | 403);
    answer.must(refused, "401 or 403", || answer.exchange().response.in_short())
}

/// The paths that no operation has.
fn unknown_paths() -> impl Iterator<Item = &'static str> {
    ["/_matrix/federation/v1/unknown", "/_matrix/federation/v9/send/1", "/_matrix/key/v2/unknown"].into_iter()
}

/// An unknown endpoint is told apart by 404 M_UNRECOGNIZED.
#[conformance(
    spec = "server-server-api/#unsupported-endpoints",
    level = Must,
    severity = Interop,
    each = unknown_paths,
    proves = ["server-server-api/unsupported-endpoints/1"],
    proves = ["server-server-api/unsupported-endpoints/1"]
)]
async fn unknown_endpoint_is_not_recognized(hs: &Homeserver, path: &'static str) -> Verdict {
    let remote = hs.remote().await?;
    remote.get(path)?.must_refuse(404, "M_UNRECOGNIZED").await.map(drop)
}

/// An operation asked with a method that it does not have answers 405 M_UNRECOGNIZED.
#[conformance(
    spec = "server-server-api/#unsupported-endpoints",
    level = Should,
    severity = Interop,
    each = served
)]
async fn wrong_method_is_told(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    is_served(hs, operation).await?;
    let path = operation.path.as_str().replace(['{', '}'], "");
    if path.starts_with("/.well-known/") {
        return Err(Stop::NotApplicable("well-known documents are no endpoints of the API".to_owned()));
    }
    let answer = hs.federation_request(Method::DELETE, path)?.answer().await?;
    answer.must_refuse(405, "M_UNRECOGNIZED").map(drop)
}
