//! What identity servers tell: server-server-api/#third-party-invites.

use std::sync::Arc;

use axum::extract::State;

use crate::client::third_party_invites::accept;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::request::{Body, Fields};

/// Somebody here has bound an address to which invites were sent. Each invite is proved by its own signature.
pub(super) async fn on_bind(State(server): State<Arc<Homeserver>>, body: Body) -> Answer {
    let user_id = body.text("mxid")?;
    if protocol::identifiers::server_name_of(user_id) != Some(server.name()) {
        return Err(MatrixError::forbidden("this server has no such user"));
    }
    for invite in body.list("invites")? {
        let invite = invite.as_object().ok_or_else(|| MatrixError::bad_json("invites must be objects"))?;
        let signed = invite.object("signed")?;
        if signed.text("mxid")? != user_id {
            return Err(MatrixError::forbidden("an invite is signed for another user"));
        }
        let Some(room) = server.timelines.find(invite.text("room_id")?) else { continue };
        if let Err(error) = accept(&server, &room, signed).await {
            // One invite that has been withdrawn does not stand in the way of the others.
            tracing::info!("invite of {user_id} to {}: {}", room.room_id(), error.message());
        }
    }
    empty()
}
