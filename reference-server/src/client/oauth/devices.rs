//! The device authorization grant: client-server-api/#device-authorisation-flow.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use maud::html;
use serde_json::{Value, json};

use super::LINK;
use super::error::OAuthError;
use super::grants::{DEVICE_INTERVAL_MS, DEVICE_LIFETIME_MS, Decision, Scope};
use super::page::{Answered, Question, form, page, read};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::Query;
use crate::store::oauth;

/// A device wants in.
pub(super) async fn begin(
    State(server): State<Arc<Homeserver>>,
    body: Bytes,
) -> Result<Json<Value>, OAuthError> {
    let form = form(&body);
    let client_id = form.text("client_id").unwrap_or_default().to_owned();
    let id = client_id.clone();
    if server.store.read(move |connection| oauth::client(connection, &id)).await?.is_none() {
        return Err(OAuthError::new("invalid_client", "this client has not registered"));
    }
    let scope = Scope::read(form.text("scope").unwrap_or_default())?;
    let (device_code, user_code) = server.grants.add_device(client_id, scope);
    let link = format!("{}{LINK}", server.base_url.trim_end_matches('/'));
    Ok(Json(json!({
        "device_code": device_code,
        "verification_uri_complete": format!("{link}?user_code={user_code}"),
        "user_code": user_code,
        "verification_uri": link,
        "expires_in": DEVICE_LIFETIME_MS / 1000,
        "interval": DEVICE_INTERVAL_MS / 1000,
    })))
}

pub(super) async fn show(State(server): State<Arc<Homeserver>>, query: Query) -> Response {
    match query.text("user_code") {
        None => type_code(None),
        Some(user_code) => ask(&server, user_code, None),
    }
}

pub(super) async fn decide(
    State(server): State<Arc<Homeserver>>,
    body: Bytes,
) -> Result<Response, MatrixError> {
    let form = form(&body);
    let user_code = form.required("user_code")?;
    if server.grants.typed(user_code).is_none() {
        return Ok(unknown());
    }
    let decision = match read(&server, &form).await? {
        Answered::Mistaken(complaint) => return Ok(ask(&server, user_code, Some(complaint))),
        Answered::Allowed(user_id) => Decision::Granted(user_id),
        Answered::Denied => Decision::Denied,
    };
    let text = match decision {
        Decision::Granted(_) => "Your device is let in. You can close this page.",
        Decision::Denied => "Your device is not let in.",
    };
    server.grants.decide(user_code, decision);
    Ok(page(html! { p { (text) } }))
}

fn ask(server: &Homeserver, user_code: &str, complaint: Option<String>) -> Response {
    let Some(device) = server.grants.typed(user_code) else { return unknown() };
    let question = Question {
        what: html! {
            h1 { "Code " (device.user_code) }
            p { "A device that shows this code wants to use your account, under the name " (device.scope.device_id) "." }
            p { "If you do not have it before you, somebody else has it: do not allow it." }
        },
        hidden: vec![("user_code", user_code)],
        creates: false,
        complaint,
    };
    question.show()
}

fn unknown() -> Response {
    type_code(Some("No device waits under this code, or it has waited too long."))
}

fn type_code(complaint: Option<&str>) -> Response {
    page(html! {
        @if let Some(complaint) = complaint { p role="alert" { (complaint) } }
        form method="get" {
            label { "The code that your device shows " input name="user_code" required autocomplete="off"; }
            button { "Go on" }
        }
    })
}
