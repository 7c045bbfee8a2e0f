//! `client-server-api/#using-access-tokens`

use fixtures::catalogue::{Auth, Operation};
use suite_attribute::conformance;

use super::{approach, operations, specimen::Specimen};
use crate::{
    cast::Homeserver,
    verdict::{Stop, Verdict},
};

/// The server refuses a request without the access token that the operation needs, with 401 `M_MISSING_TOKEN`.
#[conformance(
    spec = "client-server-api/#using-access-tokens",
    level = Must,
    severity = Security,
    each = protected_operations
)]
async fn is_required(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::harmless(hs, &set, operation).await?;
    specimen.call_of_nobody().must_refuse(401, "M_MISSING_TOKEN").await?;
    Ok(())
}

/// The server refuses an access token that it never issued, with 401 `M_UNKNOWN_TOKEN`.
#[conformance(
    spec = "client-server-api/#using-access-tokens",
    level = Must,
    severity = Security,
    each = protected_operations
)]
async fn must_be_known(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::harmless(hs, &set, operation).await?;
    specimen.call().token("determinant_never_issued").must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    Ok(())
}

/// The server refuses an access token whose session was logged out, with 401 `M_UNKNOWN_TOKEN`.
#[conformance(
    spec = "client-server-api/#using-access-tokens",
    level = Must,
    severity = Security,
    each = operations_of_users
)]
async fn ends_with_the_session(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::harmless(hs, &set, operation).await?;
    specimen.call().token(&set.logged_out).must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    Ok(())
}

/// The server takes the access token from the query string as well. That it took it shows in whatever else the answer
/// says, because without a token it is 401 `M_MISSING_TOKEN`.
#[conformance(
    spec = "client-server-api/#using-access-tokens",
    level = Must,
    severity = Interop,
    each = operations_with_query_token,
    until = "v1.19",
    proves = ["client-server-api/using-access-tokens/2"]
)]
async fn may_stand_in_the_query(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::harmless(hs, &set, operation).await?;
    let answer = specimen.call_of_nobody().query("access_token", specimen.actor.token()).answer().await?;
    let refused = answer.status() == 401 && !answer.exchange().response.is_authentication_challenge();
    answer
        .must(!refused, "the token in the query string to be good", || answer.exchange().response.in_short())
}

/// The server does not ask for an access token where none is needed.
#[conformance(
    spec = "client-server-api/#using-access-tokens",
    level = Must,
    severity = Interop,
    each = open_operations
)]
async fn is_not_required(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let answer = Specimen::harmless(hs, &set, operation).await?.call_of_nobody().answer().await?;
    let asked = answer.errcode() == Some("M_MISSING_TOKEN");
    if asked && operation.auth == Auth::OptionalAccessToken && operation.id != "getVersions" {
        // A summary without a token is a MAY (client-server-api/#get_matrixclientv1room_summaryroomidoralias), and whoever
        // changes a password or deactivates an account may be asked to log in first.
        return Err(Stop::Observed("the operation is for users only".to_owned()));
    }
    answer.must(!asked, "an answer without asking for a token", || answer.exchange().response.in_short())
}

fn protected_operations() -> impl Iterator<Item = &'static Operation> {
    operations()
        .filter(|operation| matches!(operation.auth, Auth::AccessToken | Auth::ApplicationServiceToken))
}

fn operations_of_users() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| operation.auth == Auth::AccessToken)
}

fn operations_with_query_token() -> impl Iterator<Item = &'static Operation> {
    protected_operations().filter(|operation| operation.query_token)
}

fn open_operations() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| matches!(operation.auth, Auth::None | Auth::OptionalAccessToken))
}
