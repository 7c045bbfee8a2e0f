//! Ending sessions, one or all: client-server-api/#login.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use super::Routes;
use crate::error::{Answer, empty};
use crate::homeserver::Homeserver;
use crate::request::Requester;
use crate::store::devices;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/logout", post(logout))
        .route("/_matrix/client/v3/logout/all", post(logout_all))
}

async fn logout(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    server.store.write(move |c| devices::delete(c, &requester.user_id, &requester.device_id)).await?;
    empty()
}

async fn logout_all(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    server.store.write(move |c| devices::delete_all_but(c, &requester.user_id, None)).await?;
    empty()
}
