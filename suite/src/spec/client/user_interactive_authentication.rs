//! `client-server-api/#user-interactive-authentication-api`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

/// A protected request without `auth` is not carried out: it is answered with 401 and the flows to choose from.
#[conformance(
    spec = "client-server-api/#user-interactive-api-in-the-rest-api",
    level = Must,
    severity = Security,
    each = protected,
    proves = [
        "client-server-api/user-interactive-api-in-the-rest-api/5",
        "client-server-api/security-considerations-5/1",
    ]
)]
async fn challenge_comes_first(hs: &Homeserver, operation: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (method, target, body) = match operation {
        "account/password" => (Method::POST, password_target(), json!({"new_password": "another password"})),
        "account/deactivate" => (Method::POST, "/_matrix/client/v3/account/deactivate".to_owned(), json!({})),
        "delete_devices" => (
            Method::POST,
            "/_matrix/client/v3/delete_devices".to_owned(),
            json!({"devices": [alice.device_id()]}),
        ),
        _ => (Method::DELETE, path!("/_matrix/client/v3/devices/{}", alice.device_id()), json!({})),
    };

    let challenge = alice.request(method, target).json(&body).must_be(401).await?;

    must_offer_flows(&challenge)?;
    alice.whoami().await?.must_hold("/user_id", alice.id())?;
    hs.log_in(alice.id(), alice.password()).await?.must_hold("/user_id", alice.id())
}

fn protected() -> [&'static str; 4] {
    ["account/password", "account/deactivate", "delete_devices", "devices"]
}

/// A stage that was not passed is answered with 401, a standard error and the flows, so that the client can try again.
#[conformance(
    spec = "client-server-api/#user-interactive-api-in-the-rest-api",
    level = Must,
    severity = Interop
)]
async fn failed_stage_repeats_the_challenge(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let body = json!({"new_password": "another password"});
    let challenge = challenge(&alice, Method::POST, &password_target(), &body).await?;

    let mut stage = alice.password_stage(&challenge);
    stage["password"] = json!("not the password");
    let refusal = attempt(&alice, Method::POST, &password_target(), &body, stage).await?.must_be(401)?;

    refusal.must_have_text("/errcode")?;
    refusal.must_have_text("/error")?;
    must_offer_flows(&refusal)
}

/// A stage that failed can be tried again within the session, and then the request succeeds.
#[conformance(
    spec = "client-server-api/#user-interactive-api-in-the-rest-api",
    level = Must,
    severity = Usability
)]
async fn failed_stage_can_be_repeated(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let body = json!({"devices": [phone.device_id()]});
    let target = "/_matrix/client/v3/delete_devices";
    let challenge = challenge(&alice, Method::POST, target, &body).await?;

    let mut wrong = alice.password_stage(&challenge);
    wrong["password"] = json!("not the password");
    let refusal = attempt(&alice, Method::POST, target, &body, wrong).await?.must_be(401)?;
    attempt(&alice, Method::POST, target, &body, alice.password_stage(&refusal)).await?.must_succeed()?;

    phone.must_be_logged_out().await
}

/// A session alone, of which no stage is complete, is answered with a challenge.
#[conformance(
    spec = "client-server-api/#user-interactive-api-in-the-rest-api",
    level = Must,
    severity = Security
)]
async fn session_alone_is_not_enough(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let body = json!({"devices": [phone.device_id()]});
    let target = "/_matrix/client/v3/delete_devices";
    let challenge = challenge(&alice, Method::POST, target, &body).await?;

    let session = json!({"session": challenge.at("/session")});
    attempt(&alice, Method::POST, target, &body, session).await?.must_be(401)?;

    phone.whoami().await.map(drop)
}

/// A stage that begins none of the flows is answered with 401, and opens nothing.
#[conformance(
    spec = "client-server-api/#overview",
    level = Must,
    severity = Security,
    each = strange_stages,
    proves = ["client-server-api/overview/3"]
)]
async fn flow_is_followed_in_order(hs: &Homeserver, strange: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let body = json!({"devices": [phone.device_id()]});
    let target = "/_matrix/client/v3/delete_devices";
    let challenge = challenge(&alice, Method::POST, target, &body).await?;
    let flows = challenge.must_have_list("/flows")?;
    if flows.iter().any(|flow| flow["stages"][0] == strange) {
        return Err(Stop::NotApplicable(format!("a flow begins with {strange}")));
    }

    let stage = json!({"type": strange, "session": challenge.at("/session")});
    attempt(&alice, Method::POST, target, &body, stage).await?.must_be(401)?;

    phone.whoami().await.map(drop)
}

fn strange_stages() -> [&'static str; 2] {
    ["m.login.dummy", "m.login.terms"]
}

/// Repeating a request whose stages are all complete gives its result again or a challenge, and no other error.
#[conformance(
    spec = "client-server-api/#user-interactive-api-in-the-rest-api",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/user-interactive-api-in-the-rest-api/4"]
)]
async fn completed_stage_is_no_error(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let body = json!({"devices": [phone.device_id()]});
    let target = "/_matrix/client/v3/delete_devices";
    let challenge = challenge(&alice, Method::POST, target, &body).await?;
    let stage = alice.password_stage(&challenge);
    attempt(&alice, Method::POST, target, &body, stage.clone()).await?.must_succeed()?;

    let repeated = attempt(&alice, Method::POST, target, &body, stage).await?;

    let status = repeated.status().as_u16();
    repeated
        .must(status == 200 || status == 401, "status 200 or 401", || repeated.exchange().response.in_short())
}

/// The password stage takes the localpart of the user as well as the full user id.
#[conformance(spec = "client-server-api/#matrix-user-id", level = Must, severity = Interop)]
async fn password_stage_takes_the_localpart(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let body = json!({"devices": [phone.device_id()]});
    let target = "/_matrix/client/v3/delete_devices";
    let challenge = challenge(&alice, Method::POST, target, &body).await?;

    let mut stage = alice.password_stage(&challenge);
    stage["identifier"]["user"] = json!(alice.localpart());
    attempt(&alice, Method::POST, target, &body, stage).await?.must_succeed()?;

    phone.must_be_logged_out().await
}

/// A third-party identifier that the server does not know is refused with 403 in the password stage.
#[conformance(
    spec = "client-server-api/#password-based",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/password-based/2"]
)]
async fn unknown_third_party_identifier_is_forbidden(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let body = json!({"new_password": "another password"});
    let challenge = challenge(&alice, Method::POST, &password_target(), &body).await?;

    let mut stage = alice.password_stage(&challenge);
    let address = format!("{}@nowhere.invalid", alice.localpart());
    stage["identifier"] = json!({"type": "m.id.thirdparty", "medium": "email", "address": address});
    attempt(&alice, Method::POST, &password_target(), &body, stage).await?.must_be(403)?;

    hs.log_in(alice.id(), alice.password()).await?.must_hold("/user_id", alice.id())
}

/// Nobody passes the stages of an account with the credentials of another one.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountpassword", level = Must, severity = Security)]
async fn credentials_of_others_are_refused(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let body = json!({"new_password": "chosen by eve"});
    let challenge = challenge(&alice, Method::POST, &password_target(), &body).await?;

    let mut stage = eve.password_stage(&challenge);
    stage["session"] = challenge.at("/session").clone();
    attempt(&alice, Method::POST, &password_target(), &body, stage).await?.must_be_refused()?;

    hs.log_in(alice.id(), "chosen by eve").must_refuse(403, "M_FORBIDDEN").await?;
    hs.log_in(alice.id(), alice.password()).await?.must_hold("/user_id", alice.id())
}

/// The challenge to a request without `auth`; the test does not apply where a password alone is not enough.
pub(crate) async fn challenge(
    user: &User,
    method: Method,
    target: &str,
    body: &Value,
) -> Result<Answer, Stop> {
    let answer = user.request(method, target).json(body).answer().await?;
    if answer.exchange().response.is_unrecognized() {
        return answer.must_succeed();
    }
    let challenge = answer.must_be(401)?;
    let flows = challenge.must_have_list("/flows")?;
    if flows.iter().any(|flow| flow["stages"] == json!(["m.login.password"])) {
        return Ok(challenge);
    }
    Err(Stop::NotApplicable("no flow consists of the m.login.password stage alone".to_owned()))
}

/// The request again, with this `auth` object.
pub(crate) async fn attempt(
    user: &User,
    method: Method,
    target: &str,
    body: &Value,
    stage: Value,
) -> Result<Answer, Stop> {
    let mut body = body.clone();
    body["auth"] = stage;
    user.request(method, target).json(&body).answer().await
}

/// Requires a list of flows, each of which is a list of stages.
pub(crate) fn must_offer_flows(challenge: &Answer) -> Verdict {
    let flows = challenge.must_have_list("/flows")?;
    let stages =
        |flow: &Value| flow["stages"].as_array().is_some_and(|stages| stages.iter().all(Value::is_string));
    let well_formed = !flows.is_empty() && flows.iter().all(stages);
    challenge
        .must(well_formed, "at least one flow, each with a list of stages", || format!("flows: {flows:?}"))
}

fn password_target() -> String {
    "/_matrix/client/v3/account/password".to_owned()
}
