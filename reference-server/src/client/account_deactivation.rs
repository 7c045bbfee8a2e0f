//! Ending an account: client-server-api/#account-deactivation.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use super::user_interactive_authentication::{Attempt, Stage, nobody};
use crate::device_lists;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::request::{Body, Fields, MaybeRequester};
use crate::store::accounts;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/account/deactivate", post(deactivate))
}

async fn deactivate(
    State(server): State<Arc<Homeserver>>,
    MaybeRequester(requester): MaybeRequester,
    body: Body,
) -> Answer {
    let erase = body.flag("erase")?;
    let attempt = Attempt {
        operation: "deactivate",
        stage: Stage::Password,
        user_id: requester.as_ref().map(|requester| requester.user_id.as_str()),
        body: &body,
    };
    let user_id = attempt.allow(&server).await?.ok_or_else(nobody)?;
    let erased = erase.then(|| server.stream.reached());
    let ended = user_id.clone();
    device_lists::change(&server, &user_id, move |connection, position| {
        accounts::deactivate(connection, &ended, position)?;
        erased.map_or(Ok(()), |position| accounts::erase(connection, &ended, position))
    })
    .await?;
    if let Some(position) = erased {
        let rooms = server.timelines.of_user(&user_id);
        rooms.iter().for_each(|room| room.set_erased(&user_id, position));
    }
    // No address was ever bound through this server, so there is none that an identity server keeps.
    Ok(Json(json!({"id_server_unbind_result": "success"})))
}
