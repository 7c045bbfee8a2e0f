//! What a client learns before it logs in: client-server-api/#server-discovery.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::json;

use super::Routes;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::request::MaybeRequester;

/// Releases of the specification whose clients are at home here.
const VERSIONS: [&str; 19] = [
    "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12",
    "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
];

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/versions", get(versions))
        .route("/.well-known/matrix/client", get(well_known))
}

async fn versions(MaybeRequester(_): MaybeRequester) -> Answer {
    Ok(Json(json!({"versions": VERSIONS, "unstable_features": {}})))
}

async fn well_known(State(server): State<Arc<Homeserver>>) -> Answer {
    Ok(Json(json!({"m.homeserver": {"base_url": server.base_url}})))
}
