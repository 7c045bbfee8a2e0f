//! `client-server-api/#token-authenticated-registration`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver},
    target::RegistrationMethod,
    verdict::{Stop, Verdict},
};

/// A registration token that the server does not know is not valid.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity",
    level = Must,
    severity = Security,
    since = "v1.2"
)]
async fn unknown_token_is_not_valid(hs: &Homeserver) -> Verdict {
    validity(hs, "no-such-token").await?.must_hold("/valid", false)
}

/// A registration token that the server knows is valid.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity",
    level = Must,
    severity = Usability,
    since = "v1.2",
    needs = "registration_token"
)]
async fn known_token_is_valid(hs: &Homeserver) -> Verdict {
    validity(hs, token(hs)?).await?.must_hold("/valid", true)
}

/// A registration with an unknown token is refused, and one with a known token then succeeds in the same session.
#[conformance(
    spec = "client-server-api/#token-authenticated-registration",
    level = Must,
    severity = Security,
    since = "v1.2",
    needs = "registration_token"
)]
async fn token_opens_registration(hs: &Homeserver) -> Verdict {
    let token = token(hs)?;
    let username = hs.unused_localpart();
    let body =
        |auth: serde_json::Value| json!({"username": username, "password": "a password", "auth": auth});
    let challenge =
        hs.post(REGISTER, json!({"username": username, "password": "a password"})).must_be(401).await?;
    let session = challenge.at("/session");

    let stage = json!({"type": "m.login.registration_token", "token": "no-such-token", "session": session});
    hs.post(REGISTER, body(stage)).must_be(401).await?.must_have_list("/flows")?;
    let stage = json!({"type": "m.login.registration_token", "token": token, "session": session});
    hs.post(REGISTER, body(stage)).await?.must_hold("/user_id", format!("@{username}:{}", hs.name()))
}

const REGISTER: &str = "/_matrix/client/v3/register";

async fn validity(hs: &Homeserver, token: &str) -> Result<Answer, Stop> {
    let target = "/_matrix/client/v1/register/m.login.registration_token/validity";
    let answer = hs.get(target).query("token", token).answer().await?;
    if answer.status() == 403 {
        return Err(Stop::NotApplicable("the server does not let clients register accounts".to_owned()));
    }
    answer.must_succeed()
}

fn token(hs: &Homeserver) -> Result<&str, Stop> {
    match &hs.target().registration {
        RegistrationMethod::Token { token } => Ok(token),
        _ => Err(Stop::NotApplicable("the target names no registration token".to_owned())),
    }
}
