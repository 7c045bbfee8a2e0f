//! Tokens that prove to others who one is, and open nothing here: client-server-api/#openid.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use crate::clock::now_ms;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::request::{BodyOrNothing, Path, Requester};
use crate::store::access;
use crate::token;

/// How long a token vouches for its owner.
const LIFETIME_S: i64 = 3600;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/user/{user_id}/openid/request_token", post(request_token))
}

async fn request_token(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(user_id): Path<String>,
    BodyOrNothing(_): BodyOrNothing,
) -> Answer {
    requester.must_be(&user_id)?;
    let token = token::opaque(32);
    let digest = token::digest(&token);
    let expires_ms = now_ms() + LIFETIME_S * 1000;
    server.store.write(move |c| access::add_openid_token(c, &digest, &user_id, expires_ms)).await?;
    Ok(Json(json!({
        "access_token": token,
        "token_type": "Bearer",
        "matrix_server_name": server.name(),
        "expires_in": LIFETIME_S,
    })))
}
