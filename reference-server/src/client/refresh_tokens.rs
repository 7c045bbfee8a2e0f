//! New tokens for old: client-server-api/#refreshing-access-tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;

use super::Routes;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::request::{Body, Fields};
use crate::session;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/refresh", post(refresh))
}

async fn refresh(State(server): State<Arc<Homeserver>>, body: Body) -> Answer {
    Ok(Json(Value::Object(session::refresh(&server, body.text("refresh_token")?).await?)))
}
