//! `client-server-api/#sso-client-loginauthentication`

use protocol::identifiers::UserId;
use serde_json::json;
use suite_attribute::conformance;
use url::Url;

use crate::{
    cast::{Answer, Call, Homeserver, User, neighbour::openid_provider::ID},
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
        "client-server-api/redirecting-to-the-authentication-server/1",
        "client-server-api/redirecting-to-the-authentication-server/2",
        "client-server-api/redirecting-to-the-authentication-server/4",
        "client-server-api/handling-the-callback-from-the-authentication-server/3",
        "client-server-api/handling-the-callback-from-the-authentication-server/4",
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

/// The icons of identity providers are given out on the older paths of media, in spite of the freeze.
#[conformance(
    spec = "client-server-api/#content-repo-client-behaviour",
    level = Should,
    severity = Usability,
    since = "v1.12",
    needs = "sso",
    each = older_paths,
    proves = [
        "client-server-api/content-repo-client-behaviour/5",
        "client-server-api/definition-mloginsso-flow-schema/4",
    ]
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

/// The ids of identity providers are opaque: letters, digits and a few signs, 255 at most.
#[conformance(
    spec = "client-server-api/#definition-mloginsso-flow-schema",
    level = Should,
    severity = Interop,
    needs = "sso",
    proves = ["client-server-api/definition-mloginsso-flow-schema/5"]
)]
async fn ids_of_providers_are_opaque(hs: &Homeserver) -> Verdict {
    let flows = hs.get("/_matrix/client/v3/login").await?;
    let providers = flows.at("/flows").as_array().into_iter().flatten();
    let providers = providers.flat_map(|flow| flow["identity_providers"].as_array().into_iter().flatten());
    let ids: Vec<&str> = providers.filter_map(|provider| provider["id"].as_str()).collect();
    if ids.is_empty() {
        return Err(Stop::NotApplicable("no identity provider is listed".to_owned()));
    }
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_opaque = |id: &&str| (1..=255).contains(&id.len()) && id.bytes().all(permitted);
    flows.must(ids.iter().all(is_opaque), "1 to 255 of the characters 0-9, a-z, A-Z and -._~", || {
        format!("{ids:?}")
    })
}

/// A login token that stands in the client's address already gives way to the new one.
#[conformance(
    spec = "client-server-api/#handling-the-callback-from-the-authentication-server",
    level = Should,
    severity = Security,
    needs = "sso",
    proves = ["client-server-api/handling-the-callback-from-the-authentication-server/6"]
)]
async fn older_login_token_is_replaced(hs: &Homeserver) -> Verdict {
    let (errand, _) = set_out(hs, "of a provider", "https://client.example/?loginToken=old&kept=1").await?;
    let back = come_back(hs, &errand, &hs.unused_localpart()).await?;
    let client = location(&back)?;
    let tokens: Vec<String> = values(&client, "loginToken");
    back.must(tokens.len() == 1 && tokens[0] != "old", "one login token, a new one", || client.to_string())?;
    back.must(values(&client, "kept") == ["1"], "the rest of the address", || client.to_string())
}

/// A browser that has begun nothing gets no login for coming back from the provider, and neither does one that the provider
/// refuses.
#[conformance(
    spec = "client-server-api/#security-considerations-14",
    level = Should,
    severity = Security,
    needs = "sso",
    each = suspicious_returns,
    proves = [
        "client-server-api/security-considerations-14/3",
        "client-server-api/redirecting-to-the-authentication-server/3",
        "client-server-api/handling-the-callback-from-the-authentication-server/1",
    ]
)]
async fn suspicious_return_logs_nobody_in(hs: &Homeserver, suspicion: &'static str) -> Verdict {
    let (mut errand, _) = set_out(hs, "of a provider", CLIENT).await?;
    let answer = match suspicion {
        "another browser" => {
            errand.cookie = String::new();
            come_back(hs, &errand, &hs.unused_localpart()).await?
        }
        "unknown state" => {
            errand.replace("state", "never-given");
            come_back(hs, &errand, &hs.unused_localpart()).await?
        }
        _ => errand.callback(hs)?.query("error", "access_denied").answer().await?,
    };
    let given = location(&answer).is_ok_and(|url| !values(&url, "loginToken").is_empty());
    let shown = text(&answer).contains("loginToken=");
    answer.must(!given && !shown, "no login token", || answer.exchange().response.in_short())
}

fn suspicious_returns() -> [&'static str; 3] {
    ["another browser", "unknown state", "refusal"]
}

/// Nobody's login is handed to a site that the operator does not know before the user has agreed.
#[conformance(
    spec = "client-server-api/#security-considerations-14",
    level = Should,
    severity = Security,
    needs = "sso",
    proves = [
        "client-server-api/security-considerations-14/1",
        "client-server-api/security-considerations-14/2",
    ]
)]
async fn strange_site_is_not_handed_the_login(hs: &Homeserver) -> Verdict {
    let (errand, sent) = set_out_or_be_asked(hs, "https://stranger.example/").await?;
    // The server may ask before it sends the browser to the provider.
    let Some(errand) = errand else { return sent.must(true, "a question", String::new) };
    let answer = come_back(hs, &errand, &hs.unused_localpart()).await?;
    answer.must(!answer.status().is_redirection(), "a page that asks the user", || {
        answer.exchange().response.in_short()
    })?;
    answer.must(text(&answer).contains("stranger.example"), "the name of the site on it", || text(&answer))
}

/// A session of somebody who has that name at the provider.
pub(super) async fn user_of_the_provider(hs: &Homeserver, name: &str) -> Result<User, Stop> {
    let token = login_token(hs, "of a provider", name).await?;
    let session =
        hs.post("/_matrix/client/v3/login", json!({"type": "m.login.token", "token": token})).await?;
    hs.session(&session, "")
}

/// What the client is handed when somebody has logged in at the provider under a name.
async fn login_token(hs: &Homeserver, redirect: &str, name: &str) -> Result<String, Stop> {
    let (errand, sent) = set_out(hs, redirect, CLIENT).await?;
    let asks = errand.parameter("response_type");
    sent.must(asks == "code", "a request for a code", || errand.provider.to_string())?;
    let back = come_back(hs, &errand, name).await?;
    let client = location(&back)?;
    back.must(client.as_str().starts_with(CLIENT), "the URL of the client", || client.to_string())?;
    Ok(values(&client, "loginToken").pop().unwrap_or_default())
}

/// Where the client is that sends a browser to log in.
const CLIENT: &str = "https://client.example/?kept=1";

/// Sends a browser to the provider, which is to come back to the client.
async fn set_out(hs: &Homeserver, redirect: &str, client: &str) -> Result<(Errand, Answer), Stop> {
    hs.must_know_the_openid_provider()?;
    let path = match redirect {
        "of a provider" => path!("/_matrix/client/v3/login/sso/redirect/{}", ID),
        _ => "/_matrix/client/v3/login/sso/redirect".to_owned(),
    };
    let sent = hs.get(path).query("redirectUrl", client).must_be(302).await?;
    Ok((Errand { provider: location(&sent)?, cookie: cookie(&sent) }, sent))
}

/// The same; no errand where the server has a page to show first.
async fn set_out_or_be_asked(hs: &Homeserver, client: &str) -> Result<(Option<Errand>, Answer), Stop> {
    hs.must_know_the_openid_provider()?;
    let path = path!("/_matrix/client/v3/login/sso/redirect/{}", ID);
    let sent = hs.get(path).query("redirectUrl", client).answer().await?;
    let errand = match sent.status().is_redirection() {
        true => Some(Errand { provider: location(&sent)?, cookie: cookie(&sent) }),
        false => None,
    };
    Ok((errand, sent))
}

/// What a query has under a name.
fn values(url: &Url, name: &str) -> Vec<String> {
    url.query_pairs().filter(|(found, _)| found == name).map(|(_, value)| value.into_owned()).collect()
}

/// A browser on its way to the provider.
pub(super) struct Errand {
    pub(super) provider: Url,
    pub(super) cookie: String,
}

impl Errand {
    fn parameter(&self, name: &str) -> String {
        let found = self.provider.query_pairs().find(|(found, _)| found == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    fn replace(&mut self, name: &str, value: &str) {
        let pairs = self.provider.query_pairs().into_owned();
        let pairs: Vec<_> = pairs
            .map(|(found, old)| if found == name { (found, value.to_owned()) } else { (found, old) })
            .collect();
        self.provider.query_pairs_mut().clear().extend_pairs(pairs);
    }

    /// The way back from the provider, with what the server gave the browser to remember.
    fn callback(&self, hs: &Homeserver) -> Result<Call, Stop> {
        let callback = Url::parse(&self.parameter("redirect_uri"));
        let callback = callback.map_err(|_| Stop::unmet("a redirect_uri", self.provider.to_string()))?;
        let back = hs.get(callback.path()).query("state", self.parameter("state"));
        Ok(if self.cookie.is_empty() { back } else { back.header("cookie", &self.cookie) })
    }
}

/// The provider takes everybody at their word, and sends the browser back.
pub(super) async fn come_back(hs: &Homeserver, errand: &Errand, name: &str) -> Result<Answer, Stop> {
    errand.callback(hs)?.query("code", name).answer().await
}

pub(super) fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    cookie.unwrap_or_default().to_owned()
}

pub(super) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

pub(super) fn location(answer: &Answer) -> Result<Url, Stop> {
    let location = answer.header("location").unwrap_or_default();
    Url::parse(location).map_err(|_| Stop::unmet("a redirect", format!("{} {location:?}", answer.status())))
}
