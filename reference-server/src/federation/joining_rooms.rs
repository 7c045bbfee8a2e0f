//! Coming into rooms, from both sides: server-server-api/#joining-rooms.

mod restricted;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::RoomVersion;
use serde_json::{Map, Value, json};

pub(crate) use self::restricted::{Unauthorised, authoriser};
use super::handshakes::{Handshake, asked, completed, nobody_to_ask, propose, take, worse};
use super::pdus;
use super::request_authentication::Signed;
use super::requests::PeerError;
use super::retrieving_events::{objects, resident};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query};
use crate::rooms::event::Pdu;
use crate::rooms::state::{StateLookup, StateMap};
use crate::timeline::{Admission, Arrival, Manner, Record, Standing, Timeline};

/// How many members stand for a room without a name (client-server-api/#get_matrixclientv3sync).
const HEROES: usize = 5;

/// Proposes a join.
pub(super) async fn make_join(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, user_id)): Path<(String, String)>,
    query: Query,
    signed: Signed,
) -> Answer {
    let handshake = Handshake { membership: "join", room_id: &room_id, user_id: &user_id };
    let room = asked(&server, handshake, Some(&query), &signed.origin)?;
    let mut further = Map::new();
    let authoriser = authoriser(&server, &room.record(), room.version(), &user_id)?;
    if let Some(authoriser) = authoriser {
        further.insert("join_authorised_via_users_server".to_owned(), authoriser.into());
    }
    propose(&server, &room, handshake, further)
}

/// Takes a completed join, and answers with the state that it came upon.
pub(super) async fn send_join(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, event_id)): Path<(String, String)>,
    query: Query,
    signed: Signed,
) -> Answer {
    let room = resident(&server, &room_id, &signed.origin)?;
    let omits_members = query.flag("omit_members")?;
    let join = completed(&server, &room, &event_id, "join", &signed).await?;
    if join.content_str("join_authorised_via_users_server").is_some() {
        authoriser(&server, &room.record(), room.version(), join.sender())?;
    }
    let servers: Vec<String> = room.record().servers().map(str::to_owned).collect();
    take(&server, &room, join.clone(), &signed.origin).await?;
    let entry = room.find_any(&server.store, &event_id).await?;
    let entry = entry.ok_or_else(|| MatrixError::internal("a join was lost"))?;
    let record = room.record();
    let before = record.graph.state(entry.states.0);
    let state: Vec<Pdu> = if omits_members {
        let heroes = heroes(&before, &join);
        let stays =
            |pdu: &&Pdu| pdu.event_type() != "m.room.member" || heroes.contains(&pdu.event_id().to_owned());
        before.iter().filter(stays).cloned().collect()
    } else {
        before.iter().cloned().collect()
    };
    let mut chain = record.auth_chain(state.iter().chain([&join]));
    if omits_members {
        chain.retain(|pdu| !state.iter().any(|other| other.event_id() == pdu.event_id()));
    }
    let state: Vec<Pdu> = state.iter().map(|pdu| record.left_of(pdu).clone()).collect();
    let mut answer = json!({
        "origin": server.name(),
        "state": objects(&state),
        "auth_chain": objects(&chain),
        "event": entry.pdu.object(),
        "members_omitted": omits_members,
    });
    if omits_members && !commits(Fault::ServersInRoomOmitted) {
        answer["servers_in_room"] = servers.into();
    }
    Ok(Json(answer))
}

/// The ids of the member events without which a room has nothing to be called by.
fn heroes(state: &StateMap, join: &Pdu) -> Vec<String> {
    if commits(Fault::HeroesLeftOut)
        || state.find("m.room.name", "").is_some()
        || state.find("m.room.canonical_alias", "").is_some()
    {
        return Vec::new();
    }
    let present = |member: &&Pdu| matches!(member.content_str("membership"), Some("join" | "invite"));
    let others = state.of_type("m.room.member").filter(|member| member.state_key() != join.state_key());
    others.filter(present).take(HEROES).map(|member| member.event_id().to_owned()).collect()
}

/// Joins a room through other servers, which are asked one after the other.
pub(crate) async fn join(
    server: &Homeserver,
    room_id: &str,
    user_id: &str,
    content: Map<String, Value>,
    through: &[String],
) -> Result<(), MatrixError> {
    let handshake = Handshake { membership: "join", room_id, user_id };
    let mut last = None;
    for resident in through {
        match join_through(server, handshake, &content, resident).await {
            Ok(entered) => return entered,
            Err(error) => last = Some(worse(last, error)),
        }
    }
    Err(last.map_or_else(nobody_to_ask, MatrixError::from))
}

async fn join_through(
    server: &Homeserver,
    handshake: Handshake<'_>,
    content: &Map<String, Value>,
    resident: &str,
) -> Result<Result<(), MatrixError>, PeerError> {
    let (template, version) = handshake.make(server, resident).await?;
    let join = match handshake.complete(server, template, version, content.clone()) {
        Ok(join) => join,
        Err(error) => return Ok(Err(error)),
    };
    let answer = handshake.send(server, resident, &join).await?;
    let join = countersigned(server, &answer, join, version).await;
    Ok(enter(server, resident, version, join, &answer).await)
}

/// The event with the signature of the other server, if it is the same one.
async fn countersigned(server: &Homeserver, answer: &Value, join: Pdu, version: &'static RoomVersion) -> Pdu {
    let returned = answer.get("event").and_then(Value::as_object).cloned();
    let Some(returned) = returned else { return join };
    match pdus::check(server, returned, version).await {
        Ok(returned) if returned.event_id() == join.event_id() => returned,
        _ => join,
    }
}

/// Takes over the room as the other server has told it.
async fn enter(
    server: &Homeserver,
    resident: &str,
    version: &'static RoomVersion,
    join: Pdu,
    answer: &Value,
) -> Result<(), MatrixError> {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let state = pdus::check_all(server, list("state"), version).await;
    let mut outliers = pdus::check_all(server, list("auth_chain"), version).await;
    let is_told = state.iter().any(|pdu| pdu.is_state("m.room.create", ""));
    if !is_told || state.iter().any(|pdu| pdu.room_id() != join.room_id()) {
        let useless = PeerError::useless(resident, "its state is not that of the room");
        return Err(useless.into());
    }
    check_version(&state, version, resident)?;
    let ids = state.iter().map(|pdu| pdu.event_id().to_owned()).collect();
    outliers.extend(state);
    let room = server.timelines.open(join.room_id(), version);
    let is_resident = room.record().has_server(server.name());
    let manner = if is_resident { Manner::New } else { Manner::Entrance };
    let arrival = Arrival { outliers, state: Some(ids), manner, ..Arrival::new(join) };
    match room.admit(server, arrival).await? {
        Admission::Kept(Standing::Accepted, _) | Admission::Known(_) => Ok(()),
        Admission::Kept(_, reason) => Err(MatrixError::forbidden(format!(
            "{resident} has told a room that does not let you join: {}",
            reason.unwrap_or_default()
        ))),
        Admission::Lacks(_) => Err(PeerError::useless(resident, "events are missing from it").into()),
    }
}

/// The create event has to be of the version that the other server has named.
fn check_version(state: &[Pdu], version: &RoomVersion, resident: &str) -> Result<(), MatrixError> {
    let create = state.iter().find(|pdu| pdu.is_state("m.room.create", ""));
    let said = create.and_then(|create| create.content_str("room_version")).unwrap_or("1");
    if said == version.id {
        Ok(())
    } else {
        Err(PeerError::useless(resident, format!("the room is of version {said}, not {}", version.id)).into())
    }
}

/// Whether a user here can only come into a room with the help of another server: this one is not in it, and others are.
pub(crate) fn needs_help(server: &Homeserver, room: Option<&Timeline>) -> bool {
    let Some(room) = room else { return true };
    let record: &Record = &room.record();
    !record.has_server(server.name()) && (record.graph.tips().is_empty() || record.servers().next().is_some())
}
