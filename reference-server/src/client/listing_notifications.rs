//! The events that a user was notified of: client-server-api/#listing-notifications.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Query, Requester};
use crate::stream::{self, Position};
use crate::timeline::{Entry, Format, Timeline};
use crate::unread::{Reading, Rules};

/// Notifications of one answer when the client names no number, and at most.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 500;

/// Events that are judged at a time.
const BATCH: usize = 100;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/notifications", get(list))
}

async fn list(State(server): State<Arc<Homeserver>>, requester: Requester, query: Query) -> Answer {
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let highlights = query.text("only") == Some("highlight");
    let settled = server.stream.settled().await;
    let from = query.position("from")?.unwrap_or(settled).min(settled);
    let rules = Rules::of(&server, &requester.user_id);
    let mut found = Vec::new();
    for room in server.timelines.of_user(&requester.user_id) {
        found.extend(of_room(&server, &requester, &rules, &room, from, limit, highlights).await?);
    }
    found.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|(position, _)| *position);
    let notifications: Vec<_> = found.into_iter().map(|(_, notification)| notification).collect();
    let mut answer = json!({"notifications": notifications});
    if let Some(last) = last {
        answer["next_token"] = stream::token(last - 1).into();
    }
    Ok(Json(answer))
}

/// One more than `limit` notifications of a room that the user is in, up to a position, newest first.
async fn of_room(
    server: &Homeserver,
    requester: &Requester,
    rules: &Rules<'_>,
    room: &Timeline,
    from: Position,
    limit: usize,
    highlights: bool,
) -> Result<Vec<(Position, Value)>, MatrixError> {
    let Some(joined) = room.record().history.joined(&requester.user_id) else { return Ok(Vec::new()) };
    let reading = Reading::of(server, room, &requester.user_id).await?;
    let (mut from, mut found) = (from, Vec::new());
    loop {
        let batch = room.until(&server.store, from, BATCH).await?;
        let exhausted = batch.len() < BATCH;
        for entry in batch {
            if entry.position <= joined || found.len() > limit {
                return Ok(found);
            }
            from = entry.position - 1;
            let own = entry.pdu.sender() == requester.user_id;
            if own || !room.record().may_see(&entry, &requester.user_id) {
                continue;
            }
            if let Some(verdict) = rules.judge(room, &entry).await?
                && (verdict.highlights || !highlights)
            {
                let read = reading.covers(server, room, &entry).await?;
                found.push((entry.position, show(requester, room, &entry, verdict.actions, read)));
            }
        }
        if exhausted {
            return Ok(found);
        }
    }
}

fn show(requester: &Requester, room: &Timeline, entry: &Entry, actions: &[Value], read: bool) -> Value {
    json!({
        "actions": actions,
        "event": room.record().show(entry, requester.viewer(), Format::InRoom),
        "read": read,
        "room_id": room.room_id(),
        "ts": entry.pdu.origin_server_ts(),
    })
}
