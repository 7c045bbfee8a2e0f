//! Pages for clients that do not know a stage: client-server-api/#fallback.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};

use super::Stage;
use crate::client::{Routes, sso_client_login};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::{Path, Query};

pub(in crate::client) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/auth/{stage}/fallback/web", get(show).post(complete))
}

/// A page that asks for what the stage needs.
async fn show(
    State(server): State<Arc<Homeserver>>,
    Path(stage): Path<String>,
    query: Query,
) -> Result<Response, MatrixError> {
    let session = query.required("session")?;
    if stage == Stage::Sso.name() && !server.config.identity_providers.is_empty() {
        return sso_client_login::confirm(&server, session).await;
    }
    Ok(page(form(&server, find(&stage)?, None)).into_response())
}

/// Takes what the page has sent, to the page's own address: the session stands there.
async fn complete(
    State(server): State<Arc<Homeserver>>,
    Path(stage): Path<String>,
    query: Query,
    body: Bytes,
) -> Result<Html<String>, MatrixError> {
    let stage = find(&stage)?;
    let session = query.required("session")?;
    let form_data = Query::parse(&String::from_utf8_lossy(&body));
    let mut auth = Map::new();
    for (field, name) in [("token", "token"), ("g-recaptcha-response", "response")] {
        if let Some(text) = form_data.text(field) {
            auth.insert(name.to_owned(), Value::from(text));
        }
    }
    match stage.check(&server, None, &auth).await {
        Err(error) => Ok(page(form(&server, stage, Some(error.message())))),
        Ok(proved) => {
            let known = server.challenges.complete(session, stage, proved);
            known
                .then(completion)
                .ok_or_else(|| MatrixError::not_found("there is no such session: begin again"))
        }
    }
}

/// The stages that a page can complete. Who has a password or an address needs no page.
fn find(name: &str) -> Result<Stage, MatrixError> {
    let shown = |stage: &Stage| {
        matches!(stage, Stage::Dummy | Stage::Terms | Stage::Recaptcha | Stage::RegistrationToken)
    };
    let stage = Stage::ALL.into_iter().filter(shown).find(|stage| stage.name() == name);
    stage.ok_or_else(|| MatrixError::not_found("there is no page for this stage"))
}

fn form(server: &Homeserver, stage: Stage, complaint: Option<&str>) -> Markup {
    let registration = &server.config.registration;
    html! {
        @if let Some(complaint) = complaint { p role="alert" { (complaint) } }
        form method="post" {
            @match stage {
                Stage::Terms => {
                    p { "To go on, you have to agree to:" }
                    ul {
                        @for policy in registration.terms.values() {
                            li { a href=(policy.url) target="_blank" rel="noopener" { (policy.name) } }
                        }
                    }
                    button { "I agree" }
                }
                Stage::RegistrationToken => {
                    label { "Registration token " input name="token" required autocomplete="off"; }
                    button { "Go on" }
                }
                Stage::Recaptcha => {
                    script src="https://www.google.com/recaptcha/api.js" async defer {}
                    @if let Some(recaptcha) = &registration.recaptcha {
                        div .g-recaptcha data-sitekey=(recaptcha.public_key) {}
                    }
                    button { "Go on" }
                }
                _ => button { "Go on" }
            }
        }
    }
}

/// Tells the window that has opened this one, in both ways that the text has.
pub(in crate::client) fn completion() -> Html<String> {
    page(html! {
        p { "Thank you. You can close this window." }
        script { (PreEscaped(
            "if (window.onAuthDone) { window.onAuthDone(); } \
             else if (window.opener && window.opener.postMessage) { window.opener.postMessage('authDone', '*'); }"
        )) }
    })
}

fn page(content: Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Authentication" }
            }
            body { (content) }
        }
    };
    Html(page.into_string())
}
