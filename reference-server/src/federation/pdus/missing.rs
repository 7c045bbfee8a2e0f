//! Fetching what an event lacks: its auth events, and the events between it and what is here
//! (server-server-api/#backfilling-and-retrieving-missing-events).

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use http::Method;
use serde_json::{Value, json};

use super::check_all;
use crate::error::MatrixError;
use crate::federation::path_segment;
use crate::homeserver::Homeserver;
use crate::rooms::event::Pdu;
use crate::timeline::{Admission, Arrival, Lacking, Timeline};

/// How many missing events are asked for at once, and how often.
const AT_ONCE: usize = 20;
const ROUNDS: usize = 5;

/// How many single events are fetched beside each other.
const BESIDE: usize = 8;

/// With more unknown events than this in a state, the whole of it is fetched.
const SINGLE: usize = 50;

/// Fetches what an event lacks, and places it in the room.
pub(super) async fn fetch(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    pdu: &Pdu,
    lacking: Lacking,
) -> Result<(), MatrixError> {
    let mut lacking = lacking;
    if !lacking.prev_events.is_empty() {
        fill(server, room, origin, pdu).await?;
        lacking.prev_events = room.unplaced(server, pdu.prev_events()).await?;
    }
    for event_id in &lacking.prev_events {
        place(server, room, origin, event_id).await?;
    }
    if !room.unknown(server, pdu.auth_events()).await?.is_empty() {
        let outliers = auth_chain(server, room, origin, pdu.event_id()).await?;
        room.add_outliers(server, outliers).await?;
    }
    Ok(())
}

/// Closes the gap between the room as it is here and an event, if it is not too wide.
async fn fill(server: &Homeserver, room: &Arc<Timeline>, origin: &str, pdu: &Pdu) -> Result<(), MatrixError> {
    let earliest: Vec<String> = {
        let record = room.record();
        record.graph.tips().iter().map(|tip| tip.pdu.event_id().to_owned()).collect()
    };
    let mut found: Vec<Pdu> = Vec::new();
    let mut latest = vec![pdu.event_id().to_owned()];
    for _ in 0..ROUNDS {
        let question =
            json!({"earliest_events": earliest, "latest_events": latest, "limit": AT_ONCE, "min_depth": 0});
        let path = format!("/_matrix/federation/v1/get_missing_events/{}", path_segment(room.room_id()));
        let answer = match server.ask(origin, Method::POST, &path, Some(&question)).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::info!("missing events stay missing: {error}");
                break;
            }
        };
        let events = answer.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut events = check_all(server, events.into_iter().take(AT_ONCE), room.version()).await;
        let here: HashSet<String> = found.iter().map(|pdu| pdu.event_id().to_owned()).collect();
        events.retain(|event| event.room_id() == room.room_id() && !here.contains(event.event_id()));
        if events.is_empty() {
            break;
        }
        found.extend(events);
        let referenced: Vec<String> =
            found.iter().chain([pdu]).flat_map(|pdu| pdu.prev_events().iter().cloned()).collect();
        let here: HashSet<&str> = found.iter().map(Pdu::event_id).collect();
        let open: Vec<String> = referenced.into_iter().filter(|id| !here.contains(id.as_str())).collect();
        if room.unplaced(server, &open).await?.is_empty() {
            break;
        }
        let lowest = found.iter().filter(|pdu| pdu.prev_events().iter().any(|id| open.contains(id)));
        latest = lowest.map(|pdu| pdu.event_id().to_owned()).collect();
    }
    for event in in_order(found) {
        admit(server, room, origin, event).await?;
    }
    Ok(())
}

/// Admits an event that was fetched; what comes before it is taken from its state, where it is still not here.
async fn admit(server: &Homeserver, room: &Arc<Timeline>, origin: &str, pdu: Pdu) -> Result<(), MatrixError> {
    if let Admission::Lacks(lacking) = room.admit(server, Arrival::new(pdu.clone())).await? {
        if !lacking.prev_events.is_empty() {
            return place_with_state(server, room, origin, pdu).await;
        }
        let outliers = auth_chain(server, room, origin, pdu.event_id()).await?;
        room.admit(server, Arrival { outliers, ..Arrival::new(pdu) }).await?;
    }
    Ok(())
}

/// Events, each after those that it follows.
fn in_order(mut events: Vec<Pdu>) -> Vec<Pdu> {
    events.sort_by(|one, other| (one.depth(), one.event_id()).cmp(&(other.depth(), other.event_id())));
    let mut sorted: Vec<Pdu> = Vec::new();
    while !events.is_empty() {
        let waiting: HashSet<String> = events.iter().map(|event| event.event_id().to_owned()).collect();
        let is_next = |event: &Pdu| !event.prev_events().iter().any(|id| waiting.contains(id));
        // Honest events are in no cycle; of others, the first one breaks it.
        let next = events.iter().position(is_next).unwrap_or(0);
        sorted.push(events.remove(next));
    }
    sorted
}

/// Fetches an event, and the state before it.
async fn place(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    event_id: &str,
) -> Result<(), MatrixError> {
    let Some(pdu) = event(server, room, origin, event_id).await else {
        return Err(MatrixError::not_found(format!("{event_id} comes before the event and can not be had")));
    };
    place_with_state(server, room, origin, pdu).await
}

async fn place_with_state(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    pdu: Pdu,
) -> Result<(), MatrixError> {
    let (state, outliers) = state_before(server, room, origin, pdu.event_id()).await?;
    room.admit(server, Arrival { outliers, state: Some(state), ..Arrival::new(pdu) }).await?;
    Ok(())
}

/// The ids of the state before an event, and those of its events and of their auth chains that are not here.
pub(in crate::federation) async fn state_before(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    event_id: &str,
) -> Result<(Vec<String>, Vec<Pdu>), MatrixError> {
    let (room_id, event) = (path_segment(room.room_id()), path_segment(event_id));
    let ids = server
        .ask_for(origin, &format!("/_matrix/federation/v1/state_ids/{room_id}?event_id={event}"))
        .await?;
    let list = |name: &str| -> Vec<String> {
        let ids = ids.get(name).and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (state, chain) = (list("pdu_ids"), list("auth_chain_ids"));
    let all: Vec<String> = state.iter().chain(&chain).cloned().collect::<HashSet<_>>().into_iter().collect();
    let unknown = room.unknown(server, &all).await?;
    let outliers = if unknown.len() > SINGLE {
        let answer = server
            .ask_for(origin, &format!("/_matrix/federation/v1/state/{room_id}?event_id={event}"))
            .await?;
        let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let events = list("pdus").into_iter().chain(list("auth_chain"));
        check_all(server, events, room.version()).await
    } else {
        events(server, room, origin, unknown).await
    };
    Ok((state, outliers))
}

/// The auth chain of an event.
async fn auth_chain(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    event_id: &str,
) -> Result<Vec<Pdu>, MatrixError> {
    let (room_id, event) = (path_segment(room.room_id()), path_segment(event_id));
    let answer =
        server.ask_for(origin, &format!("/_matrix/federation/v1/event_auth/{room_id}/{event}")).await?;
    let chain = answer.get("auth_chain").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(check_all(server, chain, room.version()).await)
}

/// Single events, as far as they can be had.
async fn events(server: &Homeserver, room: &Arc<Timeline>, origin: &str, event_ids: Vec<String>) -> Vec<Pdu> {
    let fetches =
        event_ids.into_iter().map(|event_id| async move { event(server, room, origin, &event_id).await });
    let found: Vec<Option<Pdu>> = stream::iter(fetches).buffer_unordered(BESIDE).collect().await;
    found.into_iter().flatten().collect()
}

async fn event(server: &Homeserver, room: &Arc<Timeline>, origin: &str, event_id: &str) -> Option<Pdu> {
    let path = format!("/_matrix/federation/v1/event/{}", path_segment(event_id));
    match server.ask_for(origin, &path).await {
        Ok(answer) => {
            let pdus = answer.get("pdus").and_then(Value::as_array).cloned().unwrap_or_default();
            let pdu = check_all(server, pdus.into_iter().take(1), room.version()).await.pop()?;
            (pdu.event_id() == event_id && pdu.room_id() == room.room_id()).then_some(pdu)
        }
        Err(error) => {
            tracing::info!("an event stays missing: {error}");
            None
        }
    }
}
