//! Messages and state: client-server-api/#sending-events-to-a-room.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::put;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::joining_rooms::{check_invitee, prepare_join};
use super::redactions::check_redaction;
use super::{Routes, invite_permission, room_aliases, server_notices};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::presence;
use crate::request::{Body, Fields, GuestOrUser, Path, Requester};
use crate::rooms::event::Template;
use crate::store::accounts;
use crate::store::events::Relations;
use crate::store::transactions::{self, Transaction};
use crate::timeline::{Entry, Sending, Timeline};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{transaction_id}", put(send))
}

async fn send(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((room_id, event_type, transaction_id)): Path<(String, String, String)>,
    Body(content): Body,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    check_message(&event_type, &content)?;
    if event_type == "m.room.redaction" {
        check_redaction(&server, &room, &requester, content.text("redacts")?).await?;
    } else if let Err(refusal) = requester.must_not_be_suspended()
        && !server_notices::is_between(&server, &requester.user_id, &room_id).await?
    {
        // Who is suspended can answer the operator, and nobody else (client-server-api/#account-suspension).
        return Err(refusal);
    }
    let endpoint = format!("rooms/{room_id}/send/{event_type}");
    let transaction = transaction(requester.clone(), endpoint, transaction_id);
    check_thread(&server, &room, &content).await?;
    if event_type == "m.reaction"
        && !commits(Fault::AnnotationsRepeated)
        && !is_repeated(&server, &transaction).await?
    {
        check_annotation(&server, &room, &requester, &content).await?;
    }
    let sender = requester.user_id.clone();
    let template = Template { event_type, state_key: None, sender: sender.clone(), content };
    let origin_server_ts = requester.origin_server_ts;
    let sending = Sending { templates: vec![template], transaction: Some(transaction), origin_server_ts };
    let event_id = room.append(&server, sending).await?;
    presence::acted(&server, &sender);
    answer(event_id)
}

/// Sets state.
pub(super) async fn set_state(
    server: &Homeserver,
    requester: &Requester,
    room: &Arc<Timeline>,
    mut template: Template,
) -> Answer {
    let own = template.state_key.as_ref() == Some(&requester.user_id);
    if !own || template.content.get("membership").and_then(Value::as_str) != Some("leave") {
        requester.must_not_be_suspended()?;
    }
    match template.event_type.as_str() {
        "m.room.create" => {
            return Err(MatrixError::bad_json("a room is created once, by the operation createRoom"));
        }
        "m.room.canonical_alias" => room_aliases::check_canonical(server, room, &template.content).await?,
        "m.room.member" => match template.content.text("membership")? {
            "invite" => {
                let invitee = template.state_key.as_deref().unwrap_or_default();
                check_invitee(server, invitee)?;
                invite_permission::must_be_wanted(server, invitee).await?;
            }
            "join" => prepare_join(server, room, requester, &mut template)?,
            "leave" if own => {
                let membership = room.record().membership(&requester.user_id);
                server_notices::may_leave(server, &requester.user_id, room.room_id(), &membership).await?;
            }
            _ => {}
        },
        _ => {}
    }
    let closes = template.event_type == "m.room.guest_access"
        && template.content.get("guest_access").and_then(Value::as_str) != Some("can_join");
    let sending = Sending { origin_server_ts: requester.origin_server_ts, ..template.into() };
    let event_id = room.append(server, sending).await?;
    if closes && !commits(Fault::GuestsStay) {
        send_guests_away(server, room).await?;
    }
    answer(event_id)
}

/// Guests are in a room as long as it lets them in (client-server-api/#guest-access).
async fn send_guests_away(server: &Homeserver, room: &Arc<Timeline>) -> Result<(), MatrixError> {
    let joined: Vec<_> = room.record().joined().map(str::to_owned).collect();
    let guests = server.store.read(move |connection| accounts::guests(connection, &joined)).await?;
    let leave = |user_id: String| Template {
        event_type: "m.room.member".to_owned(),
        state_key: Some(user_id.clone()),
        sender: user_id,
        content: Map::from_iter([("membership".to_owned(), "leave".into())]),
    };
    for guest in guests {
        room.append(server, leave(guest).into()).await?;
    }
    Ok(())
}

/// The id of the event that was sent.
pub(super) fn answer(event_id: String) -> Answer {
    Ok(Json(json!({"event_id": event_id})))
}

/// The transaction that a request is.
pub(super) fn transaction(requester: Requester, endpoint: String, transaction_id: String) -> Transaction {
    Transaction { user_id: requester.user_id, device_id: requester.device_id, endpoint, transaction_id }
}

/// Messages that no client could show are refused (client-server-api/#instant-messaging).
fn check_message(event_type: &str, content: &Map<String, Value>) -> Result<(), MatrixError> {
    if event_type == "m.room.message" {
        content.text("msgtype")?;
        content.text("body")?;
    }
    Ok(())
}

async fn is_repeated(server: &Homeserver, transaction: &Transaction) -> Result<bool, MatrixError> {
    let transaction = transaction.clone();
    Ok(server.store.read(move |connection| transactions::find(connection, &transaction)).await?.is_some())
}

/// A thread begins at an event that relates to no other (client-server-api/#validation-of-mthread-relationships).
async fn check_thread(
    server: &Homeserver,
    room: &Timeline,
    content: &Map<String, Value>,
) -> Result<(), MatrixError> {
    let relation = content.get("m.relates_to").and_then(Value::as_object);
    let text = |name: &str| relation.and_then(|relation| relation.get(name)?.as_str());
    if text("rel_type") == Some("m.thread")
        && let Some(root) = text("event_id")
        && let Some(entry) = room.find(&server.store, root).await?
        && entry.pdu.content("m.relates_to").is_some()
        && !commits(Fault::ThreadsInThreads)
    {
        return Err(MatrixError::unknown("a thread can not begin at an event that relates to another"));
    }
    Ok(())
}

/// Nobody says the same of an event twice (client-server-api/#avoiding-duplicate-annotations).
async fn check_annotation(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    content: &Map<String, Value>,
) -> Result<(), MatrixError> {
    let relation = content.get("m.relates_to").and_then(Value::as_object);
    let text = |name: &str| relation.and_then(|relation| relation.get(name)?.as_str());
    let (Some("m.annotation"), Some(parent), Some(key)) = (text("rel_type"), text("event_id"), text("key"))
    else {
        return Ok(());
    };
    let wanted = Relations {
        parent: parent.to_owned(),
        rel_type: Some("m.annotation".to_owned()),
        event_type: Some("m.reaction".to_owned()),
        depth: 1,
        after: 0,
        until: i64::MAX,
        backwards: false,
    };
    let same = |entry: &Entry| {
        let said = entry.pdu.content("m.relates_to").and_then(|relation| relation.get("key"));
        entry.pdu.sender() == requester.user_id && said.is_some_and(|said| said == key)
    };
    if room.related(&server.store, wanted, usize::MAX).await?.iter().any(same) {
        let message = "you have annotated this event with this key already";
        return Err(MatrixError::new(http::StatusCode::BAD_REQUEST, "M_DUPLICATE_ANNOTATION", message));
    }
    Ok(())
}
