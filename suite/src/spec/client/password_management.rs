//! `client-server-api/#password-management`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::user_interactive_authentication::{attempt, challenge};
use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// The new password opens the account, and the old one does not any more.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountpassword", level = Must, severity = Security)]
async fn new_password_replaces_the_old_one(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    change_password(&alice, json!({"new_password": NEW})).await?;

    hs.log_in(alice.id(), alice.password()).must_refuse(403, "M_FORBIDDEN").await?;
    hs.log_in(alice.id(), NEW).await?.must_hold("/user_id", alice.id())
}

/// The session that changes the password goes on.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountpassword",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/post_matrixclientv3accountpassword/2"]
)]
async fn this_session_goes_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    change_password(&alice, json!({"new_password": NEW})).await?;

    alice.whoami().await?.must_hold("/device_id", alice.device_id())
}

/// A change of password ends all other sessions of the user, and deletes their devices, unless it says otherwise.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountpassword",
    level = Must,
    severity = Security,
    each = ways_to_end,
    proves = ["client-server-api/post_matrixclientv3accountpassword/4"]
)]
async fn other_sessions_end(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let body = match way {
        "by default" => json!({"new_password": NEW}),
        _ => json!({"new_password": NEW, "logout_devices": true}),
    };
    change_password(&alice, body).await?;

    phone.must_be_logged_out().await?;
    let opened = hs.log_in(alice.id(), NEW).await?;
    hs.session(&opened, NEW)?.devices().await?.must_not_mention(phone.device_id())
}

fn ways_to_end() -> [&'static str; 2] {
    ["by default", "when asked"]
}

/// With `logout_devices` false, the devices of the user stay, and their sessions go on or are softly logged out.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountpassword", level = Must, severity = Usability)]
async fn other_sessions_stay_when_asked(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    change_password(&alice, json!({"new_password": NEW, "logout_devices": false})).await?;

    let whoami = phone.whoami().answer().await?;
    if whoami.errcode() == Some("M_UNKNOWN_TOKEN") {
        whoami.must_hold("/soft_logout", true)?;
    } else {
        whoami.must_succeed()?.must_hold("/device_id", phone.device_id())?;
    }
    let opened = hs.log_in(alice.id(), NEW).await?;
    hs.session(&opened, NEW)?.device(phone.device_id()).await?.must_hold("/device_id", phone.device_id())
}

/// A change whose authentication failed leaves the password and the other sessions as they were.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountpassword", level = Must, severity = Security)]
async fn failed_authentication_changes_nothing(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let body = json!({"new_password": NEW});
    let challenge = challenge(&alice, Method::POST, PASSWORD, &body).await?;
    let mut stage = alice.password_stage(&challenge);
    stage["password"] = json!("not the password");
    attempt(&alice, Method::POST, PASSWORD, &body, stage).await?.must_be(401)?;

    hs.log_in(alice.id(), NEW).must_refuse(403, "M_FORBIDDEN").await?;
    hs.log_in(alice.id(), alice.password()).await?.must_hold("/user_id", alice.id())?;
    phone.whoami().await?.must_hold("/device_id", phone.device_id())
}

const PASSWORD: &str = "/_matrix/client/v3/account/password";
const NEW: &str = "the New Password, 2";

async fn change_password(user: &User, body: Value) -> Result<Answer, Stop> {
    let challenge = challenge(user, Method::POST, PASSWORD, &body).await?;
    let stage = user.password_stage(&challenge);
    attempt(user, Method::POST, PASSWORD, &body, stage).await?.must_succeed()
}
