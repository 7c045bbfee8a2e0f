//! `client-server-api/#post_matrixclientv3logout`

use http::Method;
use serde_json::json;
use suite_attribute::conformance;

use crate::{cast::Homeserver, verdict::Verdict};

/// A logout ends the session that asks for it for good, and no other session of the user.
#[conformance(spec = "client-server-api/#post_matrixclientv3logout", level = Must, severity = Security)]
async fn ends_this_session_only(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;

    phone.log_out().await?;

    let refusal = phone.whoami().must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    let soft = refusal.at("/soft_logout");
    refusal.must(soft != true, "no soft_logout: the session is destroyed", || soft.to_string())?;
    alice.whoami().await?.must_hold("/device_id", alice.device_id())
}

/// A logout deletes the device of the session.
#[conformance(spec = "client-server-api/#post_matrixclientv3logout", level = Must, severity = Security)]
async fn deletes_the_device(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;

    phone.log_out().await?;

    alice.device(phone.device_id()).must_be(404).await?;
    alice.devices().await?.must_not_mention(phone.device_id())
}

/// A logout without an access token is refused.
#[conformance(spec = "client-server-api/#using-access-tokens", level = Must, severity = Interop)]
async fn needs_a_token(hs: &Homeserver) -> Verdict {
    hs.get("/_matrix/client/v3/login").await?;
    hs.request(Method::POST, "/_matrix/client/v3/logout").must_refuse(401, "M_MISSING_TOKEN").await?;
    let made_up = hs.request(Method::POST, "/_matrix/client/v3/logout").token("made-up");
    made_up.must_refuse(401, "M_UNKNOWN_TOKEN").await.map(drop)
}

/// A logout of all sessions ends every session of the user and deletes all of their devices, and nobody else's.
#[conformance(spec = "client-server-api/#post_matrixclientv3logoutall", level = Must, severity = Security)]
async fn all_ends_every_session(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let phone = alice.logs_in().await?;

    alice.request(Method::POST, "/_matrix/client/v3/logout/all").await?;

    alice.must_be_logged_out().await?;
    phone.must_be_logged_out().await?;
    let tablet = alice.logs_in().await?;
    let devices = tablet.devices().await?;
    let count = devices.must_have_list("/devices")?.len();
    devices.must(count == 1, "the one device of the new session", || format!("{count} devices"))?;
    devices.must_hold("/devices/0/device_id", json!(tablet.device_id()))?;
    bob.whoami().await?.must_hold("/user_id", bob.id())
}
