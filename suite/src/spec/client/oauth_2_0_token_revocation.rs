//! `client-server-api/#token-revocation`

use suite_attribute::conformance;

use super::oauth_2_0_grant_types::{WHOAMI, Wish};
use crate::{cast::Homeserver, verdict::Verdict};

/// The revocation of either token of a session ends both.
#[conformance(
    spec = "client-server-api/#token-revocation",
    level = Must,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    each = tokens,
    proves = ["client-server-api/token-revocation/5"]
)]
async fn revocation_ends_both_tokens(hs: &Homeserver, token: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let wish = Wish::of_a_web_client(hs).await?;
    let granted = wish.granted_by(&alice).await?;
    let (access, refresh) =
        (granted.must_have_text("/access_token")?, granted.must_have_text("/refresh_token")?);

    wish.revoke(&granted.must_have_text(&format!("/{token}"))?, Some(&wish.client_id)).await?.must_be(200)?;

    hs.get(WHOAMI).token(&access).must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    wish.refresh(&refresh).await?.must_be(400).map(drop)
}

fn tokens() -> [&'static str; 2] {
    ["access_token", "refresh_token"]
}

/// A leaked token can be revoked by whoever finds it, and a token that is revoked already is no error.
#[conformance(
    spec = "client-server-api/#token-revocation",
    level = Should,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    each = finders,
    proves = ["client-server-api/token-revocation/4", "client-server-api/token-revocation/6"]
)]
async fn leaked_token_can_be_revoked(hs: &Homeserver, finder: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let wish = Wish::of_a_web_client(hs).await?;
    let access = wish.granted_by(&alice).await?.must_have_text("/access_token")?;
    let other = Wish::of(hs, "web", "https://found.client.example/callback").await?.client_id;
    let client_id = (finder == "another client").then_some(other.as_str());
    for _ in 0..2 {
        wish.revoke(&access, client_id).await?.must_be(200)?;
        hs.get(WHOAMI).token(&access).must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    }
    Ok(())
}

fn finders() -> [&'static str; 2] {
    ["nobody", "another client"]
}
