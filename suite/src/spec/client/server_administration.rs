//! `client-server-api/#server-administration`

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
