//! `client-server-api/#password-management`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::adding_account_administrative_contact_information::{add, confirm, request_token};
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

/// Who has forgotten the password sets another by following the link that was sent to an address of the account, and
/// not before.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken",
    level = Must,
    severity = Security,
    needs = "email"
)]
async fn forgotten_password_is_replaced_by_email(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let mailbox = hs.mailbox()?;
    add(&alice, &mailbox).await?;
    let session = request_token(hs, "account/password", &mailbox, "forgotten", 1).await?;
    let link = mailbox.link(1).await?;
    let stage = |challenge: &Answer| {
        let credentials = json!({"sid": session.at("/sid"), "client_secret": "forgotten"});
        json!({
            "type": "m.login.email.identity", "threepid_creds": credentials, "session": challenge.at("/session"),
        })
    };
    let change = |auth: Value| {
        let body = json!({"new_password": NEW, "auth": auth});
        hs.post("/_matrix/client/v3/account/password", body).answer()
    };
    let challenge =
        hs.post("/_matrix/client/v3/account/password", json!({"new_password": NEW})).must_be(401).await?;

    change(stage(&challenge)).await?.must_be(401)?;
    hs.log_in(alice.id(), NEW).must_refuse(403, "M_FORBIDDEN").await?;

    confirm(hs, &link).await?;
    change(stage(&challenge)).await?.must_be(200)?;
    hs.log_in(alice.id(), NEW).await?.must_hold("/user_id", alice.id())
}

/// A password that the server finds too weak is refused as such, for an account that is there and for a new one.
#[conformance(
    spec = "client-server-api/#password-management",
    level = May,
    severity = Usability,
    each = doors
)]
async fn weak_password_is_refused(hs: &Homeserver, door: &'static str) -> Verdict {
    let weak = "a";
    let answer = match door {
        "registration" => {
            let username = hs.unused_localpart();
            hs.register(json!({"username": username, "password": weak})).await?
        }
        _ => {
            let [alice] = hs.users().await?;
            let body = json!({"new_password": weak});
            let answer = alice.post(PASSWORD, body.clone()).answer().await?;
            match answer.exchange().response.is_authentication_challenge() {
                true => attempt(&alice, Method::POST, PASSWORD, &body, alice.password_stage(&answer)).await?,
                false => answer,
            }
        }
    };
    if answer.status().is_success() {
        return Err(Stop::NotApplicable(format!("the server takes the password {weak:?}")));
    }
    answer.must_refuse(400, "M_WEAK_PASSWORD").map(drop)
}

fn doors() -> [&'static str; 2] {
    ["registration", "password"]
}

/// No token is sent for another password to an address that no account has.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken",
    level = Must,
    severity = Security,
    needs = "email",
    proves = ["client-server-api/post_matrixclientv3accountpasswordemailrequesttoken/1"]
)]
async fn unknown_address_opens_nothing(hs: &Homeserver) -> Verdict {
    let mailbox = hs.mailbox()?;
    let body = json!({"client_secret": "unknown", "email": mailbox.address(), "send_attempt": 1});
    let answer = hs.post("/_matrix/client/v3/account/password/email/requestToken", body).answer().await?;
    must_open_nothing(hs, answer, "m.login.email.identity", "unknown").await
}

/// No token is sent for another password to a telephone number that no account has.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountpasswordmsisdnrequesttoken",
    level = Must,
    severity = Security,
    needs = "msisdn",
    proves = ["client-server-api/post_matrixclientv3accountpasswordmsisdnrequesttoken/1"]
)]
async fn unknown_number_opens_nothing(hs: &Homeserver) -> Verdict {
    let telephone = hs.telephone()?;
    let body = json!({
        "client_secret": "unknown", "country": "GB", "phone_number": telephone.number(), "send_attempt": 1,
    });
    let answer = hs.post("/_matrix/client/v3/account/password/msisdn/requestToken", body).answer().await?;
    must_open_nothing(hs, answer, "m.login.msisdn", "unknown").await
}

/// Requires a refusal to send a token. A server may hide that the address is unknown and answer as if it were not; then
/// nothing can be done with the session.
async fn must_open_nothing(hs: &Homeserver, answer: Answer, stage: &str, secret: &str) -> Verdict {
    if !answer.status().is_success() {
        return answer.must_refuse(400, "M_THREEPID_NOT_FOUND").map(drop);
    }
    let challenge = hs.post(PASSWORD, json!({"new_password": NEW})).must_be(401).await?;
    let auth = json!({
        "type": stage, "session": challenge.at("/session"),
        "threepid_creds": {"sid": answer.at("/sid"), "client_secret": secret},
    });
    hs.post(PASSWORD, json!({"new_password": NEW, "auth": auth})).must_be_refused().await.map(drop)
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
