//! Logging in at an identity provider, by OpenID Connect: client-server-api/#sso-client-loginauthentication.

mod icon;
mod provider;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use http::HeaderMap;
use http::header::{COOKIE, SET_COOKIE};
use maud::{DOCTYPE, Markup, html};
use protocol::base64;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(super) use self::icon::is_icon;
pub(crate) use self::icon::keep_icons;
use self::provider::Somebody;
use super::Routes;
use super::registration::{create, free_user_id};
use super::user_interactive_authentication::{Stage, completion};
use crate::clock::now_ms;
use crate::config::IdentityProvider;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::{Path, Query};
use crate::store::accounts::Account;
use crate::store::{access, oauth};
use crate::token;

/// Where the provider sends browsers back to; the operator tells it.
const CALLBACK: &str = "/_determinant/sso/callback";

/// What binds a login to the browser that has begun it.
const COOKIE_NAME: &str = "determinant_sso";

/// How long a login at the provider may take.
const LIFETIME_MS: i64 = 10 * 60_000;

/// How long a login token lasts
/// (client-server-api/#handling-the-callback-from-the-authentication-server).
const TOKEN_LIFETIME_MS: i64 = 5_000;

/// The logins that have begun.
#[derive(Debug, Default)]
pub(crate) struct Logins(Mutex<HashMap<String, Login>>);

#[derive(Debug)]
struct Login {
    provider_id: String,
    purpose: Purpose,
    verifier: String,
    /// What the browser that has begun it carries.
    browser: String,
    since_ms: i64,
}

/// What somebody logs in at a provider for.
#[derive(Debug, Clone)]
enum Purpose {
    /// To open a session of the client that has sent the browser, and takes it back at this URL.
    Session(Url),
    /// To allow an operation that waits in a session of user-interactive authentication.
    Operation(String),
}

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/login/sso/redirect", get(redirect))
        .route("/_matrix/client/v3/login/sso/redirect/{provider_id}", get(redirect_to))
        .route(CALLBACK, get(come_back))
}

/// The flow of `GET /login`, where there are providers.
pub(super) fn flow(server: &Homeserver) -> Option<Value> {
    let providers = &server.config.identity_providers;
    let describe = |provider: &IdentityProvider| {
        let mut described = json!({"id": provider.id, "name": provider.name});
        if let Some(uri) = icon::uri(server, provider) {
            described["icon"] = uri.into();
        }
        described
    };
    (!providers.is_empty() && server.config.authentication.legacy).then(|| {
        let providers: Vec<Value> = providers.iter().map(describe).collect();
        json!({"type": "m.login.sso", "identity_providers": providers})
    })
}

async fn redirect(State(server): State<Arc<Homeserver>>, query: Query) -> Result<Response, MatrixError> {
    let redirect_url = redirect_url(&query)?;
    match server.config.identity_providers.as_slice() {
        [] => Err(MatrixError::unrecognized("this server has no single sign-on")),
        [provider] => send(&server, provider, redirect_url).await,
        providers => Ok(choose(providers, &redirect_url)),
    }
}

async fn redirect_to(
    State(server): State<Arc<Homeserver>>,
    Path(provider_id): Path<String>,
    query: Query,
) -> Result<Response, MatrixError> {
    let redirect_url = redirect_url(&query)?;
    if server.config.identity_providers.is_empty() {
        return Err(MatrixError::unrecognized("this server has no single sign-on"));
    }
    let provider = find(&server, &provider_id)?;
    send(&server, provider, redirect_url).await
}

fn redirect_url(query: &Query) -> Result<Url, MatrixError> {
    query.one_of("action", &["login", "register"])?;
    let url = Url::parse(query.required("redirectUrl")?);
    let url =
        url.map_err(|error| MatrixError::invalid_param(format!("redirectUrl must be a URL: {error}")))?;
    // A script would run with the rights of whoever shows the page that leads there.
    if matches!(url.scheme(), "javascript" | "data" | "vbscript") {
        return Err(MatrixError::invalid_param("redirectUrl must not be a script"));
    }
    Ok(url)
}

fn find<'a>(server: &'a Homeserver, id: &str) -> Result<&'a IdentityProvider, MatrixError> {
    let mut providers = server.config.identity_providers.iter();
    let provider = providers.find(|provider| provider.id == id);
    provider.ok_or_else(|| MatrixError::not_found("there is no identity provider of this id"))
}

/// The page of the stage `m.login.sso`: it says what is asked for, because the provider does not
/// (client-server-api/#sso-during-user-interactive-authentication).
pub(super) async fn confirm(server: &Homeserver, session: &str) -> Result<Response, MatrixError> {
    let Some(operation) = server.challenges.operation(session) else {
        return Err(MatrixError::not_found("there is no such session: begin again"));
    };
    let browser = token::opaque(32);
    let mut links = Vec::new();
    for provider in &server.config.identity_providers {
        let purpose = Purpose::Operation(session.to_owned());
        links.push((&provider.name, begin(server, provider, purpose, &browser).await?));
    }
    let page = page(html! {
        p { "A client of yours wants to go on with this: " strong { (operation.replace('_', " ")) } "." }
        p { "If you did not expect that, close this page: somebody else may be using your account." }
        @for (name, url) in links { p { a href=(url.as_str()) { "Confirm with " (name) } } }
    });
    Ok(([(SET_COOKIE, cookie(&browser))], page).into_response())
}

async fn send(
    server: &Homeserver,
    provider: &IdentityProvider,
    redirect_url: Url,
) -> Result<Response, MatrixError> {
    let browser = token::opaque(32);
    let url = begin(server, provider, Purpose::Session(redirect_url), &browser).await?;
    let headers = [(http::header::LOCATION, url.to_string()), (SET_COOKIE, cookie(&browser))];
    Ok((http::StatusCode::FOUND, headers).into_response())
}

/// Begins a login; gives the page of the provider on which it goes on.
async fn begin(
    server: &Homeserver,
    provider: &IdentityProvider,
    purpose: Purpose,
    browser: &str,
) -> Result<Url, MatrixError> {
    let (state, verifier) = (token::opaque(32), token::opaque(64));
    let challenge = base64::encode_url_safe(Sha256::digest(&verifier));
    let callback = callback(server);
    let url = provider::authorization_url(server, provider, &callback, &state, &challenge).await?;
    let (now_ms, browser) = (now_ms(), browser.to_owned());
    let login = Login { provider_id: provider.id.clone(), purpose, verifier, browser, since_ms: now_ms };
    let mut logins = server.logins.0.lock().unwrap_or_else(PoisonError::into_inner);
    logins.retain(|_, login| login.since_ms + LIFETIME_MS > now_ms);
    logins.insert(state, login);
    Ok(url)
}

fn cookie(browser: &str) -> String {
    format!("{COOKIE_NAME}={browser}; Path={CALLBACK}; HttpOnly; SameSite=Lax; Max-Age=600")
}

/// The provider has sent a browser back.
async fn come_back(
    State(server): State<Arc<Homeserver>>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, MatrixError> {
    let login = take(&server, query.required("state")?, &headers)?;
    if let Some(error) = query.text("error") {
        return Err(MatrixError::forbidden(format!("the identity provider refuses: {error}")));
    }
    let provider = find(&server, &login.provider_id)?;
    let code = query.required("code")?;
    let somebody = provider::identify(&server, provider, &callback(&server), code, &login.verifier).await?;
    match login.purpose {
        Purpose::Session(redirect_url) => {
            let user_id = user_of(&server, provider, somebody).await?;
            let login_token = login_token(&server, user_id).await?;
            Ok(hand_over(&server, with_token(redirect_url, &login_token)))
        }
        Purpose::Operation(session) => {
            let known = known_user(&server, provider, &somebody).await?.unwrap_or_default();
            if server.challenges.approve(&session, Stage::Sso, &known) {
                return Ok(completion().into_response());
            }
            Err(MatrixError::forbidden("this has taken too long, or it is another user's: begin again"))
        }
    }
}

/// The login that a browser has come back for.
fn take(server: &Homeserver, state: &str, headers: &HeaderMap) -> Result<Login, MatrixError> {
    let mut logins = server.logins.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Who has not begun this login here must not end it: it may be another's, and be meant to log them in.
    if !logins.get(state).is_some_and(|login| carries(headers, &login.browser)) {
        return Err(MatrixError::forbidden("this login was not begun in this browser"));
    }
    let login = logins.remove(state).filter(|login| login.since_ms + LIFETIME_MS > now_ms());
    login.ok_or_else(|| MatrixError::forbidden("this login has taken too long: begin again"))
}

async fn login_token(server: &Homeserver, user_id: String) -> Result<String, MatrixError> {
    let login_token = token::opaque(32);
    let digest = token::digest(&login_token);
    let add = move |c: &rusqlite::Connection| {
        access::add_login_token(c, &digest, &user_id, now_ms() + TOKEN_LIFETIME_MS)
    };
    server.store.write(add).await?;
    Ok(login_token)
}

fn callback(server: &Homeserver) -> String {
    format!("{}{CALLBACK}", server.base_url.trim_end_matches('/'))
}

fn carries(headers: &HeaderMap, browser: &str) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(name, value)| name == COOKIE_NAME && value == browser)
}

/// The token takes the place of any that is there.
fn with_token(mut url: Url, login_token: &str) -> Url {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "loginToken")
        .map(|(n, v)| (n.into_owned(), v.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair("loginToken", login_token);
    url
}

/// The user that somebody is, who is made at the first login.
async fn user_of(
    server: &Homeserver,
    provider: &IdentityProvider,
    somebody: Somebody,
) -> Result<String, MatrixError> {
    if let Some(user_id) = known_user(server, provider, &somebody).await? {
        return Ok(user_id);
    }
    let localpart = localpart(&somebody.name);
    let mut user_id = free_user_id(server, &localpart).await;
    let mut number = 2;
    while user_id.is_err() && number <= 100 {
        user_id = free_user_id(server, &format!("{localpart}{number}")).await;
        number += 1;
    }
    let user_id = user_id?;
    create(server, Account { user_id: user_id.clone(), ..Account::default() }).await?;
    let (issuer, subject, id) = (provider.issuer.clone(), somebody.subject, user_id.clone());
    server.store.write(move |c| oauth::add_provider_user(c, &issuer, &subject, &id)).await?;
    Ok(user_id)
}

async fn known_user(
    server: &Homeserver,
    provider: &IdentityProvider,
    somebody: &Somebody,
) -> Result<Option<String>, MatrixError> {
    let (issuer, subject) = (provider.issuer.clone(), somebody.subject.clone());
    Ok(server.store.read(move |c| oauth::provider_user(c, &issuer, &subject)).await?)
}

/// appendices/#mapping-from-other-character-sets
fn localpart(name: &str) -> String {
    let mut localpart = String::new();
    for byte in name.to_lowercase().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'/' => localpart.push(char::from(byte)),
            b'_' => localpart.push('_'),
            _ => localpart.push_str(&format!("={byte:02x}")),
        }
    }
    localpart
}

/// To a client that the operator trusts at once, to others when the user has seen where it goes
/// (client-server-api/#security-considerations).
fn hand_over(server: &Homeserver, url: Url) -> Response {
    let trusted = &server.config.authentication.trusted_clients;
    if trusted.iter().any(|prefix| url.as_str().starts_with(prefix)) {
        return Redirect::to(url.as_str()).into_response();
    }
    let place = url.host_str().unwrap_or(url.scheme());
    page(html! {
        p { "A client at " strong { (place) } " wants to use your account." }
        p { a href=(url.as_str()) { "Go on" } }
    })
}

fn choose(providers: &[IdentityProvider], redirect_url: &Url) -> Response {
    let encoded =
        percent_encoding::utf8_percent_encode(redirect_url.as_str(), percent_encoding::NON_ALPHANUMERIC);
    page(html! {
        p { "Log in with" }
        ul {
            @for provider in providers {
                li { a href=(format!("redirect/{}?redirectUrl={encoded}", provider.id)) { (provider.name) } }
            }
        }
    })
}

fn page(content: Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta name="referrer" content="no-referrer"; title { "Log in" } }
            body { (content) }
        }
    };
    Html(page.into_string()).into_response()
}

#[cfg(test)]
mod tests {
    use reqwest::Url;
    use rstest::rstest;

    use super::{localpart, with_token};

    #[rstest]
    #[case("Alice", "alice")]
    #[case("alice@example.org", "alice=40example.org")]
    #[case("Zoë", "zo=c3=ab")]
    fn names_become_localparts(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(localpart(name), expected);
    }

    #[rstest]
    #[case("https://a.example/?loginToken=old&b=1", "https://a.example/?b=1&loginToken=new")]
    #[case("app:/back", "app:/back?loginToken=new")]
    fn a_token_is_added_once(#[case] url: &str, #[case] expected: &str) {
        assert_eq!(with_token(Url::parse(url).expect("a URL"), "new").as_str(), expected);
    }
}
