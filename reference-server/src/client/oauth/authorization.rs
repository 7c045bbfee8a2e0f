//! The authorization code grant, as far as a browser sees it: client-server-api/#authorisation-code-flow.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use reqwest::Url;
use serde_json::Value;

use super::error::OAuthError;
use super::grants::{Code, Scope};
use super::page::{Answered, Question, form, page, read};
use super::registration::is_registered;
use crate::homeserver::Homeserver;
use crate::request::Query;
use crate::store::oauth;

/// The parameters, which the page carries on.
const PARAMETERS: [&str; 8] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "response_mode",
    "code_challenge",
    "code_challenge_method",
];

/// A request whose client is known, so that it can be answered there.
struct Request {
    client_id: String,
    client: Value,
    redirect_uri: String,
    in_fragment: bool,
    state: Option<String>,
}

pub(super) async fn show(State(server): State<Arc<Homeserver>>, query: Query) -> Response {
    let request = match Request::read(&server, &query).await {
        Ok(request) => request,
        Err(error) => return refused(&error),
    };
    match check(&query) {
        Ok((scope, _)) => request.ask(&query, &scope, None),
        Err(error) => request.fail(&error),
    }
}

pub(super) async fn decide(State(server): State<Arc<Homeserver>>, body: Bytes) -> Response {
    let form = form(&body);
    let request = match Request::read(&server, &form).await {
        Ok(request) => request,
        Err(error) => return refused(&error),
    };
    let (scope, challenge) = match check(&form) {
        Ok(checked) => checked,
        Err(error) => return request.fail(&error),
    };
    match read(&server, &form).await {
        Err(error) => request.fail(&error.into()),
        Ok(Answered::Denied) => request.fail(&OAuthError::new("access_denied", "the user does not allow it")),
        Ok(Answered::Mistaken(complaint)) => request.ask(&form, &scope, Some(complaint)),
        Ok(Answered::Allowed(user_id)) => {
            let Request { client_id, redirect_uri, .. } = &request;
            let code = Code::new(client_id.clone(), redirect_uri.clone(), challenge, user_id, scope);
            let code = server.grants.add_code(code);
            request.redirect(&[("code", &code)])
        }
    }
}

/// What is asked for, and the challenge of PKCE (RFC 7636).
fn check(query: &Query) -> Result<(Scope, String), OAuthError> {
    if query.text("response_type") != Some("code") {
        return Err(OAuthError::new("unsupported_response_type", "response_type must be code"));
    }
    if !matches!(query.text("response_mode"), None | Some("query" | "fragment")) {
        return Err(OAuthError::invalid_request("response_mode must be query or fragment"));
    }
    if query.text("code_challenge_method") != Some("S256") {
        return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
    }
    let challenge = query.text("code_challenge").filter(|challenge| challenge.len() == 43);
    let challenge = challenge.ok_or_else(|| OAuthError::invalid_request("add code_challenge"))?;
    Ok((Scope::read(query.text("scope").unwrap_or_default())?, challenge.to_owned()))
}

impl Request {
    /// Whose request it is. As long as that is not known, nobody is sent anywhere (RFC 6749, section 4.1.2.1).
    async fn read(server: &Homeserver, query: &Query) -> Result<Self, OAuthError> {
        let client_id = query.text("client_id").unwrap_or_default().to_owned();
        let id = client_id.clone();
        let metadata = server.store.read(move |connection| oauth::client(connection, &id)).await?;
        let client = metadata.and_then(|metadata| serde_json::from_str::<Value>(&metadata).ok());
        let client =
            client.ok_or_else(|| OAuthError::new("invalid_client", "this client has not registered"))?;
        let redirect_uri = query.text("redirect_uri").unwrap_or_default().to_owned();
        if !is_registered(&client, &redirect_uri) {
            return Err(OAuthError::invalid_request("redirect_uri is none that the client has registered"));
        }
        let in_fragment = query.text("response_mode") == Some("fragment");
        let state = query.text("state").map(str::to_owned);
        Ok(Self { client_id, client, redirect_uri, in_fragment, state })
    }

    fn ask(&self, query: &Query, scope: &Scope, complaint: Option<String>) -> Response {
        let says = |name: &str| self.client.get(name).and_then(Value::as_str);
        let name = says("client_name").unwrap_or("A client without a name");
        let question = Question {
            what: html! {
                h1 { (name) }
                p { (says("client_uri").unwrap_or_default()) " wants to use your account, as the device " (scope.device_id) "." }
            },
            hidden: PARAMETERS.iter().filter_map(|name| Some((*name, query.text(name)?))).collect(),
            creates: query.text("prompt") == Some("create"),
            complaint,
        };
        question.show()
    }

    fn fail(&self, error: &OAuthError) -> Response {
        self.redirect(&[("error", error.code), ("error_description", &error.description)])
    }

    fn redirect(&self, answer: &[(&str, &str)]) -> Response {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else {
            return refused(&OAuthError::invalid_request("redirect_uri is no URI"));
        };
        let state = self.state.as_deref().map(|state| ("state", state));
        let answer = answer.iter().copied().chain(state);
        if self.in_fragment {
            let mut scratch = Url::parse("http://localhost/").unwrap_or_else(|_| url.clone());
            scratch.query_pairs_mut().extend_pairs(answer);
            url.set_fragment(scratch.query());
        } else {
            url.query_pairs_mut().extend_pairs(answer);
        }
        Redirect::to(url.as_str()).into_response()
    }
}

fn refused(error: &OAuthError) -> Response {
    let page = page(html! { p role="alert" { "This can not be answered: " (error.description) "." } });
    (http::StatusCode::BAD_REQUEST, page).into_response()
}
