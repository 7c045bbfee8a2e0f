//! `server-server-api/#openid`

use http::Method;
use serde_json::json;
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

const USERINFO: &str = "/_matrix/federation/v1/openid/userinfo";

/// A token that a user asked for tells a third party who the user is.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1openiduserinfo",
    level = Must,
    severity = Interop
)]
async fn token_tells_who_the_user_is(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let path = path!("/_matrix/client/v3/user/{}/openid/request_token", alice.id());
    let token = alice.post(path, json!({})).await?.must_have_text("/access_token")?;
    let call = hs.federation_request(Method::GET, USERINFO)?;
    call.query("access_token", &token).await?.must_hold("/sub", alice.id())
}

/// What a token may be instead.
fn other_tokens() -> impl Iterator<Item = &'static str> {
    ["unknown", "access token"].into_iter()
}

/// A token that is not one of OpenID tells nothing.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1openiduserinfo",
    level = Must,
    severity = Security,
    each = other_tokens
)]
async fn other_token_tells_nothing(hs: &Homeserver, token: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let token = if token == "unknown" { "unknown" } else { alice.token() };
    let call = hs.federation_request(Method::GET, USERINFO)?;
    call.query("access_token", token).must_refuse(401, "M_UNKNOWN_TOKEN").await.map(drop)
}
