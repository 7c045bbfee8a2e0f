//! One room at a glance: client-server-api/#get_matrixclientv3roomsroomidinitialsync.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use super::getting_events::{DEFAULT_LIMIT, Reader};
use crate::error::{Answer, MatrixError};
use crate::filter::EventFilter;
use crate::homeserver::Homeserver;
use crate::request::{GuestOrUser, Path, Requester};
use crate::rooms::state::StateLookup;
use crate::store::account_data;
use crate::stream::{self, Position};
use crate::timeline::{Format, Timeline};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/initialSync", get(initial_sync))
}

async fn initial_sync(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(room_id): Path<String>,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    let settled = server.stream.settled().await;
    let until = room.record().readable_until(&requester.user_id)?.min(settled);
    Ok(Json(glance(&server, &requester, &room, until, DEFAULT_LIMIT).await?))
}

/// A room up to a position, with its last events.
pub(super) async fn glance(
    server: &Homeserver,
    requester: &Requester,
    room: &Timeline,
    until: Position,
    limit: usize,
) -> Result<Value, MatrixError> {
    let room_id = room.room_id().to_owned();
    let filter = EventFilter::default();
    let reader = Reader { server, room, requester, filter: &filter };
    let page = reader.back(until, 0, limit).await?;
    let user_id = requester.user_id.clone();
    let changed = move |c: &rusqlite::Connection| account_data::changed(c, &user_id, 0, i64::MAX);
    let mut account_data = server.store.read(changed).await?;
    account_data.retain(|data| data.room_id == room_id);

    let record = room.record();
    let state = record.history.at(until);
    let start = page.entries.last().map_or(until, |oldest| oldest.position - 1);
    let chunk = page.entries.iter().rev().map(|entry| record.show(entry, requester.viewer(), Format::Client));
    let shown = state.iter().map(|pdu| record.show_state(pdu, requester.viewer(), Format::Client));
    let kept = account_data.iter().map(|data| json!({"type": data.event_type, "content": data.content}));
    let mut answer = json!({
        "room_id": room_id,
        "messages": {
            "start": stream::token(start),
            "end": stream::token(until),
            "chunk": chunk.map(Value::Object).collect::<Vec<_>>(),
        },
        "state": shown.map(Value::Object).collect::<Vec<_>>(),
        "visibility": if record.published { "public" } else { "private" },
        "account_data": kept.collect::<Vec<_>>(),
    });
    // Whoever looks in without being, or having been, a member has no membership to be told.
    if let Some(member) = record.history.now().find("m.room.member", &requester.user_id) {
        answer["membership"] = json!(member.content_str("membership"));
    }
    Ok(answer)
}
