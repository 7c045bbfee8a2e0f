//! `client-server-api/#sso-during-user-interactive-authentication`

use serde_json::json;
use suite_attribute::conformance;
use url::Url;

use super::sso_client_login_authentication::{
    Errand, come_back, cookie, location, text, user_of_the_provider,
};
use crate::{
    cast::{Answer, Homeserver},
    path,
    verdict::{Stop, Verdict},
};

/// A user of a provider confirms there what needs user-interactive authentication, and nobody else can do so.
#[conformance(
    spec = "client-server-api/#sso-during-user-interactive-authentication",
    level = Must,
    severity = Security,
    needs = "sso",
    proves = [
        "client-server-api/fallback/2",
        "client-server-api/fallback/3",
        "client-server-api/redirecting-to-the-authentication-server-1/1",
        "client-server-api/redirecting-to-the-authentication-server-1/2",
        "client-server-api/redirecting-to-the-authentication-server-1/4",
    ]
)]
async fn provider_confirms_an_operation(hs: &Homeserver) -> Verdict {
    let name = hs.unused_localpart();
    let alice = user_of_the_provider(hs, &name).await?;
    let tablet = user_of_the_provider(hs, &name).await?;
    let device = path!("/_matrix/client/v3/devices/{}", tablet.device_id());
    let challenge = alice.delete(&device).json(&json!({})).must_be(401).await?;
    let offered =
        challenge.must_have_list("/flows")?.iter().any(|flow| flow["stages"] == json!(["m.login.sso"]));
    if !offered {
        return Err(Stop::Observed("a user of a provider is asked for something else".to_owned()));
    }
    let session = challenge.must_have_text("/session")?;
    let retry = || alice.delete(&device).json(&json!({"auth": {"session": session}}));

    // Somebody else at the same provider.
    let refusal = come_back(hs, &fallback(hs, &session).await?, &hs.unused_localpart()).await?;
    refusal.must(!shows_completion(&refusal), "no completion for another user", || text(&refusal))?;
    retry().must_be(401).await?;

    let page = come_back(hs, &fallback(hs, &session).await?, &name).await?;
    page.must(shows_completion(&page), "the script that tells the client of the completion", || text(&page))?;
    retry().await?;
    tablet.must_be_logged_out().await
}

/// The page of the stage says what is to be allowed before it leads to the provider, and a browser that has not seen it
/// confirms nothing.
#[conformance(
    spec = "client-server-api/#security-considerations-15",
    level = Should,
    severity = Security,
    needs = "sso",
    proves = [
        "client-server-api/security-considerations-15/1",
        "client-server-api/security-considerations-15/2",
        "client-server-api/redirecting-to-the-authentication-server-1/3",
        "client-server-api/handling-the-callback-from-the-authentication-server-1/1",
    ]
)]
async fn user_is_asked_whether_to_go_on(hs: &Homeserver) -> Verdict {
    let name = hs.unused_localpart();
    let alice = user_of_the_provider(hs, &name).await?;
    let tablet = user_of_the_provider(hs, &name).await?;
    let device = path!("/_matrix/client/v3/devices/{}", tablet.device_id());
    let challenge = alice.delete(&device).json(&json!({})).must_be(401).await?;
    let session = challenge.must_have_text("/session")?;
    let page = hs.get(FALLBACK).query("session", &session).answer().await?;
    page.must(page.status() == 200, "a page that asks the user", || page.exchange().response.in_short())?;

    let mut errand = fallback(hs, &session).await?;
    errand.cookie = String::new();
    let unsolicited = come_back(hs, &errand, &name).await?;
    unsolicited.must(!shows_completion(&unsolicited), "no completion", || text(&unsolicited))?;
    alice.delete(&device).json(&json!({"auth": {"session": session}})).must_be(401).await?;
    tablet.whoami().await.map(drop)
}

const FALLBACK: &str = "/_matrix/client/v3/auth/m.login.sso/fallback/web";

/// The page of the stage: it leads to the provider, at once or by a link.
async fn fallback(hs: &Homeserver, session: &str) -> Result<Errand, Stop> {
    let page = hs.get(FALLBACK).query("session", session).answer().await?;
    let cookie = cookie(&page);
    if page.status().is_redirection() {
        return Ok(Errand { provider: location(&page)?, cookie });
    }
    let shown = text(&page).replace("&amp;", "&");
    let mut links = shown.split(['"', '\'']).filter_map(|part| Url::parse(part).ok());
    let leads = |url: &Url| url.query_pairs().any(|(name, _)| name == "redirect_uri");
    let provider = links.find(leads).ok_or_else(|| Stop::unmet("a link to the provider", shown.clone()))?;
    Ok(Errand { provider, cookie })
}

fn shows_completion(answer: &Answer) -> bool {
    answer.status().is_success() && text(answer).contains("authDone")
}
