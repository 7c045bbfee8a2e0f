//! `client-server-api/#sso-client-loginauthentication`

use protocol::identifiers::UserId;
use serde_json::json;
use suite_attribute::conformance;
use url::Url;

use crate::{
    cast::{Answer, Homeserver, User, neighbour::openid_provider::ID},
    path,
    verdict::{Stop, Verdict, must},
};

/// A browser is sent to the identity provider, and comes back to the client with a token that logs its user in.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3loginssoredirectidpid",
    level = Must,
    severity = Interop,
    needs = "sso",
    each = redirects,
    proves = [
        "client-server-api/get_matrixclientv3loginssoredirect/2",
        "client-server-api/get_matrixclientv3loginssoredirectidpid/1",
    ]
)]
async fn user_of_a_provider_logs_in(hs: &Homeserver, redirect: &'static str) -> Verdict {
    let token = login_token(hs, redirect, &hs.unused_localpart()).await?;
    let login = json!({"type": "m.login.token", "token": token});
    let session = hs.post("/_matrix/client/v3/login", login.clone()).await?;
    must_be_a_user_id(hs, &session)?;
    hs.post("/_matrix/client/v3/login", login).must_be_refused().await.map(drop)
}

fn redirects() -> [&'static str; 2] {
    ["of a provider", "of the only one"]
}

/// Whatever a user is called at the provider, they get a valid user id, the same one every time.
#[conformance(
    spec = "client-server-api/#handling-the-callback-from-the-authentication-server",
    level = Must,
    severity = Interop,
    needs = "sso",
    each = names,
    proves = ["client-server-api/handling-the-callback-from-the-authentication-server/2"]
)]
async fn name_becomes_a_user_id(hs: &Homeserver, name: &'static str) -> Verdict {
    let name = format!("{name}{}", hs.unused_localpart());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let token = login_token(hs, "of a provider", &name).await?;
        let login = json!({"type": "m.login.token", "token": token});
        let answer = hs.post("/_matrix/client/v3/login", login).answer().await?;
        // A server may ask its new users for a name instead.
        if !answer.status().is_success() {
            return answer.must_be_refused().map(drop);
        }
        ids.push(must_be_a_user_id(hs, &answer)?);
    }
    must(ids[0] == ids[1], ids[0].clone(), || ids[1].clone())
}

fn names() -> [&'static str; 3] {
    ["Capitals", "signs+*@", "words with blanks"]
}

/// A user id of the server, in the grammar for new ones.
fn must_be_a_user_id(hs: &Homeserver, session: &Answer) -> Result<String, Stop> {
    let user_id = session.must_have_text("/user_id")?;
    let parsed = UserId::parse_current(&user_id);
    let is_valid = parsed.as_ref().is_ok_and(|parsed| parsed.server_name() == hs.name());
    session.must(is_valid, format!("a user id of {}", hs.name()), || user_id.clone())?;
    Ok(user_id)
}

/// The providers are listed with the login flows.
#[conformance(
    spec = "client-server-api/#client-login-via-sso",
    level = Must,
    severity = Interop,
    needs = "sso"
)]
async fn providers_are_listed(hs: &Homeserver) -> Verdict {
    hs.must_know_the_openid_provider()?;
    let flows = hs.get("/_matrix/client/v3/login").await?;
    let list = flows.must_have_list("/flows")?;
    let flow = list.iter().find(|flow| flow["type"] == "m.login.sso").cloned().unwrap_or_default();
    let listed =
        flow["identity_providers"].as_array().is_some_and(|list| list.iter().any(|it| it["id"] == ID));
    flows.must(listed, format!("the provider {ID}"), || flow.to_string())
}

/// A provider that the server does not know leads nowhere.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3loginssoredirectidpid",
    level = Must,
    severity = Interop,
    needs = "sso"
)]
async fn unknown_provider_is_not_found(hs: &Homeserver) -> Verdict {
    hs.must_know_the_openid_provider()?;
    let path = path!("/_matrix/client/v3/login/sso/redirect/{}", "nobody");
    hs.get(path).query("redirectUrl", "https://client.example/").must_be(404).await.map(drop)
}

/// A user of a provider confirms there what needs user-interactive authentication, and nobody else can do so.
#[conformance(
    spec = "client-server-api/#sso-during-user-interactive-authentication",
    level = Must,
    severity = Security,
    needs = "sso",
    proves = ["client-server-api/fallback/2", "client-server-api/fallback/3"]
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

/// The icons of identity providers are given out on the older paths of media, in spite of the freeze.
#[conformance(
    spec = "client-server-api/#content-repo-client-behaviour",
    level = Should,
    severity = Usability,
    since = "v1.12",
    needs = "sso",
    each = older_paths,
    proves = ["client-server-api/content-repo-client-behaviour/5"]
)]
async fn icons_are_not_frozen(hs: &Homeserver, operation: &'static str) -> Verdict {
    let flows = hs.get("/_matrix/client/v3/login").await?;
    let providers = flows.at("/flows").as_array().into_iter().flatten();
    let mut providers =
        providers.flat_map(|flow| flow["identity_providers"].as_array().into_iter().flatten());
    let Some(icon) = providers.find_map(|provider| provider["icon"].as_str()) else {
        return Err(Stop::NotApplicable("no identity provider has an icon".to_owned()));
    };
    let media = icon.strip_prefix("mxc://").ok_or_else(|| Stop::unmet("an mxc URI", icon.to_owned()))?;
    let target = match operation {
        "download" => format!("/_matrix/media/v3/download/{media}"),
        "download with a name" => format!("/_matrix/media/v3/download/{media}/icon.png"),
        _ => format!("/_matrix/media/v3/thumbnail/{media}?width=8&height=8"),
    };
    let answer = hs.get(target).must_be(200).await?;
    let is_image = image::load_from_memory(answer.body()).is_ok();
    answer.must(is_image, "an image", || format!("{} bytes", answer.body().len()))?;
    if operation == "download with a name" {
        let disposition = answer.header("content-disposition").unwrap_or_default();
        answer.must(disposition.contains("icon.png"), "the name of the path", || disposition.to_owned())?;
    }
    Ok(())
}

fn older_paths() -> [&'static str; 3] {
    ["download", "download with a name", "thumbnail"]
}

/// A session of somebody who has that name at the provider.
async fn user_of_the_provider(hs: &Homeserver, name: &str) -> Result<User, Stop> {
    let token = login_token(hs, "of a provider", name).await?;
    let session =
        hs.post("/_matrix/client/v3/login", json!({"type": "m.login.token", "token": token})).await?;
    hs.session(&session, "")
}

/// What the client is handed when somebody has logged in at the provider under a name.
async fn login_token(hs: &Homeserver, redirect: &str, name: &str) -> Result<String, Stop> {
    hs.must_know_the_openid_provider()?;
    let path = match redirect {
        "of a provider" => path!("/_matrix/client/v3/login/sso/redirect/{}", ID),
        _ => "/_matrix/client/v3/login/sso/redirect".to_owned(),
    };
    let sent = hs.get(path).query("redirectUrl", "https://client.example/?kept=1").must_be(302).await?;
    let errand = Errand { provider: location(&sent)?, cookie: cookie(&sent) };
    let asks = errand.parameter("response_type");
    sent.must(asks == "code", "a request for a code", || errand.provider.to_string())?;
    let back = come_back(hs, &errand, name).await?;
    let client = location(&back)?;
    let returned = client.as_str().starts_with("https://client.example/?kept=1");
    back.must(returned, "the URL of the client", || client.to_string())?;
    let token =
        client.query_pairs().find(|(name, _)| name == "loginToken").map(|(_, token)| token.into_owned());
    Ok(token.unwrap_or_default())
}

/// A browser on its way to the provider.
struct Errand {
    provider: Url,
    cookie: String,
}

impl Errand {
    fn parameter(&self, name: &str) -> String {
        let found = self.provider.query_pairs().find(|(found, _)| found == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

/// The page of the stage: it leads to the provider, at once or by a link.
async fn fallback(hs: &Homeserver, session: &str) -> Result<Errand, Stop> {
    let page =
        hs.get("/_matrix/client/v3/auth/m.login.sso/fallback/web").query("session", session).answer().await?;
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

/// The provider takes everybody at their word, and sends the browser back.
async fn come_back(hs: &Homeserver, errand: &Errand, name: &str) -> Result<Answer, Stop> {
    let callback = Url::parse(&errand.parameter("redirect_uri"));
    let callback = callback.map_err(|_| Stop::unmet("a redirect_uri", errand.provider.to_string()))?;
    let back = hs.get(callback.path()).query("state", errand.parameter("state")).query("code", name);
    back.header("cookie", &errand.cookie).answer().await
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    cookie.unwrap_or_default().to_owned()
}

fn shows_completion(answer: &Answer) -> bool {
    answer.status().is_success() && text(answer).contains("authDone")
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

fn location(answer: &Answer) -> Result<Url, Stop> {
    let location = answer.header("location").unwrap_or_default();
    Url::parse(location).map_err(|_| Stop::unmet("a redirect", format!("{} {location:?}", answer.status())))
}
