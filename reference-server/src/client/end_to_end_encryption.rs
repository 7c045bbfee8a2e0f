//! Public keys of devices and users: client-server-api/#end-to-end-encryption. Backups of room keys stand apart.

mod cross_signing;
mod signed;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::identifiers::server_name_of;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use self::signed::{is_signed_by, show_signatures};
use super::Routes;
use crate::device_lists::{self, News};
use crate::error::{Answer, MatrixError};
use crate::federation::end_to_end_encryption as federation;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, GuestOrUser, Query, Requester};
use crate::store::cross_signing::Usage;
use crate::store::one_time_keys::{self, Key};
use crate::store::{self, StoreError, device_keys};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/keys/upload", post(upload))
        .route("/_matrix/client/v3/keys/query", post(query))
        .route("/_matrix/client/v3/keys/claim", post(claim))
        .route("/_matrix/client/v3/keys/changes", get(changes))
        .merge(cross_signing::routes())
}

async fn upload(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    body: Body,
) -> Answer {
    requester.must_have_device()?;
    let device_keys = body.optional_object("device_keys")?.cloned();
    if let Some(keys) = &device_keys {
        must_be_keys_of(&requester, keys)?;
    }
    let one_time = read_keys(body.optional_object("one_time_keys")?)?;
    let fallback = read_keys(body.optional_object("fallback_keys")?)?;
    let algorithms: BTreeSet<_> = fallback.iter().map(|key| &key.algorithm).collect();
    if algorithms.len() < fallback.len() {
        return Err(MatrixError::invalid_param("fallback_keys must have one key for each algorithm at most"));
    }
    let Requester { user_id, device_id, .. } = requester;
    let (owner, device) = (user_id.clone(), device_id.clone());
    let counts = server
        .store
        .write(move |connection| {
            let new = match unknown(connection, &owner, &device, one_time)? {
                Ok(new) => new,
                Err(taken) => return Ok(Err(taken)),
            };
            new.iter().try_for_each(|key| one_time_keys::add(connection, &owner, &device, key))?;
            fallback
                .iter()
                .try_for_each(|key| one_time_keys::set_fallback(connection, &owner, &device, key))?;
            one_time_keys::counts(connection, &owner, &device).map(Ok)
        })
        .await?
        .map_err(|Key { algorithm, key_id, .. }| {
            MatrixError::invalid_param(format!(
                "{algorithm}:{key_id} is the name of another key that waits to be claimed: choose a new one"
            ))
        })?;
    if let Some(keys) = device_keys {
        publish(&server, user_id, device_id, keys).await?;
    }
    Ok(Json(json!({"one_time_key_counts": counts})))
}

/// Identity keys are those of the device that uploads them, and signed by it (client-server-api/#uploading-keys).
fn must_be_keys_of(requester: &Requester, keys: &Map<String, Value>) -> Result<(), MatrixError> {
    let Requester { user_id, device_id, .. } = requester;
    if keys.text("user_id")? != user_id || keys.text("device_id")? != device_id {
        return Err(MatrixError::invalid_param("user_id and device_id must be those of the access token"));
    }
    if keys.optional_texts("algorithms")?.is_none() {
        return Err(MatrixError::missing_param("add the field algorithms"));
    }
    keys.object("signatures")?;
    let key_id = format!("ed25519:{device_id}");
    let public_key = keys.object("keys")?.text(&key_id)?;
    if is_signed_by(keys, user_id, &key_id, public_key) {
        Ok(())
    } else {
        Err(invalid_signature("device_keys must be signed by the ed25519 key in it"))
    }
}

/// Sets the identity keys of a device, unless it has them already.
async fn publish(
    server: &Homeserver,
    user_id: String,
    device_id: String,
    keys: Map<String, Value>,
) -> Result<(), MatrixError> {
    let (owner, device) = (user_id.clone(), device_id.clone());
    let known = server.store.read(move |c| device_keys::find(c, &owner, &device)).await?;
    if known.as_ref() == Some(&keys) {
        return Ok(());
    }
    let owner = user_id.clone();
    device_lists::change(server, &user_id, move |connection, position| {
        device_keys::set(connection, &owner, &device_id, &keys)?;
        store::device_lists::note(connection, &owner, None, position)
    })
    .await
}

/// Keys by their names: algorithm, colon, id.
fn read_keys(keys: Option<&Map<String, Value>>) -> Result<Vec<Key>, MatrixError> {
    let read = |(name, key): (&String, &Value)| {
        let (algorithm, key_id) = name.split_once(':').ok_or_else(|| {
            MatrixError::invalid_param("the name of a key must be its algorithm, a colon and an id")
        })?;
        match key {
            Value::String(_) => {}
            Value::Object(signed) => {
                signed.text("key")?;
                signed.object("signatures")?;
            }
            _ => return Err(MatrixError::bad_json(format!("{name} must be a string or an object"))),
        }
        Ok(Key { algorithm: algorithm.to_owned(), key_id: key_id.to_owned(), key: key.clone() })
    };
    keys.into_iter().flatten().map(read).collect()
}

/// Those of these one-time keys that the device has not uploaded before; or one whose name another key has that waits.
///
/// The text does not say what the second upload of a name means. One with the same key is the repetition of a request
/// whose answer was lost; one with another key would take a key away that a peer may be about to claim.
fn unknown(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    keys: Vec<Key>,
) -> Result<Result<Vec<Key>, Key>, StoreError> {
    let mut new = Vec::new();
    for key in keys {
        match one_time_keys::find(connection, user_id, device_id, &key)? {
            Some(known) if known.key == key.key => {}
            Some(known) if !known.claimed => return Ok(Err(key)),
            _ => new.push(key),
        }
    }
    Ok(Ok(new))
}

async fn query(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    body: Body,
) -> Answer {
    let asked = body.object("device_keys")?;
    body.optional_integer("timeout")?;
    let (mut local, mut elsewhere) = (Vec::new(), Vec::new());
    for user_id in asked.keys() {
        let devices = asked.optional_texts(user_id)?.unwrap_or_default();
        let devices = devices.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let is_here = server_name_of(user_id) == Some(server.name());
        if is_here { &mut local } else { &mut elsewhere }.push((user_id.clone(), devices));
    }
    let mut answer = server.store.read(move |c| keys_of(c, &requester.user_id, local)).await?;
    let elsewhere = federation::query_elsewhere(&server, elsewhere).await;
    for (name, users) in elsewhere.found {
        if let Some(known) = answer[name].as_object_mut() {
            known.extend(users);
        }
    }
    answer["failures"] = elsewhere.failures.into();
    Ok(Json(answer))
}

/// The keys of these devices of users here, as `viewer` may see them; no devices means all of them.
pub(crate) fn keys_of(
    connection: &Connection,
    viewer: &str,
    users: Vec<(String, Vec<String>)>,
) -> Result<Value, StoreError> {
    let mut found = Found::default();
    for (user_id, device_ids) in users {
        found.add(connection, viewer, user_id, &device_ids)?;
    }
    Ok(found.answer())
}

/// What a query has found, by user.
#[derive(Default)]
struct Found {
    device_keys: Map<String, Value>,
    /// In the order of [`Usage::ALL`].
    cross_signing_keys: [Map<String, Value>; 3],
}

impl Found {
    fn add(
        &mut self,
        connection: &Connection,
        viewer: &str,
        user_id: String,
        device_ids: &[String],
    ) -> Result<(), StoreError> {
        let Some(account) = store::accounts::find(connection, &user_id)? else { return Ok(()) };
        let signatures = store::cross_signing::signatures(connection, &account.user_id, viewer)?;
        let mut devices = Map::new();
        for device in device_keys::of_user(connection, &user_id)? {
            if !device_ids.is_empty()
                && !commits(Fault::QueriedDevicesIgnored)
                && !device_ids.contains(&device.device_id)
            {
                continue;
            }
            let mut keys = device.keys;
            show_signatures(&mut keys, &device.device_id, &user_id, viewer, &signatures);
            let name = device.display_name.map(|name| json!({"device_display_name": name}));
            keys.insert("unsigned".to_owned(), name.unwrap_or_else(|| json!({})));
            devices.insert(device.device_id, keys.into());
        }
        self.device_keys.insert(user_id.clone(), devices.into());
        for key in store::cross_signing::of_user(connection, &user_id)? {
            if key.usage == Usage::UserSigning && user_id != viewer && !commits(Fault::UserSigningKeysShown) {
                continue;
            }
            let mut shown = key.key;
            show_signatures(&mut shown, &key.public_key, &user_id, viewer, &signatures);
            for (usage, keys) in Usage::ALL.into_iter().zip(&mut self.cross_signing_keys) {
                if usage == key.usage {
                    keys.insert(user_id.clone(), shown.clone().into());
                }
            }
        }
        Ok(())
    }

    fn answer(self) -> Value {
        let [master, self_signing, user_signing] = self.cross_signing_keys;
        json!({
            "device_keys": self.device_keys,
            "master_keys": master,
            "self_signing_keys": self_signing,
            "user_signing_keys": user_signing,
        })
    }
}

async fn claim(State(server): State<Arc<Homeserver>>, GuestOrUser(_): GuestOrUser, body: Body) -> Answer {
    let asked = body.object("one_time_keys")?;
    body.optional_integer("timeout")?;
    let (mut local, mut elsewhere) = (Vec::new(), Vec::new());
    for user_id in asked.keys() {
        let devices = asked.object(user_id)?;
        let is_here = server_name_of(user_id) == Some(server.name());
        for device_id in devices.keys() {
            let algorithm = devices.text(device_id)?.to_owned();
            let wanted = (user_id.clone(), device_id.clone(), algorithm);
            if is_here { &mut local } else { &mut elsewhere }.push(wanted);
        }
    }
    let mut claimed = server.store.write(move |c| claim_keys(c, local)).await?;
    let elsewhere = federation::claim_elsewhere(&server, elsewhere).await;
    if let Some(claimed) = claimed.as_object_mut() {
        claimed.extend(elsewhere.found.into_values().flatten());
    }
    Ok(Json(json!({"one_time_keys": claimed, "failures": elsewhere.failures})))
}

/// Takes one-time keys of devices here, named by user, device and algorithm.
pub(crate) fn claim_keys(
    connection: &Connection,
    wanted: Vec<(String, String, String)>,
) -> Result<Value, StoreError> {
    let mut claimed = json!({});
    for (user_id, device_id, algorithm) in wanted {
        if let Some(key) = one_time_keys::claim(connection, &user_id, &device_id, &algorithm)? {
            claimed[user_id][device_id] = json!({(format!("{algorithm}:{}", key.key_id)): key.key});
        }
    }
    Ok(claimed)
}

async fn changes(State(server): State<Arc<Homeserver>>, requester: Requester, query: Query) -> Answer {
    query.required("from")?;
    query.required("to")?;
    let settled = server.stream.settled().await;
    let from = query.position("from")?.unwrap_or_default();
    let to = query.position("to")?.unwrap_or_default().min(settled);
    let user_id = requester.user_id.clone();
    let changes = server.store.read(move |c| store::device_lists::changed(c, &user_id, from, to)).await?;
    let news = News::of(&server, &requester.user_id, changes, from, to);
    Ok(Json(json!({"changed": news.changed, "left": news.left})))
}

fn invalid_signature(message: &str) -> MatrixError {
    MatrixError::new(http::StatusCode::BAD_REQUEST, "M_INVALID_SIGNATURE", message)
}
