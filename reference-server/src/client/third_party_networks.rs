//! Looking things up in other networks: client-server-api/#third-party-networks. Application services
//! would bring them, and there are none: nothing is found.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::request::Requester;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/thirdparty/protocols", get(protocols))
        .route("/_matrix/client/v3/thirdparty/protocol/{protocol}", get(nothing))
        .route("/_matrix/client/v3/thirdparty/location/{protocol}", get(nothing))
        .route("/_matrix/client/v3/thirdparty/user/{protocol}", get(nothing))
        .route("/_matrix/client/v3/thirdparty/location", get(nothing))
        .route("/_matrix/client/v3/thirdparty/user", get(nothing))
}

async fn protocols(_: Requester) -> Answer {
    Ok(Json(json!({})))
}

async fn nothing(_: Requester) -> Answer {
    Err(MatrixError::not_found("this server is connected to no other network"))
}
