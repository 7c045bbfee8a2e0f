//! Credentials for servers that relay calls: client-server-api/#voice-over-ip.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use protocol::base64;
use serde_json::json;
use sha1::Sha1;

use super::Routes;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::Requester;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/voip/turnServer", get(credentials))
}

/// Credentials that a TURN server can check by itself: the name says when they end, and the password is a message
/// authentication code over the name (draft-uberti-behave-turn-rest-00).
async fn credentials(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    let turn = server.config.turn.as_ref();
    let turn = turn.ok_or_else(|| MatrixError::not_found("this server knows no server that relays calls"))?;
    let ends_s = now_ms() / 1000 + i64::from(turn.lifetime_s);
    let username = format!("{ends_s}:{}", requester.user_id);
    let mut code =
        Hmac::<Sha1>::new_from_slice(turn.shared_secret.as_bytes()).map_err(MatrixError::internal)?;
    code.update(username.as_bytes());
    // Twenty bytes end in one character of padding, which TURN servers expect.
    let password = format!("{}=", base64::encode(code.finalize().into_bytes()));
    Ok(Json(json!({
        "username": username,
        "password": password,
        "uris": turn.uris,
        "ttl": turn.lifetime_s,
    })))
}
