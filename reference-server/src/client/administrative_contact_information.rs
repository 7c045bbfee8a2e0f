//! Addresses of an account: client-server-api/#adding-account-administrative-contact-information.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use crate::error::Answer;
use crate::request::Requester;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/account/3pid", get(third_party_identifiers))
}

/// No account here has an address; the capability `m.3pid_changes` says that none can get one.
async fn third_party_identifiers(_: Requester) -> Answer {
    Ok(Json(json!({"threepids": []})))
}
