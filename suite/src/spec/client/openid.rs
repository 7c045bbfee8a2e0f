//! `client-server-api/#openid`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// An OpenID token names the server that vouches for the user, and how long it does.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridopenidrequest_token",
    level = Must,
    severity = Interop
)]
async fn token_names_its_server(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let token = request_token(&alice).await?;
    token.must_have_text("/access_token")?;
    token.must_hold("/token_type", "Bearer")?;
    token.must_hold("/matrix_server_name", hs.name())?;
    let lifetime_s = token.at("/expires_in").as_u64().unwrap_or_default();
    token.must(lifetime_s > 0, "a lifetime above 0 at /expires_in", || token.at("/expires_in").to_string())
}

/// An OpenID token tells the service that the user gives it to, who the user is: an identity server makes an account of it.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1openiduserinfo",
    level = Must,
    severity = Interop
)]
async fn token_tells_a_service_who_the_user_is(hs: &Homeserver) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice] = hs.users().await?;
    let token = request_token(&alice).await?;
    let account = identity.registers(token.json()).await?;
    token.must(account.user_id == alice.id(), format!("an account of {}", alice.id()), || {
        account.user_id.clone()
    })
}

/// An OpenID token gives no access to the account: it neither syncs nor makes another one.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridopenidrequest_token",
    level = Must,
    severity = Security
)]
async fn token_opens_nothing_else(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let token = request_token(&alice).await?.must_have_text("/access_token")?;

    hs.get("/_matrix/client/v3/sync").token(&token).must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    let another = hs.post(alice.own_path("/openid/request_token"), json!({})).token(&token);
    another.must_refuse(401, "M_UNKNOWN_TOKEN").await.map(drop)
}

/// A user cannot have an OpenID token made that vouches for another one.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridopenidrequest_token",
    level = Should,
    severity = Security
)]
async fn nobody_is_vouched_for_at_the_request_of_others(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let refusal = eve.post(alice.own_path("/openid/request_token"), json!({})).must_be_refused().await?;
    refusal.must_lack("/access_token")
}

async fn request_token(user: &User) -> Result<Answer, Stop> {
    user.post(user.own_path("/openid/request_token"), json!({})).await
}
