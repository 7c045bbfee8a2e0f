//! Backups of room keys: client-server-api/#server-side-key-backups.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path, Query, Requester};
use crate::store::room_keys::{self, Backup, RoomKey, Selection};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/room_keys/version", post(begin).get(current))
        .route("/_matrix/client/v3/room_keys/version/{version}", get(find).put(update).delete(end))
        .route("/_matrix/client/v3/room_keys/keys", get(keys).put(set_keys).delete(remove_keys))
        .route(
            "/_matrix/client/v3/room_keys/keys/{room_id}",
            get(of_room).put(set_of_room).delete(remove_of_room),
        )
        .route(
            "/_matrix/client/v3/room_keys/keys/{room_id}/{session_id}",
            get(of_session).put(set_of_session).delete(remove_of_session),
        )
}

async fn begin(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let algorithm = body.text("algorithm")?.to_owned();
    let auth_data = Value::Object(body.object("auth_data")?.clone());
    let begun =
        move |c: &rusqlite::Connection| room_keys::begin(c, &requester.user_id, &algorithm, &auth_data);
    let version = server.store.write(begun).await?;
    Ok(Json(json!({"version": version.to_string()})))
}

async fn current(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    let backup = server.store.read(move |c| room_keys::find(c, &requester.user_id, None)).await?;
    Ok(Json(describe(&backup.ok_or_else(no_backup)?)))
}

async fn find(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(version): Path<String>,
) -> Answer {
    Ok(Json(describe(&backup(&server, &requester, &version).await?)))
}

async fn update(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(version): Path<String>,
    body: Body,
) -> Answer {
    let algorithm = body.text("algorithm")?;
    let auth_data = Value::Object(body.object("auth_data")?.clone());
    let backup = backup(&server, &requester, &version).await?;
    if backup.algorithm != algorithm && !commits(Fault::BackupAlgorithmChangeable) {
        return Err(MatrixError::invalid_param("the algorithm of a backup stays: begin another version"));
    }
    if body.optional_text("version")?.is_some_and(|named| named != version) {
        return Err(MatrixError::invalid_param("version must be the same in path and body"));
    }
    let (user_id, version) = (requester.user_id, backup.version);
    server.store.write(move |c| room_keys::set_auth_data(c, &user_id, version, &auth_data)).await?;
    empty()
}

async fn end(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(version): Path<String>,
) -> Answer {
    let version = version.parse().map_err(|_| no_backup())?;
    let known = server
        .store
        .write(move |connection| {
            let known = room_keys::find(connection, &requester.user_id, Some(version))?.is_some();
            room_keys::end(connection, &requester.user_id, version).map(|()| known)
        })
        .await?;
    if known { empty() } else { Err(no_backup()) }
}

async fn keys(State(server): State<Arc<Homeserver>>, requester: Requester, query: Query) -> Answer {
    let keys = select(&server, &requester, &query, Selection::default()).await?;
    let mut rooms = json!({});
    for key in keys {
        rooms[key.room_id]["sessions"][key.session_id] = Value::Object(key.data);
    }
    Ok(Json(json!({"rooms": rooms})))
}

async fn of_room(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    query: Query,
) -> Answer {
    let selection = Selection { room_id: Some(room_id), session_id: None };
    let keys = select(&server, &requester, &query, selection).await?;
    let sessions: Map<_, _> = keys.into_iter().map(|key| (key.session_id, Value::Object(key.data))).collect();
    Ok(Json(json!({"sessions": sessions})))
}

async fn of_session(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, session_id)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let selection = Selection { room_id: Some(room_id), session_id: Some(session_id) };
    let key = select(&server, &requester, &query, selection).await?.pop();
    let key = key.ok_or_else(|| MatrixError::not_found("the backup has no key of this session"))?;
    Ok(Json(Value::Object(key.data)))
}

async fn set_keys(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    query: Query,
    body: Body,
) -> Answer {
    let rooms = body.object("rooms")?;
    let mut keys = Vec::new();
    for room_id in rooms.keys() {
        keys.extend(read_sessions(room_id, rooms.object(room_id)?)?);
    }
    keep(&server, requester, &query, keys).await
}

async fn set_of_room(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    query: Query,
    body: Body,
) -> Answer {
    keep(&server, requester, &query, read_sessions(&room_id, &body)?).await
}

async fn set_of_session(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, session_id)): Path<(String, String)>,
    query: Query,
    body: Body,
) -> Answer {
    keep(&server, requester, &query, vec![read_key(&room_id, &session_id, &body)?]).await
}

async fn remove_keys(State(server): State<Arc<Homeserver>>, requester: Requester, query: Query) -> Answer {
    remove(&server, requester, &query, Selection::default()).await
}

async fn remove_of_room(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    query: Query,
) -> Answer {
    remove(&server, requester, &query, Selection { room_id: Some(room_id), session_id: None }).await
}

async fn remove_of_session(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, session_id)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let selection = Selection { room_id: Some(room_id), session_id: Some(session_id) };
    remove(&server, requester, &query, selection).await
}

/// The backup of this version, deleted ones left out.
async fn backup(server: &Homeserver, requester: &Requester, version: &str) -> Result<Backup, MatrixError> {
    let version = version.parse().map_err(|_| no_backup())?;
    let user_id = requester.user_id.clone();
    let backup = server.store.read(move |c| room_keys::find(c, &user_id, Some(version))).await?;
    backup.filter(|backup| !backup.deleted || commits(Fault::DeletedBackupsFound)).ok_or_else(no_backup)
}

async fn select(
    server: &Homeserver,
    requester: &Requester,
    query: &Query,
    selection: Selection,
) -> Result<Vec<RoomKey>, MatrixError> {
    let version = backup(server, requester, query.required("version")?).await?.version;
    let user_id = requester.user_id.clone();
    Ok(server.store.read(move |c| room_keys::keys(c, &user_id, version, &selection)).await?)
}

/// Keeps the keys that are better than those in the backup, which has to be the current one.
async fn keep(server: &Homeserver, requester: Requester, query: &Query, keys: Vec<RoomKey>) -> Answer {
    let named = query.required("version")?.to_owned();
    let updated = server
        .store
        .write(move |connection| {
            let user_id = &requester.user_id;
            let Some(current) = room_keys::find(connection, user_id, None)? else { return Ok(Err(None)) };
            let version = current.version;
            if version.to_string() != named && !commits(Fault::OldBackupsWritable) {
                return Ok(Err(Some(version)));
            }
            for key in keys {
                let place = Selection {
                    room_id: Some(key.room_id.clone()),
                    session_id: Some(key.session_id.clone()),
                };
                let old = room_keys::keys(connection, user_id, version, &place)?.pop();
                if old.is_none_or(|old| is_better(&key.data, &old.data) || commits(Fault::WorseKeysKept)) {
                    room_keys::set(connection, user_id, version, &key)?;
                }
            }
            room_keys::find(connection, user_id, Some(version)).map(|backup| backup.ok_or(None))
        })
        .await?;
    match updated {
        Ok(backup) => Ok(Json(counts(&backup))),
        Err(None) => Err(no_backup()),
        Err(Some(current)) => {
            let message = "this is not the current version of the backup";
            let error = MatrixError::new(StatusCode::FORBIDDEN, "M_WRONG_ROOM_KEYS_VERSION", message);
            Err(error.with("current_version", current.to_string()))
        }
    }
}

async fn remove(server: &Homeserver, requester: Requester, query: &Query, selection: Selection) -> Answer {
    let version = backup(server, &requester, query.required("version")?).await?.version;
    let user_id = requester.user_id;
    let backup = server
        .store
        .write(move |connection| {
            room_keys::remove(connection, &user_id, version, &selection)?;
            room_keys::find(connection, &user_id, Some(version))
        })
        .await?;
    Ok(Json(counts(&backup.ok_or_else(no_backup)?)))
}

/// Whether one key is to replace another: verified ones first, then those that decrypt from earlier
/// on, then those that went through fewer hands.
fn is_better(new: &Map<String, Value>, old: &Map<String, Value>) -> bool {
    let verified = |key: &Map<String, Value>| key.get("is_verified").and_then(Value::as_bool) == Some(true);
    let number =
        |key: &Map<String, Value>, name: &str| key.get(name).and_then(Value::as_i64).unwrap_or(i64::MAX);
    let rank = |key| (!verified(key), number(key, "first_message_index"), number(key, "forwarded_count"));
    rank(new) < rank(old)
}

fn read_sessions(room_id: &str, room: &Map<String, Value>) -> Result<Vec<RoomKey>, MatrixError> {
    let sessions = room.object("sessions")?;
    sessions.keys().map(|session_id| read_key(room_id, session_id, sessions.object(session_id)?)).collect()
}

fn read_key(room_id: &str, session_id: &str, data: &Map<String, Value>) -> Result<RoomKey, MatrixError> {
    for name in ["first_message_index", "forwarded_count"] {
        if data.optional_integer(name)?.is_none() {
            return Err(MatrixError::missing_param(format!("add the field {name}")));
        }
    }
    if data.optional_flag("is_verified")?.is_none() {
        return Err(MatrixError::missing_param("add the field is_verified"));
    }
    data.object("session_data")?;
    Ok(RoomKey { room_id: room_id.to_owned(), session_id: session_id.to_owned(), data: data.clone() })
}

fn describe(backup: &Backup) -> Value {
    json!({
        "version": backup.version.to_string(),
        "algorithm": backup.algorithm,
        "auth_data": backup.auth_data,
        "count": backup.count,
        "etag": backup.etag.to_string(),
    })
}

fn counts(backup: &Backup) -> Value {
    json!({"count": backup.count, "etag": backup.etag.to_string()})
}

fn no_backup() -> MatrixError {
    MatrixError::not_found("there is no such backup")
}
