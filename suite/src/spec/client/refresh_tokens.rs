//! `client-server-api/#refreshing-access-tokens`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

/// A refresh token gives a new access token for the same user and the same device.
#[conformance(
    spec = "client-server-api/#relationship-between-access-tokens-and-devices",
    level = Must,
    severity = Interop,
    since = "v1.3",
    proves = ["client-server-api/relationship-between-access-tokens-and-devices/1"]
)]
async fn keeps_the_device(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (phone, token) = session(&alice, json!({})).await?;

    let refreshed = refresh(hs, &token).await?;

    let renewed = hs.get(WHOAMI).token(&refreshed.must_have_text("/access_token")?).await?;
    renewed.must_hold("/user_id", alice.id())?;
    renewed.must_hold("/device_id", phone.device_id())
}

/// A refresh token can be used again as long as neither of the new tokens was: a lost answer loses no session.
#[conformance(
    spec = "client-server-api/#refreshing-access-tokens",
    level = Must,
    severity = Usability,
    since = "v1.3"
)]
async fn lost_answer_can_be_repeated(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (phone, token) = session(&alice, json!({})).await?;
    refresh(hs, &token).await?;

    let repeated = refresh(hs, &token).await?;

    let renewed = hs.get(WHOAMI).token(&repeated.must_have_text("/access_token")?).await?;
    renewed.must_hold("/device_id", phone.device_id())
}

/// A refresh token is revoked as soon as the new access token is used.
#[conformance(
    spec = "client-server-api/#refreshing-access-tokens",
    level = Must,
    severity = Security,
    since = "v1.3"
)]
async fn dies_when_the_new_access_token_is_used(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (_, token) = session(&alice, json!({})).await?;
    let refreshed = rotated(refresh(hs, &token).await?)?;
    hs.get(WHOAMI).token(&refreshed.must_have_text("/access_token")?).await?;

    refresh(hs, &token).must_be_refused().await.map(drop)
}

/// A refresh token is revoked as soon as the new refresh token is used, and the chain goes on with the new one.
#[conformance(
    spec = "client-server-api/#refreshing-access-tokens",
    level = Must,
    severity = Security,
    since = "v1.3"
)]
async fn dies_when_the_new_refresh_token_is_used(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (phone, token) = session(&alice, json!({})).await?;
    let second = rotated(refresh(hs, &token).await?)?;
    let third = refresh(hs, &second.must_have_text("/refresh_token")?).await?;

    refresh(hs, &token).must_be_refused().await?;
    let renewed = hs.get(WHOAMI).token(&third.must_have_text("/access_token")?).await?;
    renewed.must_hold("/device_id", phone.device_id())
}

/// A refresh token that was used already is refused with 401.
#[conformance(spec = "client-server-api/#post_matrixclientv3refresh", level = Must, severity = Interop, since = "v1.3")]
async fn used_token_is_unauthorized(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (_, token) = session(&alice, json!({})).await?;
    let refreshed = rotated(refresh(hs, &token).await?)?;
    hs.get(WHOAMI).token(&refreshed.must_have_text("/access_token")?).await?;

    refresh(hs, &token).must_be(401).await.map(drop)
}

/// A refresh token that was never issued is refused with `M_UNKNOWN_TOKEN`.
#[conformance(spec = "client-server-api/#post_matrixclientv3refresh", level = Must, severity = Security, since = "v1.3")]
async fn unknown_token_is_refused(hs: &Homeserver) -> Verdict {
    let refusal = refresh(hs, "made up").answer().await?;
    if refusal.exchange().response.is_unrecognized() {
        return refusal.must_succeed().map(drop);
    }
    refusal.must_refuse(401, "M_UNKNOWN_TOKEN").map(drop)
}

/// An access token is no refresh token.
#[conformance(spec = "client-server-api/#post_matrixclientv3refresh", level = Must, severity = Security, since = "v1.3")]
async fn access_token_does_not_refresh(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (phone, _) = session(&alice, json!({})).await?;
    refresh(hs, phone.token()).must_be_refused().await.map(drop)
}

/// A login on the same device ends the refresh token that the device had.
#[conformance(
    spec = "client-server-api/#relationship-between-access-tokens-and-devices",
    level = Should,
    severity = Security,
    since = "v1.3"
)]
async fn known_device_loses_its_old_refresh_token(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (_, token) = session(&alice, json!({"device_id": "POCKET"})).await?;
    session(&alice, json!({"device_id": "POCKET"})).await?;

    refresh(hs, &token).must_be_refused().await.map(drop)
}

/// A transaction id that was used before the refresh is recognized after it: the device is the same.
#[conformance(
    spec = "client-server-api/#transaction-identifiers",
    level = Should,
    severity = Usability,
    since = "v1.7"
)]
async fn transaction_ids_outlive_it(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (phone, token) = session(&alice, json!({})).await?;
    let room = alice.create_room(json!({})).await?;
    let target = path!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, "the same transaction");
    let body = json!({"msgtype": "m.text", "body": "said once"});
    let first = phone.put(target.clone(), body.clone()).await?;

    let refreshed = refresh(hs, &token).await?;
    let renewed = hs.put(target, body).token(&refreshed.must_have_text("/access_token")?).await?;

    renewed.must_hold("/event_id", first.must_have_text("/event_id")?)
}

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// A session with a refresh token; the test does not apply where the server issues none.
async fn session(user: &User, fields: serde_json::Value) -> Result<(User, String), Stop> {
    let identifier = json!({"type": "m.id.user", "user": user.id()});
    let mut body = json!({"type": "m.login.password", "identifier": identifier, "password": user.password()});
    body["refresh_token"] = json!(true);
    if let Some(device) = fields.get("device_id") {
        body["device_id"] = device.clone();
    }
    let opened = user.homeserver().post("/_matrix/client/v3/login", body).await?;
    match opened.at("/refresh_token").as_str() {
        Some(token) => Ok((user.homeserver().session(&opened, user.password())?, token.to_owned())),
        None => Err(Stop::NotApplicable("the server issues no refresh tokens".to_owned())),
    }
}

fn refresh(hs: &Homeserver, token: &str) -> Call {
    hs.post("/_matrix/client/v3/refresh", json!({"refresh_token": token}))
}

/// The old refresh token is only revoked where there is a new one.
fn rotated(refreshed: Answer) -> Result<Answer, Stop> {
    match refreshed.at("/refresh_token").is_string() {
        true => Ok(refreshed),
        false => Err(Stop::NotApplicable("the refresh token stays the same".to_owned())),
    }
}
