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
    since = "v1.2",
    proves = ["client-server-api/get_matrixclientv1registermloginregistration_tokenvalidity/2"]
)]
async fn unknown_token_is_not_valid(hs: &Homeserver) -> Verdict {
    validity(hs, "no-such-token").await?.must_hold("/valid", false)
}

/// A server that does not let clients register says so to whoever asks about a registration token.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity",
    level = Must,
    severity = Interop,
    since = "v1.2"
)]
async fn closed_registration_has_no_tokens(hs: &Homeserver) -> Verdict {
    let answer = hs.get(VALIDITY).query("token", "no-such-token").answer().await?;
    if answer.status().is_success() {
        return Err(Stop::NotApplicable("clients may register".to_owned()));
    }
    answer.must_refuse(403, "M_FORBIDDEN").map(drop)
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

/// An unknown registration token does not complete its stage, and a known one does so in the same session.
#[conformance(
    spec = "client-server-api/#token-authenticated-registration",
    level = Must,
    severity = Security,
    since = "v1.2",
    needs = "registration_token"
)]
async fn token_completes_its_stage(hs: &Homeserver) -> Verdict {
    let token = token(hs)?;
    let body = json!({"username": hs.unused_localpart(), "password": "a password"});
    let challenge = hs.registration_before(STAGE, &body).await?;
    let attempt = |token: &str| {
        let mut body = body.clone();
        body["auth"] = json!({"type": STAGE, "token": token, "session": challenge.at("/session")});
        hs.post(REGISTER, body)
    };
    let completes = |answer: &Answer| {
        answer.at("/completed").as_array().is_some_and(|stages| stages.iter().any(|stage| stage == STAGE))
    };

    let refused = attempt("no-such-token").must_be(401).await?;
    refused.must_have_list("/flows")?;
    refused.must(!completes(&refused), "an incomplete stage", || refused.at("/completed").to_string())?;

    let accepted = attempt(token).answer().await?;
    if accepted.status() == 401 {
        return accepted.must(completes(&accepted), "the completed stage", || accepted.json().to_string());
    }
    accepted.must_succeed()?.must_have_text("/user_id").map(drop)
}

/// A registration token that the server does not know is refused for what it is: no authorisation.
#[conformance(
    spec = "client-server-api/#other-error-codes",
    level = May,
    severity = Usability,
    since = "v1.2",
    needs = "registration_token"
)]
async fn unknown_token_is_unauthorized(hs: &Homeserver) -> Verdict {
    token(hs)?;
    let mut body = json!({"username": hs.unused_localpart(), "password": "a password"});
    let challenge = hs.registration_before(STAGE, &body).await?;
    body["auth"] = json!({"type": STAGE, "token": "no-such-token", "session": challenge.at("/session")});
    hs.post(REGISTER, body).must_refuse(401, "M_UNAUTHORIZED").await.map(drop)
}

/// A token of the target's own registers accounts.
#[conformance(
    spec = "client-server-api/#token-authenticated-registration",
    level = Must,
    severity = Usability,
    since = "v1.2",
    needs = "registration_token"
)]
async fn token_registers(hs: &Homeserver) -> Verdict {
    token(hs)?;
    let username = hs.unused_localpart();
    let answer =
        hs.register(json!({"username": username, "password": "a password"})).await?.must_succeed()?;
    let user_id = answer.must_have_text("/user_id")?;
    hs.log_in(&user_id, "a password").await?.must_hold("/user_id", user_id)
}

const STAGE: &str = "m.login.registration_token";
const REGISTER: &str = "/_matrix/client/v3/register";
const VALIDITY: &str = "/_matrix/client/v1/register/m.login.registration_token/validity";

async fn validity(hs: &Homeserver, token: &str) -> Result<Answer, Stop> {
    let answer = hs.get(VALIDITY).query("token", token).answer().await?;
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
