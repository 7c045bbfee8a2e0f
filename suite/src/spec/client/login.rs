//! `client-server-api/#legacy-login`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::adding_account_administrative_contact_information::add_number;
use super::user_interactive_authentication::{attempt, challenge};
use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// The ways to log in are listed, each with its type.
#[conformance(spec = "client-server-api/#get_matrixclientv3login", level = Must, severity = Interop)]
async fn flows_are_listed(hs: &Homeserver) -> Verdict {
    let answer = hs.get(LOGIN).await?;
    let flows = answer.must_have_list("/flows")?;
    let typed = !flows.is_empty() && flows.iter().all(|flow| flow["type"].is_string());
    answer.must(typed, "at least one flow, each with a type", || format!("flows: {flows:?}"))
}

/// A password opens a session for the user who is named by the full user id or by the localpart.
#[conformance(spec = "client-server-api/#matrix-user-id", level = Must, severity = Interop, each = names, since = "v1.1")]
async fn password_opens_a_session(hs: &Homeserver, name: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let name = if name == "localpart" { alice.localpart() } else { alice.id() };

    let answer = hs.log_in(name, alice.password()).await?;

    answer.must_hold("/user_id", alice.id())?;
    let phone = hs.session(&answer, alice.password())?;
    let whoami = phone.whoami().await?;
    whoami.must_hold("/user_id", alice.id())?;
    whoami.must_hold("/device_id", phone.device_id())
}

fn names() -> [&'static str; 2] {
    ["user id", "localpart"]
}

/// A login that names the user by the deprecated `user` field instead of `identifier` is understood.
#[conformance(spec = "client-server-api/#post_matrixclientv3login", level = Should, severity = Interop)]
async fn deprecated_user_field_is_understood(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let body = json!({"type": "m.login.password", "user": alice.localpart(), "password": alice.password()});
    hs.post(LOGIN, body).await?.must_hold("/user_id", alice.id())
}

/// A wrong password is refused.
#[conformance(spec = "client-server-api/#post_matrixclientv3login", level = Must, severity = Security)]
async fn wrong_password_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    hs.log_in(alice.id(), "not the password").must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// A user who does not exist is refused like a wrong password.
#[conformance(spec = "client-server-api/#post_matrixclientv3login", level = Must, severity = Interop)]
async fn unknown_user_is_refused(hs: &Homeserver) -> Verdict {
    hs.log_in(&hs.unused_localpart(), "a password").must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// A user of another server cannot log in.
#[conformance(spec = "client-server-api/#post_matrixclientv3login", level = Must, severity = Security)]
async fn user_of_another_server_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let elsewhere = format!("@{}:elsewhere.invalid", alice.localpart());
    hs.log_in(&elsewhere, alice.password()).must_be_refused().await.map(drop)
}

/// A login type that the server does not know is refused as an invalid request.
#[conformance(spec = "client-server-api/#post_matrixclientv3login", level = Must, severity = Interop)]
async fn unknown_type_is_refused(hs: &Homeserver) -> Verdict {
    hs.get(LOGIN).await?;
    hs.post(LOGIN, json!({"type": "org.determinant.unknown"})).must_be(400).await.map(drop)
}

/// A third-party identifier that the server does not know is refused with 403.
#[conformance(
    spec = "client-server-api/#legacy-login",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/legacy-login/2"]
)]
async fn unknown_third_party_identifier_is_forbidden(hs: &Homeserver) -> Verdict {
    hs.get(LOGIN).await?;
    let address = format!("{}@nowhere.invalid", hs.unused_localpart());
    let identifier = json!({"type": "m.id.thirdparty", "medium": "email", "address": address});
    let body = json!({"type": "m.login.password", "identifier": identifier, "password": "a password"});
    hs.post(LOGIN, body).must_be(403).await.map(drop)
}

/// Whoever logs in with a telephone number is known by it as it is dialled from the country that they name.
#[conformance(
    spec = "client-server-api/#phone-number",
    level = Should,
    severity = Usability,
    needs = "msisdn",
    each = ways_to_dial,
    proves = ["client-server-api/phone-number/1"]
)]
async fn telephone_number_is_a_name(hs: &Homeserver, country: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let telephone = hs.telephone()?;
    add_number(&alice, &telephone).await?;
    let dialled = match country {
        "GB" => telephone.number().to_owned(),
        _ => format!("0044{}", &telephone.number()[1..]),
    };
    let identifier = json!({"type": "m.id.phone", "country": country, "phone": dialled});
    let body = json!({"type": "m.login.password", "identifier": identifier, "password": alice.password()});
    hs.post(LOGIN, body).await?.must_hold("/user_id", alice.id())
}

fn ways_to_dial() -> [&'static str; 2] {
    ["GB", "DE"]
}

/// A login without a device id opens a new device, every time.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3login",
    level = Must,
    severity = Interop,
    proves = [
        "client-server-api/post_matrixclientv3login/1",
        "client-server-api/relationship-between-access-tokens-and-devices/2",
    ]
)]
async fn every_login_is_a_new_device(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let [phone, tablet] = [alice.logs_in().await?, alice.logs_in().await?];

    let devices = alice.devices().await?;
    let known: Vec<&Value> =
        devices.must_have_list("/devices")?.iter().map(|device| &device["device_id"]).collect();
    let all_there =
        [&alice, &phone, &tablet].iter().all(|session| known.contains(&&json!(session.device_id())));
    devices
        .must(all_there && known.len() == 3, "the three devices of three sessions", || format!("{known:?}"))
}

/// The device id that the client supplies becomes the device of the new session.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3login",
    level = Must,
    severity = Interop,
    since = "v1.1",
    proves = [
        "client-server-api/post_matrixclientv3login/2",
        "client-server-api/relationship-between-access-tokens-and-devices/2",
    ]
)]
async fn supplied_device_is_used(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in_with(json!({"device_id": "POCKET"})).await?;

    let whoami = phone.whoami().await?;
    whoami.must_hold("/device_id", "POCKET")?;
    whoami.must(phone.device_id() == "POCKET", "device_id POCKET in the login", || {
        phone.device_id().to_owned()
    })?;
    alice.device("POCKET").await?.must_hold("/device_id", "POCKET")
}

/// A new device has the display name that the client supplies.
#[conformance(spec = "client-server-api/#post_matrixclientv3login", level = Must, severity = Cosmetic)]
async fn new_device_gets_its_display_name(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in_with(json!({"initial_device_display_name": "pocket phone"})).await?;

    alice.device(phone.device_id()).await?.must_hold("/display_name", "pocket phone")
}

/// A device that exists keeps its display name when it logs in again with another one.
#[conformance(spec = "client-server-api/#post_matrixclientv3login", level = Must, severity = Cosmetic)]
async fn known_device_keeps_its_display_name(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.logs_in_with(json!({"device_id": "POCKET", "initial_device_display_name": "pocket phone"})).await?;
    alice.logs_in_with(json!({"device_id": "POCKET", "initial_device_display_name": "another name"})).await?;

    alice.device("POCKET").await?.must_hold("/display_name", "pocket phone")
}

/// A login on a device that exists ends the session that the device had.
///
/// `post_matrixclientv3login` lets the server choose, the text on access tokens and devices does not: hence no Must.
#[conformance(
    spec = "client-server-api/#relationship-between-access-tokens-and-devices",
    level = Should,
    severity = Security
)]
async fn known_device_loses_its_old_session(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let before = alice.logs_in_with(json!({"device_id": "POCKET"})).await?;
    let after = alice.logs_in_with(json!({"device_id": "POCKET"})).await?;

    before.must_be_logged_out().await?;
    after.whoami().await?.must_hold("/device_id", "POCKET")?;
    alice.whoami().await?.must_hold("/user_id", alice.id())
}

/// A login token that the server has not made is refused.
#[conformance(
    spec = "client-server-api/#legacy-login",
    level = Must,
    severity = Security,
    proves = ["client-server-api/legacy-login/5"]
)]
async fn unknown_login_token_is_refused(hs: &Homeserver) -> Verdict {
    let flows = hs.get(LOGIN).await?;
    if !flows.must_have_list("/flows")?.iter().any(|flow| flow["type"] == "m.login.token") {
        return Err(Stop::NotApplicable("m.login.token is not among the flows".to_owned()));
    }
    let body = json!({"type": "m.login.token", "token": format!("no such token {}", hs.unique())});
    hs.post(LOGIN, body).must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// A login token made in one session opens one further session of the same user, and no second one.
#[conformance(
    spec = "client-server-api/#post_matrixclientv1loginget_token",
    level = Must,
    severity = Security,
    since = "v1.7",
    proves = ["client-server-api/post_matrixclientv1loginget_token/1"]
)]
async fn login_token_serves_once(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let made = login_token(&alice).await?;
    let lifetime_ms = made.at("/expires_in_ms").as_i64().unwrap_or_default();
    made.must(lifetime_ms > 0, "a lifetime above 0 at /expires_in_ms", || {
        made.at("/expires_in_ms").to_string()
    })?;
    let body = json!({"type": "m.login.token", "token": made.must_have_text("/login_token")?});

    let opened = hs.post(LOGIN, body.clone()).await?;
    opened.must_hold("/user_id", alice.id())?;
    let phone = hs.session(&opened, alice.password())?;
    phone.whoami().await?.must_hold("/user_id", alice.id())?;

    hs.post(LOGIN, body).must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// Every login token must be paid for with user-interactive authentication, even directly after another one.
#[conformance(
    spec = "client-server-api/#post_matrixclientv1loginget_token",
    level = Must,
    severity = Security,
    since = "v1.7",
    proves = ["client-server-api/post_matrixclientv1loginget_token/3"]
)]
async fn every_login_token_is_asked_for(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    login_token(&alice).await?;

    let again = alice.post(GET_TOKEN, json!({})).must_be(401).await?;
    again.must_have_list("/flows").map(drop)
}

const LOGIN: &str = "/_matrix/client/v3/login";
const GET_TOKEN: &str = "/_matrix/client/v1/login/get_token";

async fn login_token(user: &User) -> Result<Answer, Stop> {
    let capabilities = user.get("/_matrix/client/v3/capabilities").await?;
    if capabilities.at("/capabilities/m.get_login_token/enabled") != true {
        return Err(Stop::NotApplicable("the user has no m.get_login_token capability".to_owned()));
    }
    let challenge = challenge(user, http::Method::POST, GET_TOKEN, &json!({})).await?;
    let stage = user.password_stage(&challenge);
    attempt(user, http::Method::POST, GET_TOKEN, &json!({}), stage).await?.must_succeed()
}
