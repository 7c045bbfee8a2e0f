//! `client-server-api/#server-administration`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

/// A user can look up which devices of their own the server knows.
#[conformance(spec = "client-server-api/#get_matrixclientv3adminwhoisuserid", level = Must, severity = Usability)]
async fn users_can_look_themselves_up(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = alice.get(path!("/_matrix/client/v3/admin/whois/{}", alice.id())).await?;
    answer.must_hold("/user_id", alice.id())?;
    let devices = answer.at("/devices");
    answer.must(devices.as_object().is_some_and(|devices| !devices.is_empty()), "a device", || {
        devices.to_string()
    })
}

/// Whether an account is locked or suspended is neither told to other users nor decided by them.
#[conformance(
    spec = "client-server-api/#server-administration",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    each = actions
)]
async fn accounts_are_moderated_by_administrators_only(hs: &Homeserver, action: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let (target, field) = match action {
        "lock" => (path!("/_matrix/client/v1/admin/lock/{}", alice.id()), "locked"),
        _ => (path!("/_matrix/client/v1/admin/suspend/{}", alice.id()), "suspended"),
    };
    let mut body = json!({});
    body[field] = Value::Bool(true);

    eve.get(target.clone()).must_refuse(403, "M_FORBIDDEN").await?;
    eve.put(target, body).must_refuse(403, "M_FORBIDDEN").await?;

    alice.whoami().await?.must_hold("/user_id", alice.id())
}

fn actions() -> [&'static str; 2] {
    ["lock", "suspend"]
}
