//! `client-server-api/#web-browser-clients`

use fixtures::catalogue::{Auth, Method, Operation};
use serde_json::Value;
use suite_attribute::conformance;

use super::{approach, operations, paths, specimen::Specimen};
use crate::{
    cast::{Answer, Homeserver},
    verdict::{Stop, Verdict},
};

/// The server answers `OPTIONS` on every endpoint, without asking for an access token.
#[conformance(
    spec = "client-server-api/#web-browser-clients",
    level = Must,
    severity = Interop,
    each = paths,
    proves = ["client-server-api/web-browser-clients/2"]
)]
async fn preflight_is_answered(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    preflight(hs, operation).await?.must_succeed()?;
    Ok(())
}

/// The server performs nothing of the endpoint when it is approached with `OPTIONS`, even with a token and a body.
#[conformance(
    spec = "client-server-api/#web-browser-clients",
    level = Must,
    severity = Security,
    each = operations_with_visible_effect,
    proves = ["client-server-api/web-browser-clients/3"]
)]
async fn preflight_has_no_effect(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::effective(hs, &set, operation).await?;
    let call = specimen.actor.request(http::Method::OPTIONS, specimen.target());
    call.json(specimen.body.as_ref().unwrap_or(&Value::Null)).answer().await?;
    specimen.actor.get(specimen.path).must_be(404).await?;
    Ok(())
}

/// The server answers a preflight request so that browsers let clients send the request itself.
#[conformance(
    spec = "client-server-api/#web-browser-clients",
    level = Should,
    severity = Usability,
    each = operations,
    proves = ["client-server-api/web-browser-clients/1"]
)]
async fn preflight_permits(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let answer = preflight(hs, operation).await?;
    must_be_readable(&answer)?;
    must_list(&answer, "access-control-allow-methods", operation.method.as_str())?;
    for header in ["X-Requested-With", "Content-Type", "Authorization"] {
        must_list(&answer, "access-control-allow-headers", header)?;
    }
    Ok(())
}

/// The server lets browsers read what the operation answers.
#[conformance(
    spec = "client-server-api/#web-browser-clients",
    level = Should,
    severity = Usability,
    each = operations_that_read,
    proves = ["client-server-api/web-browser-clients/4"]
)]
async fn answer_is_readable(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    must_be_readable(&Specimen::harmless(hs, &set, operation).await?.call().answer().await?)
}

/// The server lets browsers read its refusals, too.
#[conformance(
    spec = "client-server-api/#web-browser-clients",
    level = Should,
    severity = Usability,
    each = protected_operations,
    proves = ["client-server-api/web-browser-clients/4"]
)]
async fn refusal_is_readable(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    must_be_readable(&Specimen::harmless(hs, &set, operation).await?.call_of_nobody().answer().await?)
}

async fn preflight(hs: &Homeserver, operation: &'static Operation) -> Result<Answer, Stop> {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::harmless(hs, &set, operation).await?;
    let call = hs.request(http::Method::OPTIONS, specimen.target());
    let call = call.header("origin", "https://client.determinant.invalid");
    let call = call.header("access-control-request-method", operation.method.as_str());
    call.header("access-control-request-headers", "authorization, content-type").answer().await
}

fn must_be_readable(answer: &Answer) -> Verdict {
    let origin = answer.header("access-control-allow-origin");
    answer.must(origin == Some("*"), "Access-Control-Allow-Origin: *", || match origin {
        Some(origin) => format!("Access-Control-Allow-Origin: {origin}"),
        None => "no such header".to_owned(),
    })
}

/// Lists of methods are compared as they are, lists of headers without regard to case: a single function may ignore case,
/// because no method differs from another only in it.
fn must_list(answer: &Answer, header: &str, wanted: &str) -> Verdict {
    let list = answer.header(header);
    let listed = list.unwrap_or_default().split(',').any(|item| item.trim().eq_ignore_ascii_case(wanted));
    answer.must(listed, format!("{wanted} in {header}"), || list.unwrap_or("no such header").to_owned())
}

/// Those whose path names what they make, so that asking for it shows whether it was made.
fn operations_with_visible_effect() -> impl Iterator<Item = &'static Operation> {
    const VISIBLE: [&str; 5] =
        ["setAccountData", "setAccountDataPerRoom", "setPushRule", "setRoomAlias", "setRoomStateWithKey"];
    operations().filter(|operation| VISIBLE.contains(&operation.id.as_str()))
}

fn operations_that_read() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| operation.method == Method::Get)
}

fn protected_operations() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| operation.auth == Auth::AccessToken)
}
