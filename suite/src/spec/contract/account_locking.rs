//! `client-server-api/#account-locking`

use fixtures::catalogue::{Auth, Operation};
use suite_attribute::conformance;

use super::{approach, operations, specimen};
use crate::{cast::Homeserver, stage::Sanction, verdict::Verdict};

/// The server refuses a locked account every operation with `M_USER_LOCKED` and `soft_logout`, except those that log out.
#[conformance(
    spec = "client-server-api/#account-locking",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    each = operations_of_sessions,
    proves = ["client-server-api/account-locking/2"]
)]
async fn is_refused(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    approach(hs, operation).await?;
    let call = specimen::of_sanctioned(hs, operation, Sanction::Lock).await?.call();
    call.must_refuse(401, "M_USER_LOCKED").await?.must_hold("/soft_logout", true)
}

/// The server lets a locked account log out.
#[conformance(
    spec = "client-server-api/#account-locking",
    level = Must,
    severity = Usability,
    since = "v1.18",
    needs = "admin_suspend",
    each = operations_that_log_out,
    proves = ["client-server-api/account-locking/2"]
)]
async fn can_be_left(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    approach(hs, operation).await?;
    let specimen = specimen::of_sanctioned(hs, operation, Sanction::Lock).await?;
    specimen.call().await?;
    specimen.actor.must_be_logged_out().await
}

/// What acts for the user of the access token; where none is sent, nobody can be locked.
fn operations_of_sessions() -> impl Iterator<Item = &'static Operation> {
    let of_users = |operation: &&Operation| {
        matches!(operation.auth, Auth::AccessToken | Auth::OptionalAccessToken)
            && operation.id != "getVersions"
    };
    operations().filter(of_users).filter(|operation| !logs_out(operation))
}

fn operations_that_log_out() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| logs_out(operation))
}

fn logs_out(operation: &Operation) -> bool {
    ["logout", "logout_all"].contains(&operation.id.as_str())
}
