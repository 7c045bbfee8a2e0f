//! Who one is: client-server-api/#current-account-information.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use crate::error::Answer;
use crate::request::GuestOrUser;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/account/whoami", get(whoami))
}

async fn whoami(GuestOrUser(requester): GuestOrUser) -> Answer {
    Ok(Json(json!({
        "user_id": requester.user_id,
        "device_id": requester.device_id,
        "is_guest": requester.guest,
    })))
}
