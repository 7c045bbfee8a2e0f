//! Ending sessions, one or all: client-server-api/#login.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use super::Routes;
use crate::device_lists;
use crate::error::{Answer, empty};
use crate::homeserver::Homeserver;
use crate::request::{EvenLocked, Requester};
use crate::store::devices;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/logout", post(logout))
        .route("/_matrix/client/v3/logout/all", post(logout_all))
}

async fn logout(State(server): State<Arc<Homeserver>>, EvenLocked(requester): EvenLocked) -> Answer {
    let Requester { user_id, device_id, .. } = requester;
    let owner = user_id.clone();
    device_lists::change(&server, &user_id, move |c, position| {
        devices::delete(c, &owner, &device_id, position)
    })
    .await?;
    empty()
}

async fn logout_all(State(server): State<Arc<Homeserver>>, EvenLocked(requester): EvenLocked) -> Answer {
    let owner = requester.user_id.clone();
    device_lists::change(&server, &requester.user_id, move |c, position| {
        devices::delete_all_but(c, &owner, None, position)
    })
    .await?;
    empty()
}
