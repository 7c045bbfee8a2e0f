//! Messages, state and redactions: client-server-api/#sending-events-to-a-room, #redactions.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::put;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use super::room_aliases;
use super::room_membership::{check_invitee, prepare_join};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Body, BodyOrNothing, Fields, GuestOrUser, Path, Requester};
use crate::rooms::event::Template;
use crate::rooms::power_levels::{Level, PowerLevels};
use crate::store::transactions::Transaction;
use crate::timeline::{Sending, Timeline};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{transaction_id}", put(send))
        .route("/_matrix/client/v3/rooms/{room_id}/redact/{event_id}/{transaction_id}", put(redact))
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
    }
    let endpoint = format!("rooms/{room_id}/send/{event_type}");
    let template = Template { event_type, state_key: None, sender: requester.user_id.clone(), content };
    let transaction = Some(transaction(requester, endpoint, transaction_id));
    answer(room.append(&server, Sending { templates: vec![template], transaction }).await?)
}

async fn redact(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, event_id, transaction_id)): Path<(String, String, String)>,
    body: BodyOrNothing,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    let mut content = Map::new();
    if let Some(reason) = body.optional_text("reason")? {
        content.insert("reason".to_owned(), reason.into());
    }
    content.insert("redacts".to_owned(), event_id.as_str().into());
    check_redaction(&server, &room, &requester, &event_id).await?;
    let endpoint = format!("rooms/{room_id}/redact/{event_id}");
    let event_type = "m.room.redaction".to_owned();
    let template = Template { event_type, state_key: None, sender: requester.user_id.clone(), content };
    let transaction = Some(transaction(requester, endpoint, transaction_id));
    answer(room.append(&server, Sending { templates: vec![template], transaction }).await?)
}

/// Sets state.
pub(super) async fn set_state(
    server: &Homeserver,
    requester: &Requester,
    room: &Arc<Timeline>,
    mut template: Template,
) -> Answer {
    match template.event_type.as_str() {
        "m.room.create" => {
            return Err(MatrixError::bad_json("a room is created once, by the operation createRoom"));
        }
        "m.room.canonical_alias" => room_aliases::check_canonical(server, room, &template.content).await?,
        "m.room.member" => match template.content.text("membership")? {
            "invite" => check_invitee(server, template.state_key.as_deref().unwrap_or_default())?,
            "join" => prepare_join(server, room, requester, &mut template)?,
            _ => {}
        },
        _ => {}
    }
    answer(room.append(server, template.into()).await?)
}

fn answer(event_id: String) -> Answer {
    Ok(Json(json!({"event_id": event_id})))
}

fn transaction(requester: Requester, endpoint: String, transaction_id: String) -> Transaction {
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

/// One redacts what one has sent; what others have sent only with the power for it. The rules of
/// authorization are less strict: they let the users of a server redact for each other.
async fn check_redaction(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    event_id: &str,
) -> Result<(), MatrixError> {
    let target = room.find(&server.store, event_id).await?;
    let record = room.record();
    let state = record.history.now();
    let levels = PowerLevels::of(room.version(), &state);
    let own = target.is_none_or(|target| target.pdu.sender() == requester.user_id);
    if own || levels.user(&requester.user_id).reaches(levels.level(Level::Redact)) {
        Ok(())
    } else {
        Err(MatrixError::forbidden("your power does not reach the level for redacting what others have sent"))
    }
}
