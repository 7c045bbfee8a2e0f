//! Ending an account: client-server-api/#account-deactivation.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use super::leaving_rooms::part_from_all;
use super::user_interactive_authentication::{Attempt, nobody};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, MaybeRequester, Requester};
use crate::store::{accounts, addresses};
use crate::{device_lists, identity};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/account/deactivate", post(deactivate))
}

async fn deactivate(
    State(server): State<Arc<Homeserver>>,
    MaybeRequester(requester): MaybeRequester,
    body: Body,
) -> Answer {
    let erase = body.flag("erase")? && !commits(Fault::ErasureNotAskedFor);
    requester.as_ref().map_or(Ok(()), Requester::must_not_be_oauth)?;
    let claimed = requester.as_ref().map(|requester| requester.user_id.as_str());
    let proved = Attempt::with_password("deactivate", claimed, &body).allow(&server).await?;
    let user_id = proved.user_id.ok_or_else(nobody)?;
    let unbound = end(&server, &user_id, erase, body.optional_text("id_server")?).await?;
    Ok(Json(json!({"id_server_unbind_result": if unbound { "success" } else { "no-support" }})))
}

/// Ends an account. Says whether the identity servers have forgotten its addresses: those that know them, or the one that is
/// named.
pub(super) async fn end(
    server: &Arc<Homeserver>,
    user_id: &str,
    erase: bool,
    identity_server: Option<&str>,
) -> Result<bool, MatrixError> {
    let unbound = unbind_all(server, user_id, identity_server).await?;
    let erased = erase.then(|| server.stream.reached());
    let ended = user_id.to_owned();
    device_lists::change(server, user_id, move |connection, position| {
        accounts::deactivate(connection, &ended, position)?;
        addresses::remove_all(connection, &ended)?;
        erased.map_or(Ok(()), |position| accounts::erase(connection, &ended, position))
    })
    .await?;
    if let Some(position) = erased {
        let rooms = server.timelines.of_user(user_id);
        rooms.iter().for_each(|room| room.set_erased(user_id, position));
    }
    // The text leaves open what becomes of memberships. Nobody should wait for somebody who cannot return.
    part_from_all(server, user_id);
    Ok(unbound)
}

/// Has identity servers forget the addresses of a user; those that know them, or the one that is named. Says whether
/// they did.
async fn unbind_all(server: &Homeserver, user_id: &str, named: Option<&str>) -> Result<bool, MatrixError> {
    let owner = user_id.to_owned();
    let bindings = server.store.read(move |connection| addresses::bindings(connection, &owner)).await?;
    let mut all = true;
    for (address, identity_server) in
        bindings.into_iter().filter(|_| !commits(Fault::BindingsOutliveAccounts))
    {
        let identity_server = named.unwrap_or(&identity_server);
        all &= identity::unbind(server, identity_server, &address, user_id).await;
    }
    Ok(all)
}
