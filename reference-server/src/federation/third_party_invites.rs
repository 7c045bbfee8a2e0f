//! What identity servers tell: server-server-api/#third-party-invites.

use std::sync::Arc;

use axum::extract::State;
use http::Method;
use protocol::Object;
use protocol::identifiers::server_name_of;
use protocol::keys::VerifyKey;
use protocol::signatures;
use serde_json::{Value, json};

use super::path_segment;
use super::pdus::is_of;
use super::request_authentication::Signed;
use super::retrieving_events::resident;
use crate::client::third_party_invites::accept;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::identity;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path};
use crate::rooms::state::StateLookup;
use crate::timeline::Timeline;

/// Somebody here has bound an address to which invites were sent. Each invite is proved by its own signature.
pub(super) async fn on_bind(State(server): State<Arc<Homeserver>>, body: Body) -> Answer {
    let user_id = body.text("mxid")?;
    if protocol::identifiers::server_name_of(user_id) != Some(server.name()) {
        return Err(MatrixError::forbidden("this server has no such user"));
    }
    if commits(Fault::BindingsNotExchanged) {
        return empty();
    }
    for invite in body.list("invites")? {
        let invite = invite.as_object().ok_or_else(|| MatrixError::bad_json("invites must be objects"))?;
        let signed = invite.object("signed")?;
        if signed.text("mxid")? != user_id {
            return Err(MatrixError::forbidden("an invite is signed for another user"));
        }
        let room_id = invite.text("room_id")?;
        let room = server.timelines.find(room_id).filter(|room| room.record().has_server(server.name()));
        let accepted = match room {
            Some(room) => accept(&server, &room, signed).await,
            None => ask_to_exchange(&server, room_id, user_id, invite, signed).await,
        };
        if let Err(error) = accepted {
            // One invite that has been withdrawn does not stand in the way of the others.
            tracing::info!("invite of {user_id} to {room_id}: {}", error.message());
        }
    }
    empty()
}

/// Has the server of whoever invited make an invitation of it.
async fn ask_to_exchange(
    server: &Homeserver,
    room_id: &str,
    user_id: &str,
    invite: &Object,
    signed: &Object,
) -> Result<(), MatrixError> {
    let sender = invite.text("sender")?;
    let destination = server_name_of(sender).unwrap_or_default();
    let display_name = invite.get("display_name").and_then(Value::as_str).unwrap_or(user_id);
    let content = json!({
        "membership": "invite",
        "third_party_invite": {"display_name": display_name, "signed": signed},
    });
    let event = json!({
        "type": "m.room.member",
        "room_id": room_id,
        "sender": sender,
        "state_key": user_id,
        "content": content,
    });
    let path = format!("/_matrix/federation/v1/exchange_third_party_invite/{}", path_segment(room_id));
    server.ask(destination, Method::PUT, &path, Some(&event)).await?;
    Ok(())
}

/// Makes an invitation of a user elsewhere from one by address, which the user has proved to have.
pub(super) async fn exchange(
    State(server): State<Arc<Homeserver>>,
    Path(room_id): Path<String>,
    request: Signed,
) -> Answer {
    let room = resident(&server, &room_id, &request.origin)?;
    let event = &request.content;
    let content = event.object("content")?;
    if event.text("type")? != "m.room.member" || content.text("membership")? != "invite" {
        return Err(MatrixError::invalid_param("the event must be an invitation"));
    }
    if event.get("room_id").is_some_and(|other| *other != room_id.as_str()) {
        return Err(MatrixError::invalid_param("the event belongs to another room"));
    }
    let signed = content.object("third_party_invite")?.object("signed")?;
    let user_id = event.text("state_key")?;
    if signed.text("mxid")? != user_id || !is_of(user_id, &request.origin) {
        return Err(MatrixError::forbidden("the invite is signed for another user"));
    }
    check_key(&server, &room, signed).await?;
    accept(&server, &room, signed).await?;
    empty()
}

/// Whether the identity server still stands by the key with which it has signed; where several keys fit, one is enough
/// (client-server-api/#third-party-invites). That the signature is right is a rule of the room as well.
pub(crate) async fn check_key(
    server: &Homeserver,
    room: &Timeline,
    signed: &Object,
) -> Result<(), MatrixError> {
    if commits(Fault::InviteKeysUnchecked) {
        return Ok(());
    }
    let keys = {
        let record = room.record();
        let now = record.history.now();
        let pending = now.find("m.room.third_party_invite", signed.text("token")?);
        pending.map(|pending| keys_of(pending.object().get("content"))).unwrap_or_default()
    };
    for (key, validity_url) in keys {
        if has_signed(&key, signed) && identity::is_valid(server, &key, validity_url.as_deref()).await? {
            return Ok(());
        }
    }
    Err(MatrixError::forbidden("no valid key of the invite has signed this"))
}

/// The keys of an invite by address, each with where to ask whether it is valid.
fn keys_of(content: Option<&Value>) -> Vec<(String, Option<String>)> {
    let several = content.and_then(|content| content.get("public_keys")?.as_array());
    let all = content.into_iter().chain(several.into_iter().flatten());
    let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
    all.filter_map(|key| Some((text(key, "public_key")?, text(key, "key_validity_url")))).collect()
}

fn has_signed(key: &str, signed: &Object) -> bool {
    let Ok(key) = VerifyKey::from_base64(key) else { return false };
    let signers = signed.get("signatures").and_then(Value::as_object);
    let verifies = |signer: &String| signatures::verify(signed, signer, |_| Some(key)).is_ok();
    signers.is_some_and(|signers| signers.keys().any(verifies))
}
