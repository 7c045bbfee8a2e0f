//! What `/sync` has replaced, and servers still owe: client-server-api/#get_matrixclientv3initialsync,
//! client-server-api/#get_matrixclientv3events.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Routes;
use super::getting_events::{DEFAULT_LIMIT, MAX_LIMIT, Reader, unknown_event, visible};
use super::room_initial_sync::glance;
use crate::error::{Answer, MatrixError};
use crate::filter::EventFilter;
use crate::homeserver::Homeserver;
use crate::request::{GuestOrUser, Path, Query, Requester};
use crate::store::account_data::{self, GLOBAL};
use crate::store::events;
use crate::stream::{self, Position};
use crate::timeline::{Format, Timeline};

/// Events that one answer of the stream carries at most.
const MAX_EVENTS: usize = 100;

/// How long a client waits if it does not say, and at most.
const DEFAULT_TIMEOUT_MS: u64 = 5_000;
const MAX_TIMEOUT_MS: u64 = 300_000;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/initialSync", get(initial_sync))
        .route("/_matrix/client/v3/events", get(stream))
        .route("/_matrix/client/v3/events/{event_id}", get(event))
}

async fn initial_sync(State(server): State<Arc<Homeserver>>, requester: Requester, query: Query) -> Answer {
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let archived = query.flag("archived")?;
    let until = server.stream.settled().await;
    let mut rooms = Vec::new();
    for room in server.timelines.of_user(&requester.user_id) {
        rooms.extend(room_info(&server, &requester, &room, until, limit, archived).await?);
    }
    let user_id = requester.user_id.clone();
    let kept = server.store.read(move |c| account_data::changed(c, &user_id, 0, until)).await?;
    let global = kept.into_iter().filter(|data| data.room_id == GLOBAL);
    let account_data = global.map(|data| json!({"type": data.event_type, "content": data.content}));
    let present = server.presences.changed(0, until).into_iter().filter_map(|(_, user_id)| {
        let known =
            user_id == requester.user_id || server.timelines.share_a_room(&requester.user_id, &user_id);
        let content = server.presences.content(&user_id).filter(|_| known)?;
        Some(json!({"type": "m.presence", "sender": user_id, "content": content}))
    });
    Ok(Json(json!({
        "end": stream::token(until),
        "rooms": rooms,
        "presence": present.collect::<Vec<_>>(),
        "account_data": account_data.collect::<Vec<_>>(),
    })))
}

/// A room as the user stands to it; nothing of those that they have forgotten, or have left and do not ask for.
async fn room_info(
    server: &Homeserver,
    requester: &Requester,
    room: &Timeline,
    until: Position,
    limit: usize,
    archived: bool,
) -> Result<Option<Value>, MatrixError> {
    let (membership, invite) = {
        let record = room.record();
        let Some((_, member)) = record.history.at(until).placed("m.room.member", &requester.user_id) else {
            return Ok(None);
        };
        if record.is_forgotten_by(&requester.user_id) {
            return Ok(None);
        }
        let shown = record.show_state(member, requester.viewer(), Format::Client);
        (member.content_str("membership").unwrap_or_default().to_owned(), shown)
    };
    let until = match (membership.as_str(), archived) {
        ("invite", _) => {
            let info = json!({"room_id": room.room_id(), "membership": "invite", "invite": invite});
            return Ok(Some(info));
        }
        ("join", _) => until,
        // Whoever never was inside has nothing to look back at.
        ("leave" | "ban", true) => match room.record().history.left(&requester.user_id) {
            Some(left) => left,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let mut info = glance(server, requester, room, until, limit).await?;
    info["membership"] = membership.into();
    Ok(Some(info))
}

async fn stream(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    query: Query,
) -> Answer {
    let from = query.position("from")?;
    let timeout_ms = query.number("timeout")?.unwrap_or(DEFAULT_TIMEOUT_MS).min(MAX_TIMEOUT_MS);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    // Whoever looks into a room from outside names it (client-server-api/#peeking_get_matrixclientv3events).
    let peeked = match query.text("room_id") {
        None => None,
        Some(room_id) => {
            let room = server.timelines.get(room_id)?;
            room.record().readable_until(&requester.user_id)?;
            Some(room)
        }
    };
    let signal = || match &peeked {
        Some(_) => server.stream.progress(),
        None => server.stream.bell(&requester.user_id),
    };
    let mut changes = signal();
    let from = from.unwrap_or(server.stream.settled().await);
    let mut closing = server.closing.clone();
    loop {
        changes.borrow_and_update();
        let until = server.stream.settled().await;
        let rooms = match &peeked {
            Some(room) => vec![Arc::clone(room)],
            None => server.timelines.of_user(&requester.user_id),
        };
        let (chunk, end) = news(&server, &requester, &rooms, from, until).await?;
        if !chunk.is_empty() || Instant::now() >= deadline || *closing.borrow() {
            let answer = json!({"start": stream::token(from), "end": stream::token(end), "chunk": chunk});
            return Ok(Json(answer));
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() {
                // The bell was taken down because nobody listened for a moment; hang up another.
                changes = signal();
            },
            () = tokio::time::sleep_until(deadline) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
}

/// What the requester may see of some rooms after a position, oldest first, and up to where it goes.
async fn news(
    server: &Homeserver,
    requester: &Requester,
    rooms: &[Arc<Timeline>],
    from: Position,
    until: Position,
) -> Result<(Vec<Value>, Position), MatrixError> {
    let filter = EventFilter::default();
    let mut found = Vec::new();
    for room in rooms.iter().filter(|room| room.record().last > from) {
        let reader = Reader { server, room, requester, filter: &filter };
        for entry in reader.forth(from, until, MAX_EVENTS).await?.entries {
            let shown = room.record().show(&entry, requester.viewer(), Format::Client);
            found.push((entry.position, Value::Object(shown)));
        }
    }
    found.sort_by_key(|(position, _)| *position);
    let more = found.len() > MAX_EVENTS;
    found.truncate(MAX_EVENTS);
    let end = found.last().filter(|_| more).map_or(until.max(from), |(position, _)| *position);
    Ok((found.into_iter().map(|(_, event)| event).collect(), end))
}

async fn event(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(event_id): Path<String>,
) -> Answer {
    let sought = event_id.clone();
    let room_id = server.store.read(move |connection| events::room_of(connection, &sought)).await?;
    let room = room_id.and_then(|room_id| server.timelines.find(&room_id)).ok_or_else(unknown_event)?;
    let entry = visible(&server, &room, &requester, &event_id).await?;
    Ok(Json(Value::Object(room.record().show(&entry, requester.viewer(), Format::Client))))
}
