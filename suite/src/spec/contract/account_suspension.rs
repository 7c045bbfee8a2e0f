//! `client-server-api/#account-suspension`

use fixtures::catalogue::{Auth, Operation};
use serde_json::json;
use suite_attribute::conformance;

use super::{approach, operations, specimen};
use crate::{
    cast::{Answer, Homeserver},
    stage::Sanction,
    verdict::{Stop, Verdict},
};

/// What servers should permit, as far as it is an operation with an access token.
const PERMITTED: [&str; 21] = [
    "add3PID",
    "claimKeys",
    "deactivateAccount",
    "deleteDevice",
    "deleteDevices",
    "getRoomEvents",
    "leaveRoom",
    "logout",
    "logout_all",
    "post3PIDs",
    "postRoomKeysVersion",
    "putRoomKeyBySessionId",
    "putRoomKeys",
    "putRoomKeysByRoomId",
    "putRoomKeysVersion",
    "queryKeys",
    "sendToDevice",
    "sync",
    "uploadCrossSigningKeys",
    "uploadCrossSigningSignatures",
    "uploadKeys",
];

/// What servers are recommended to refuse.
const REFUSED: [&str; 8] = [
    "deleteProfileField",
    "inviteUser",
    "joinRoom",
    "joinRoomById",
    "knockRoom",
    "redactEvent",
    "sendMessage",
    "setProfileField",
];

/// The server lets a suspended account do what takes nothing but itself: read, verify devices, keep a backup, leave, log out.
#[conformance(
    spec = "client-server-api/#account-suspension",
    level = Should,
    severity = Usability,
    since = "v1.18",
    needs = "admin_suspend",
    each = permitted_operations,
    proves = ["client-server-api/account-suspension/2"]
)]
async fn leaves_possible(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let answer = answer_to_suspended(hs, operation).await?;
    answer.must(answer.errcode() != Some("M_USER_SUSPENDED"), "an answer as other accounts get it", || {
        answer.exchange().response.in_short()
    })
}

/// The server refuses a suspended account what would reach others, with `M_USER_SUSPENDED`.
#[conformance(
    spec = "client-server-api/#account-suspension",
    level = Should,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    each = refused_operations,
)]
async fn is_refused(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    answer_to_suspended(hs, operation).await?.must_refuse(403, "M_USER_SUSPENDED").map(drop)
}

/// The server refuses with status 403 what it chooses not to let a suspended account do, and fails at nothing of it.
#[conformance(
    spec = "client-server-api/#account-suspension",
    level = Must,
    severity = Interop,
    since = "v1.18",
    needs = "admin_suspend",
    each = other_operations,
    proves = ["client-server-api/account-suspension/3"]
)]
async fn is_told(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let answer = answer_to_suspended(hs, operation).await?;
    let told = answer.errcode() == Some("M_USER_SUSPENDED");
    answer.must(!told || answer.status() == 403, "status 403 with M_USER_SUSPENDED", || {
        answer.exchange().response.in_short()
    })?;
    let refused = if told { "is refused" } else { "is not refused for the suspension" };
    Err(Stop::Observed(format!("the operation {refused}; which are is left to the server")))
}

async fn answer_to_suspended(hs: &Homeserver, operation: &'static Operation) -> Result<Answer, Stop> {
    let set = approach(hs, operation).await?;
    let specimen = specimen::of_sanctioned(hs, operation, Sanction::Suspension).await?;
    let call = specimen.call();
    let call = if operation.id == "inviteUser" { call.json(&json!({"user_id": set.bob.id()})) } else { call };
    call.answer().await
}

fn permitted_operations() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| PERMITTED.contains(&operation.id.as_str()))
}

fn refused_operations() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| REFUSED.contains(&operation.id.as_str()))
}

fn other_operations() -> impl Iterator<Item = &'static Operation> {
    let of_users = |operation: &&Operation| {
        matches!(operation.auth, Auth::AccessToken | Auth::OptionalAccessToken)
            && operation.id != "getVersions"
    };
    let listed =
        |operation: &Operation| PERMITTED.iter().chain(&REFUSED).any(|listed| operation.id == *listed);
    operations().filter(of_users).filter(move |operation| !listed(operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_operation_exists() {
        assert_eq!(permitted_operations().count(), PERMITTED.len());
        assert_eq!(refused_operations().count(), REFUSED.len());
    }
}
