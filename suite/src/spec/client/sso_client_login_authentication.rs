//! `client-server-api/#sso-client-loginauthentication`

use serde_json::json;
use suite_attribute::conformance;
use url::Url;

use crate::{
    cast::{Answer, Homeserver, neighbour::openid_provider::ID},
    path,
    verdict::{Stop, Verdict},
};

/// A browser is sent to the identity provider, and comes back to the client with a token that logs its user in.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3loginssoredirectidpid",
    level = Must,
    severity = Interop,
    needs = "sso",
    each = redirects
)]
async fn user_of_a_provider_logs_in(hs: &Homeserver, redirect: &'static str) -> Verdict {
    hs.must_know_the_openid_provider()?;
    let path = match redirect {
        "of a provider" => path!("/_matrix/client/v3/login/sso/redirect/{}", ID),
        _ => "/_matrix/client/v3/login/sso/redirect".to_owned(),
    };
    let sent = hs.get(path).query("redirectUrl", "https://client.example/?kept=1").must_be(302).await?;
    let provider = location(&sent)?;
    let parameter = |name: &str| {
        provider
            .query_pairs()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    sent.must(parameter("response_type") == "code", "a request for a code", || provider.to_string())?;

    let callback = Url::parse(&parameter("redirect_uri"))
        .map_err(|_| Stop::unmet("a redirect_uri", provider.to_string()))?;
    let cookies = sent.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap_or_default();
    let name = hs.unused_localpart();
    let back = hs
        .get(callback.path())
        .query("state", parameter("state"))
        .query("code", &name)
        .header("cookie", cookies)
        .answer()
        .await?;
    let client = location(&back)?;
    back.must(
        client.as_str().starts_with("https://client.example/?kept=1"),
        "the URL of the client",
        || client.to_string(),
    )?;
    let token =
        client.query_pairs().find(|(name, _)| name == "loginToken").map(|(_, token)| token.into_owned());
    let login = json!({"type": "m.login.token", "token": token.unwrap_or_default()});
    let session = hs.post("/_matrix/client/v3/login", login.clone()).await?;
    session.must_have_text("/user_id")?;
    hs.post("/_matrix/client/v3/login", login).must_be_refused().await.map(drop)
}

fn redirects() -> [&'static str; 2] {
    ["of a provider", "of the only one"]
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

fn location(answer: &Answer) -> Result<Url, Stop> {
    let location = answer.header("location").unwrap_or_default();
    Url::parse(location).map_err(|_| Stop::unmet("a redirect", format!("{} {location:?}", answer.status())))
}
