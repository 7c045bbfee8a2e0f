//! Questions about aliases and users, from both sides: server-server-api/#querying-for-information.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::identifiers::server_name_of;
use serde_json::{Map, Value, json};

use super::path_segment;
use super::pdus::is_of;
use super::request_authentication::Signed;
use super::requests::PeerError;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query};
use crate::store::{StoreError, accounts, profiles, rooms};

/// Where an alias of this server leads.
pub(super) async fn directory(State(server): State<Arc<Homeserver>>, query: Query, _: Signed) -> Answer {
    let alias = query.required("room_alias")?.to_owned();
    let found = server.store.read(move |c| rooms::find_alias(c, &alias)).await?;
    let found = found.ok_or_else(|| MatrixError::not_found("this alias leads nowhere"))?;
    Ok(Json(json!({"room_id": found.room_id, "servers": servers_of(&server, &found.room_id)})))
}

/// What a user of this server says of themselves.
pub(super) async fn profile(State(server): State<Arc<Homeserver>>, query: Query, _: Signed) -> Answer {
    let user_id = query.required("user_id")?.to_owned();
    let field = query.text("field").map(str::to_owned);
    let unknown = || MatrixError::not_found("this server knows no such user");
    if !is_of(&user_id, server.name()) {
        return Err(unknown());
    }
    let profile = server.store.read(move |connection| match accounts::find(connection, &user_id)? {
        Some(account) if !account.deactivated => {
            Ok::<_, StoreError>(Some(profiles::all(connection, &user_id)?))
        }
        _ => Ok(None),
    });
    let mut profile = profile.await?.ok_or_else(unknown)?;
    if let Some(field) = field {
        profile.retain(|name, _| *name == field || commits(Fault::WholeProfilesGiven));
    }
    Ok(Json(Value::Object(profile)))
}

/// Questions of other kinds are not known.
pub(super) async fn other(Path(kind): Path<String>, _: Signed) -> Answer {
    Err(MatrixError::unrecognized(format!("questions about {kind} are not answered here")))
}

/// Asks the server of an alias where that leads.
pub(crate) async fn alias(
    server: &Homeserver,
    destination: &str,
    alias: &str,
) -> Result<(String, Vec<String>), MatrixError> {
    let uri = format!("/_matrix/federation/v1/query/directory?room_alias={}", path_segment(alias));
    let answer = server.ask_for(destination, &uri).await?;
    let room_id = answer.get("room_id").and_then(Value::as_str).map(str::to_owned);
    let room_id = room_id.ok_or_else(|| PeerError::useless(destination, "it has no room_id"))?;
    let servers = answer.get("servers").and_then(Value::as_array).into_iter().flatten();
    let mut servers: Vec<String> = servers.filter_map(Value::as_str).map(str::to_owned).collect();
    if servers.is_empty() {
        servers.push(destination.to_owned());
    }
    Ok((room_id, servers))
}

/// Asks the server of a user what the user says of themselves.
pub(crate) async fn ask_profile(
    server: &Homeserver,
    user_id: &str,
) -> Result<Map<String, Value>, MatrixError> {
    let destination = server_name_of(user_id).unwrap_or_default();
    let uri = format!("/_matrix/federation/v1/query/profile?user_id={}", path_segment(user_id));
    match server.ask_for(destination, &uri).await? {
        Value::Object(profile) => Ok(profile),
        _ => Err(PeerError::useless(destination, "a profile is an object").into()),
    }
}

/// The servers through which a room can be joined: this one, then the others in it.
pub(crate) fn servers_of(server: &Homeserver, room_id: &str) -> Vec<String> {
    let mut servers = vec![server.name().to_owned()];
    if let Some(room) = server.timelines.find(room_id) {
        let record = room.record();
        servers.extend(record.servers().filter(|name| *name != server.name()).map(str::to_owned));
    }
    servers
}
