//! What relates to an event: client-server-api/#relationships-api.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use super::getting_events::visible;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query, Requester};
use crate::store::events::Relations;
use crate::stream::{self, Position};
use crate::timeline::{Format, Timeline};

/// Events when the client names no number, and at most.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;

/// How far relations of relations are followed, when the client asks for them.
const RECURSION_DEPTH: usize = 3;

pub(super) fn routes() -> Routes {
    let path = "/_matrix/client/v1/rooms/{room_id}/relations/{event_id}";
    Router::new()
        .route(path, get(all))
        .route(&format!("{path}/{{rel_type}}"), get(of_type))
        .route(&format!("{path}/{{rel_type}}/{{event_type}}"), get(of_types))
}

async fn all(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, event_id)): Path<(String, String)>,
    query: Query,
) -> Answer {
    related(&server, &requester, &query, &room_id, &event_id, (None, None)).await
}

async fn of_type(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, event_id, rel_type)): Path<(String, String, String)>,
    query: Query,
) -> Answer {
    related(&server, &requester, &query, &room_id, &event_id, (Some(rel_type), None)).await
}

async fn of_types(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, event_id, rel_type, event_type)): Path<(String, String, String, String)>,
    query: Query,
) -> Answer {
    related(&server, &requester, &query, &room_id, &event_id, (Some(rel_type), Some(event_type))).await
}

async fn related(
    server: &Homeserver,
    requester: &Requester,
    query: &Query,
    room_id: &str,
    event_id: &str,
    (rel_type, event_type): (Option<String>, Option<String>),
) -> Answer {
    let backwards = query.one_of("dir", &["b", "f"])? != Some("f") && !commits(Fault::RelationsOldestFirst);
    let (from, to) = (query.position("from")?, query.position("to")?);
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let depth = if query.flag("recurse")? && !commits(Fault::RecursionIgnored) { RECURSION_DEPTH } else { 1 };
    let room = server.timelines.get(room_id)?;
    visible(server, &room, requester, event_id).await?;

    let (after, until) = match (backwards, from, to) {
        (true, from, to) => (to.unwrap_or(0), from.unwrap_or(Position::MAX)),
        (false, from, to) => (from.unwrap_or(0), to.unwrap_or(Position::MAX)),
    };
    let wanted = Relations {
        parent: event_id.to_owned(),
        rel_type: rel_type.filter(|_| !commits(Fault::RelationTypesIgnored)),
        event_type,
        depth,
        after,
        until,
        backwards,
    };
    let (chunk, end) = page(server, requester, &room, wanted, limit).await?;
    let mut answer = json!({"chunk": chunk});
    if let Some(end) = end {
        answer["next_batch"] = stream::token(end).into();
    }
    if let Some(from) = from {
        answer["prev_batch"] = stream::token(from).into();
    }
    if depth > 1 || commits(Fault::RecursionDepthAlwaysTold) {
        answer["recursion_depth"] = depth.into();
    }
    Ok(Json(answer))
}

/// The events of one answer, and where the next one begins.
async fn page(
    server: &Homeserver,
    requester: &Requester,
    room: &Timeline,
    wanted: Relations,
    limit: usize,
) -> Result<(Vec<Value>, Option<Position>), crate::error::MatrixError> {
    let backwards = wanted.backwards;
    // One more than asked for tells whether there is more.
    let mut entries = room.related(&server.store, wanted, limit + 1).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    let end = last.map(|last| if backwards { last.position - 1 } else { last.position });
    let record = room.record();
    let seen = entries.iter().filter(|entry| record.may_see(entry, &requester.user_id));
    let chunk = seen.map(|entry| record.show(entry, requester.viewer(), Format::Client).into()).collect();
    Ok((chunk, end))
}
