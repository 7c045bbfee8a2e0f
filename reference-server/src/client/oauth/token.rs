//! Tokens for codes and for older tokens, and their end: client-server-api/#grant-types,
//! client-server-api/#token-revocation.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use protocol::base64;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::OAuthError;
use super::grants::Scope;
use super::page::form;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Query;
use crate::session::{self, Wishes};
use crate::store::{access, devices, oauth};
use crate::{device_lists, token};

pub(super) async fn grant(
    State(server): State<Arc<Homeserver>>,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let form = form(&body);
    let required = |name: &str| {
        let text = form.text(name).filter(|text| !text.is_empty());
        text.ok_or_else(|| OAuthError::invalid_request(format!("add {name}")))
    };
    let client_id = required("client_id")?;
    match required("grant_type")? {
        "authorization_code" => {
            let (user_id, scope) = exchange(&server, &form, client_id)?;
            open(&server, client_id, &user_id, scope).await
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            let (user_id, scope) = server.grants.poll(required("device_code")?, client_id)?;
            open(&server, client_id, &user_id, scope).await
        }
        "refresh_token" => refresh(&server, client_id, required("refresh_token")?).await,
        _ => Err(OAuthError::new("unsupported_grant_type", "this server does not know the grant_type")),
    }
}

/// What a code was given for. It serves once, even where it is refused.
fn exchange(server: &Homeserver, form: &Query, client_id: &str) -> Result<(String, Scope), OAuthError> {
    let code = server.grants.take_code(form.text("code").unwrap_or_default());
    let code = code.ok_or_else(|| OAuthError::invalid_grant("code is unknown, used or too old"))?;
    if code.client_id != client_id || form.text("redirect_uri") != Some(&code.redirect_uri) {
        return Err(OAuthError::invalid_grant(
            "code was given to another client or for another redirect_uri",
        ));
    }
    let verifier = form.text("code_verifier").unwrap_or_default();
    if base64::encode_url_safe(Sha256::digest(verifier)) != code.challenge
        && !commits(Fault::CodeVerifiersUnchecked)
    {
        return Err(OAuthError::invalid_grant("code_verifier does not answer the challenge"));
    }
    Ok((code.user_id, code.scope))
}

async fn open(
    server: &Homeserver,
    client_id: &str,
    user_id: &str,
    scope: Scope,
) -> Result<Response, OAuthError> {
    let device_id = scope.device_id.clone();
    let wishes = Wishes { device_id: Some(device_id.clone()), refresh: true, ..Wishes::default() };
    let opened = session::open(server, user_id, wishes).await?;
    let (owner, client_id) = (user_id.to_owned(), client_id.to_owned());
    server.store.write(move |c| oauth::add_session(c, &owner, &device_id, &client_id)).await?;
    Ok(answer(&opened, &scope))
}

async fn refresh(server: &Homeserver, client_id: &str, refresh_token: &str) -> Result<Response, OAuthError> {
    let digest = token::digest(refresh_token);
    let client_id = client_id.to_owned();
    let (owner, spent) = server
        .store
        .read(move |connection| {
            let owner = access::find_refresh(connection, &digest)?;
            let opener = match &owner {
                Some((user_id, device_id)) => oauth::session(connection, user_id, device_id)?,
                None => None,
            };
            Ok((owner.filter(|_| opener == Some(client_id)), oauth::spent(connection, &digest)?))
        })
        .await?;
    if let Some((user_id, device_id)) = spent {
        end(server, user_id, device_id).await?;
        return Err(OAuthError::invalid_grant("refresh_token was replaced: the session has ended"));
    }
    let (_, device_id) = owner.ok_or_else(|| OAuthError::invalid_grant("refresh_token is unknown"))?;
    let refreshed = session::refresh(server, refresh_token).await;
    let refreshed = refreshed.map_err(|error| OAuthError::invalid_grant(error.message().to_owned()))?;
    Ok(answer(&refreshed, &Scope { device_id }))
}

fn answer(fields: &Map<String, Value>, scope: &Scope) -> Response {
    let lifetime_ms = fields.get("expires_in_ms").and_then(Value::as_i64).unwrap_or_default();
    let body = json!({
        "access_token": fields.get("access_token"),
        "token_type": "Bearer",
        "expires_in": lifetime_ms / 1000,
        "refresh_token": fields.get("refresh_token"),
        "scope": scope.text(),
    });
    // RFC 6749, section 5.1.
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Ends the session that a token belongs to. One that is unknown has ended already (RFC 7009, section 2.2).
pub(super) async fn revoke(
    State(server): State<Arc<Homeserver>>,
    body: Bytes,
) -> Result<Json<Value>, OAuthError> {
    let form = form(&body);
    let given = form.text("token").ok_or_else(|| OAuthError::invalid_request("add token"))?;
    let digest = token::digest(given);
    let owner = server
        .store
        .read(move |connection| {
            let owner = match access::find(connection, &digest)? {
                Some(access) => Some((access.user_id, access.device_id)),
                None => access::find_refresh(connection, &digest)?,
            };
            let Some((user_id, device_id)) = owner else { return Ok(None) };
            let opener = oauth::session(connection, &user_id, &device_id)?;
            Ok(Some((user_id, device_id, opener)))
        })
        .await?;
    if let Some((user_id, device_id, opener)) = owner.filter(|_| !commits(Fault::RevokedSessionsLive)) {
        // Whoever has found a token may end it: the client that is named does not matter.
        if opener.is_none() {
            return Err(OAuthError::new("invalid_client", "this is no token of OAuth 2.0"));
        }
        end(&server, user_id, device_id).await?;
    }
    Ok(Json(json!({})))
}

/// The device goes with its session, as at the end of any other (client-server-api/#token-revocation).
async fn end(server: &Homeserver, user_id: String, device_id: String) -> Result<(), OAuthError> {
    let owner = user_id.clone();
    let delete = move |connection: &rusqlite::Connection, position: i64| {
        devices::delete(connection, &owner, &device_id, position)
    };
    Ok(device_lists::change(server, &user_id, delete).await?)
}
