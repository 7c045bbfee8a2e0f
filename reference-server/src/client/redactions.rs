//! Taking out what should not have been said: client-server-api/#redactions.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::put;
use serde_json::Map;

use super::Routes;
use super::sending_events::{answer, transaction};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{BodyOrNothing, Fields, Path, Requester};
use crate::rooms::event::Template;
use crate::rooms::power_levels::{Level, PowerLevels};
use crate::timeline::{Sending, Timeline};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/redact/{event_id}/{transaction_id}", put(redact))
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
    let sending = Sending { transaction, ..template.into() };
    answer(room.append(&server, sending).await?)
}

/// One redacts what one has sent; what others have sent only with the power for it. The rules of
/// authorization are less strict: they let the users of a server redact for each other.
pub(super) async fn check_redaction(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    event_id: &str,
) -> Result<(), MatrixError> {
    let target = room.find(&server.store, event_id).await?;
    let record = room.record();
    let state = record.history.now();
    let levels = PowerLevels::of(room.version(), &state);
    let own = target.is_none_or(|target| {
        target.pdu.sender() == requester.user_id && !commits(Fault::OwnRedactionsNeedPower)
    });
    if !own {
        requester.must_not_be_suspended()?;
    }
    if own
        || commits(Fault::RedactionsByAnybody)
        || levels.user(&requester.user_id).reaches(levels.level(Level::Redact))
    {
        Ok(())
    } else {
        Err(MatrixError::forbidden("your power does not reach the level for redacting what others have sent"))
    }
}
