//! Single events and the state at them, for servers in the room: server-server-api/#retrieving-events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::request_authentication::Signed;
use super::{backfilling, path_segment, server_acls};
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Path, Query};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;
use crate::rooms::visibility::HistoryVisibility;
use crate::store::{events, rooms};
use crate::timeline::{Entry, NOTHING, Standing, Timeline};

/// The state before an event.
pub(super) async fn state(
    State(server): State<Arc<Homeserver>>,
    Path(room_id): Path<String>,
    query: Query,
    signed: Signed,
) -> Answer {
    let room = shared(&server, &room_id, &signed.origin)?;
    let (state, chain) = state_before(&server, &room, query.required("event_id")?).await?;
    Ok(Json(json!({"pdus": objects(&state), "auth_chain": objects(&chain)})))
}

/// The ids of the state before an event.
pub(super) async fn state_ids(
    State(server): State<Arc<Homeserver>>,
    Path(room_id): Path<String>,
    query: Query,
    signed: Signed,
) -> Answer {
    let room = shared(&server, &room_id, &signed.origin)?;
    let (state, chain) = state_before(&server, &room, query.required("event_id")?).await?;
    let ids = |pdus: &[Pdu]| pdus.iter().map(|pdu| pdu.event_id().to_owned()).collect::<Vec<_>>();
    Ok(Json(json!({"pdu_ids": ids(&state), "auth_chain_ids": ids(&chain)})))
}

async fn state_before(
    server: &Homeserver,
    room: &Timeline,
    event_id: &str,
) -> Result<(Vec<Pdu>, Vec<Pdu>), MatrixError> {
    let entry = room.find_any(&server.store, event_id).await?.filter(is_placed).ok_or_else(unknown_event)?;
    let record = room.record();
    let state = record.graph.state(entry.states.0);
    let events: Vec<Pdu> = state.iter().map(|pdu| record.left_of(pdu).clone()).collect();
    let chain = record.auth_chain(state.iter());
    Ok((events, chain))
}

/// A single event; servers find here too what was soft-failed (server-server-api/#soft-failure).
pub(super) async fn event(
    State(server): State<Arc<Homeserver>>,
    Path(event_id): Path<String>,
    signed: Signed,
) -> Answer {
    let sought = event_id.clone();
    let room_id = server.store.read(move |c| events::room_of(c, &sought)).await?.ok_or_else(unknown_event)?;
    let room = shared(&server, &room_id, &signed.origin)?;
    let entry = room.find_any(&server.store, &event_id).await?.ok_or_else(unknown_event)?;
    let shown = shown_to(&room, &entry, &signed.origin);
    Ok(Json(transaction(&server, &[shown])))
}

/// The auth chain of an event: server-server-api/#retrieving-event-authorisation-information.
pub(super) async fn event_auth(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, event_id)): Path<(String, String)>,
    signed: Signed,
) -> Answer {
    let room = shared(&server, &room_id, &signed.origin)?;
    let entry = room.find_any(&server.store, &event_id).await?.ok_or_else(unknown_event)?;
    let chain = room.record().auth_chain([&entry.pdu]);
    Ok(Json(json!({"auth_chain": objects(&chain)})))
}

/// The event next to a moment.
pub(super) async fn timestamp_to_event(
    State(server): State<Arc<Homeserver>>,
    Path(room_id): Path<String>,
    query: Query,
    signed: Signed,
) -> Answer {
    query.required("ts")?;
    query.required("dir")?;
    let ts: i64 = query.number("ts")?.unwrap_or_default();
    let backwards = query.one_of("dir", &["b", "f"])? == Some("b");
    let room = shared(&server, &room_id, &signed.origin)?;
    let found = room.nearest(&server.store, ts, backwards).await?;
    let found = found.ok_or_else(|| MatrixError::not_found("there is no event in that direction"))?;
    Ok(Json(json!({
        "event_id": found.pdu.event_id(),
        "origin_server_ts": found.pdu.origin_server_ts(),
    })))
}

/// The event next to a moment of which other servers of a room know: its id and its time, in milliseconds since the Unix
/// epoch. Only a room that has begun before what is here can have one.
pub(crate) async fn nearest_elsewhere(
    server: &Homeserver,
    room: &Arc<Timeline>,
    moment_ms: i64,
    backwards: bool,
) -> Result<Option<(String, i64)>, MatrixError> {
    let room_id = room.room_id().to_owned();
    if server.store.read(move |c| rooms::gaps(c, &room_id)).await?.is_empty() {
        return Ok(None);
    }
    let direction = if backwards { "b" } else { "f" };
    let path = format!(
        "/_matrix/federation/v1/timestamp_to_event/{}?ts={moment_ms}&dir={direction}",
        path_segment(room.room_id())
    );
    for other in server.others_in(room) {
        let Ok(answer) = server.ask_for(&other, &path).await else { continue };
        let event_id = answer.get("event_id").and_then(Value::as_str);
        let sent_ms = answer.get("origin_server_ts").and_then(Value::as_i64);
        if let (Some(event_id), Some(sent_ms)) = (event_id, sent_ms) {
            backfilling::fetch_event(server, room, &other, event_id).await?;
            return Ok(Some((event_id.to_owned(), sent_ms)));
        }
    }
    Ok(None)
}

/// A room that this server and the one which asks are both in.
pub(super) fn shared(server: &Homeserver, room_id: &str, origin: &str) -> Result<Arc<Timeline>, MatrixError> {
    let room = resident(server, room_id, origin)?;
    if room.record().has_server(origin) {
        Ok(room)
    } else {
        Err(MatrixError::forbidden("your server is not in the room"))
    }
}

/// A room that this server is in, and which lets the one that asks take part.
pub(super) fn resident(
    server: &Homeserver,
    room_id: &str,
    origin: &str,
) -> Result<Arc<Timeline>, MatrixError> {
    let unknown = || MatrixError::not_found("this server is in no such room");
    let room = server.timelines.find(room_id).ok_or_else(unknown)?;
    {
        let record = room.record();
        if !record.has_server(server.name()) {
            return Err(unknown());
        }
        server_acls::check(&record.history.now(), origin)?;
    }
    Ok(room)
}

/// An event as a server may see it: where members only may, and it had none, what a redaction would leave.
pub(super) fn shown_to(room: &Timeline, entry: &Entry, server_name: &str) -> Pdu {
    let record = room.record();
    let state = record.graph.state(entry.states.0);
    let is_open =
        matches!(HistoryVisibility::of(&state), HistoryVisibility::WorldReadable | HistoryVisibility::Shared);
    let had = |membership: &str| {
        state.of_type("m.room.member").any(|member| {
            member.content_str("membership") == Some(membership)
                && member.state_key().is_some_and(|user_id| super::pdus::is_of(user_id, server_name))
        })
    };
    let is_own = super::pdus::is_of(entry.pdu.sender(), server_name)
        || entry.pdu.state_key().is_some_and(|user_id| super::pdus::is_of(user_id, server_name));
    let invited = HistoryVisibility::of(&state) == HistoryVisibility::Invited;
    if is_open || is_own || state.create().is_none() || had("join") || invited && had("invite") {
        entry.pdu.clone()
    } else {
        entry.pdu.redacted()
    }
}

/// The answer that has events in it.
pub(super) fn transaction(server: &Homeserver, pdus: &[Pdu]) -> Value {
    json!({"origin": server.name(), "origin_server_ts": now_ms(), "pdus": objects(pdus)})
}

/// Events as they are sent.
pub(super) fn objects(pdus: &[Pdu]) -> Vec<Value> {
    pdus.iter().map(|pdu| Value::Object(pdu.object().clone())).collect()
}

/// Whether the state at an event is known: only before the create event, there is none.
fn is_placed(entry: &Entry) -> bool {
    let has_state = entry.states.0 != NOTHING || entry.pdu.is_state("m.room.create", "");
    entry.standing != Standing::Outlier && has_state
}

pub(super) fn unknown_event() -> MatrixError {
    MatrixError::not_found("this server has no such event")
}
