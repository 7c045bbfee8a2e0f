//! What came before: server-server-api/#backfilling-and-retrieving-missing-events.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::pdus;
use super::request_authentication::Signed;
use super::retrieving_events::{objects, shared, shown_to, transaction};
use crate::error::{Answer, MatrixError};
use crate::federation::path_segment;
use crate::homeserver::Homeserver;
use crate::request::{Fields, Path, Query};
use crate::rooms::event::Pdu;
use crate::store::rooms;
use crate::timeline::{Admission, Arrival, Entry, Manner, Standing, Timeline};

/// The most events that are given, and asked for, at once.
const MOST: usize = 100;

/// How many events are given to those who name no number.
const DEFAULT: usize = 10;

/// Events and those before them.
pub(super) async fn backfill(
    State(server): State<Arc<Homeserver>>,
    Path(room_id): Path<String>,
    query: Query,
    signed: Signed,
) -> Answer {
    let room = shared(&server, &room_id, &signed.origin)?;
    let from: Vec<String> = query.all("v").map(str::to_owned).collect();
    if from.is_empty() {
        query.required("v")?;
    }
    let limit = query.number("limit")?.unwrap_or(DEFAULT).min(MOST);
    let found = before(&server, &room, from, &HashSet::new(), limit, 0, &signed.origin).await?;
    Ok(Json(transaction(&server, &found)))
}

/// The events between some that a server has and some that it is about to get.
pub(super) async fn get_missing_events(
    State(server): State<Arc<Homeserver>>,
    Path(room_id): Path<String>,
    signed: Signed,
) -> Answer {
    let room = shared(&server, &room_id, &signed.origin)?;
    let limit = signed.content.optional_integer("limit")?.and_then(|limit| usize::try_from(limit).ok());
    let min_depth = signed.content.optional_integer("min_depth")?.and_then(|depth| u64::try_from(depth).ok());
    let (latest, earliest) = (ids(&signed, "latest_events")?, ids(&signed, "earliest_events")?);
    let mut from = Vec::new();
    for event_id in &latest {
        let entry = room.find_any(&server.store, event_id).await?;
        from.extend(entry.into_iter().flat_map(|entry| entry.pdu.prev_events().to_vec()));
    }
    from.retain(|event_id| !latest.contains(event_id));
    let limit = limit.unwrap_or(DEFAULT).min(MOST);
    let earliest: HashSet<String> = earliest.into_iter().collect();
    let mut found =
        before(&server, &room, from, &earliest, limit, min_depth.unwrap_or(0), &signed.origin).await?;
    found.reverse();
    Ok(Json(json!({"events": objects(&found)})))
}

fn ids(signed: &Signed, name: &str) -> Result<Vec<String>, MatrixError> {
    let list =
        signed.content.get(name).ok_or_else(|| MatrixError::missing_param(format!("{name} is missing")))?;
    let list = list.as_array().ok_or_else(|| MatrixError::bad_json(format!("{name} must be a list")))?;
    let id = |id: &Value| id.as_str().map(str::to_owned);
    list.iter()
        .map(|entry| id(entry).ok_or_else(|| MatrixError::bad_json(format!("{name} must be event ids"))))
        .collect()
}

/// Walks back from some events, breadth first, past what was rejected or soft-failed.
async fn before(
    server: &Homeserver,
    room: &Timeline,
    from: Vec<String>,
    stop: &HashSet<String>,
    limit: usize,
    min_depth: u64,
    origin: &str,
) -> Result<Vec<Pdu>, MatrixError> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut open: VecDeque<String> = from.into();
    let mut found: Vec<Entry> = Vec::new();
    while let Some(event_id) = open.pop_front() {
        if found.len() == limit {
            break;
        }
        if stop.contains(&event_id) || !seen.insert(event_id.clone()) {
            continue;
        }
        let Some(entry) = room.find_any(&server.store, &event_id).await? else { continue };
        if entry.standing == Standing::Outlier || entry.pdu.depth() < min_depth {
            continue;
        }
        open.extend(entry.pdu.prev_events().iter().cloned());
        if entry.standing != Standing::Rejected {
            found.push(entry);
        }
    }
    found.sort_by_key(|entry| std::cmp::Reverse((entry.pdu.depth(), entry.position)));
    Ok(found.iter().map(|entry| shown_to(room, entry, origin)).collect())
}

/// Fetches what came before the beginning of a room here, at least `wanted` events if they are there; says whether
/// anything came.
pub(crate) async fn fetch_history(
    server: &Homeserver,
    room: &Arc<Timeline>,
    wanted: usize,
) -> Result<bool, MatrixError> {
    let room_id = room.room_id().to_owned();
    let gaps = server.store.read(move |c| rooms::gaps(c, &room_id)).await?;
    // Those who follow what is missing: asked for, they come with what they follow.
    let missing: BTreeSet<String> = gaps.into_iter().map(|gap| gap.event_id).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let from: Vec<String> = missing.iter().take(20).map(|id| format!("v={}", path_segment(id))).collect();
    let limit = wanted.clamp(DEFAULT, MOST);
    let path = format!(
        "/_matrix/federation/v1/backfill/{}?{}&limit={limit}",
        path_segment(room.room_id()),
        from.join("&")
    );
    for other in others(server, room) {
        match server.ask_for(&other, &path).await {
            Ok(answer) => {
                let events = answer.get("pdus").and_then(Value::as_array).cloned().unwrap_or_default();
                if take_in(server, room, &other, events).await? {
                    return Ok(true);
                }
            }
            Err(error) => tracing::info!("no history: {error}"),
        }
    }
    Ok(false)
}

/// The other servers of a room, those of the earliest members first.
pub(crate) fn others(server: &Homeserver, room: &Timeline) -> Vec<String> {
    let record = room.record();
    record.servers().filter(|name| *name != server.name()).map(str::to_owned).collect()
}

/// Fetches one event of the past, with the state before it.
pub(super) async fn fetch_event(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    event_id: &str,
) -> Result<(), MatrixError> {
    if room.find_any(&server.store, event_id).await?.is_some_and(|entry| entry.standing != Standing::Outlier)
    {
        return Ok(());
    }
    let answer =
        server.ask_for(origin, &format!("/_matrix/federation/v1/event/{}", path_segment(event_id))).await?;
    let events = answer.get("pdus").and_then(Value::as_array).cloned().unwrap_or_default();
    take_in(server, room, origin, events).await.map(drop)
}

/// Places history, the newest event first, each before what is here; says whether any of it was new.
async fn take_in(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    events: Vec<Value>,
) -> Result<bool, MatrixError> {
    let mut events = pdus::check_history(server, events.into_iter().take(MOST), room.version()).await;
    events.retain(|event| event.room_id() == room.room_id());
    events.sort_by_key(|event| event.depth());
    let mut position = server.timelines.before_all(events.len());
    let mut any = false;
    for event in events {
        position += 1;
        let arrival = Arrival { manner: Manner::Past(position), ..Arrival::new(event) };
        any |= place(server, room, origin, arrival).await?;
    }
    Ok(any)
}

/// Places an event of the past, by the state before it if what comes before is not here; says whether it is new.
async fn place(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    arrival: Arrival,
) -> Result<bool, MatrixError> {
    let (pdu, manner) = (arrival.pdu.clone(), arrival.manner);
    let admission = match room.admit(server, arrival).await? {
        Admission::Lacks(_) => match pdus::state_before(server, room, origin, pdu.event_id()).await {
            Ok((state, outliers)) => {
                room.admit(server, Arrival { state: Some(state), outliers, manner, ..Arrival::new(pdu) })
                    .await?
            }
            Err(error) => {
                tracing::info!("an event of the past has no state: {}", error.message());
                return Ok(false);
            }
        },
        admission => admission,
    };
    Ok(matches!(admission, Admission::Kept(..)))
}
