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
    let mut answer = json!({"user_id": requester.user_id, "is_guest": requester.guest});
    // Application services can be without a device.
    if !requester.device_id.is_empty() {
        answer["device_id"] = requester.device_id.into();
    }
    Ok(Json(answer))
}
