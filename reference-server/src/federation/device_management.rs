//! Device lists across servers: server-server-api/#device-management.
//!
//! Of users elsewhere who share a room with somebody here, the devices are kept and follow the updates that their server
//! sends; a gap in these has the whole list fetched anew. All others are asked about each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::Object;
use protocol::identifiers::server_name_of;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::path_segment;
use super::pdus::is_of;
use super::request_authentication::Signed;
use super::requests::PeerError;
use crate::client::end_to_end_encryption::keys_of;
use crate::delivery;
use crate::device_lists;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Fields, Path};
use crate::store::{StoreError, remote_devices};

/// All devices of a user here.
pub(super) async fn devices(
    State(server): State<Arc<Homeserver>>,
    Path(user_id): Path<String>,
    _: Signed,
) -> Answer {
    if !is_of(&user_id, server.name()) {
        return Err(MatrixError::not_found("this server knows no such user"));
    }
    let owner = user_id.clone();
    let (stream_id, keys) = server
        .store
        .read(move |c| {
            Ok((remote_devices::last_update(c, &owner)?, keys_of(c, "", vec![(owner.clone(), Vec::new())])?))
        })
        .await?;
    let known = keys["device_keys"].get(&user_id).and_then(Value::as_object);
    let known = known.ok_or_else(|| MatrixError::not_found("this server knows no such user"))?;
    let devices: Vec<_> = known.iter().map(|(device_id, keys)| device(device_id, keys)).collect();
    let mut answer = json!({"user_id": user_id, "stream_id": stream_id, "devices": devices});
    for (name, keys) in
        [("master_key", &keys["master_keys"]), ("self_signing_key", &keys["self_signing_keys"])]
    {
        if let Some(key) = keys.get(&user_id) {
            answer[name] = key.clone();
        }
    }
    Ok(Json(answer))
}

/// A device as servers tell of it: its name stands beside its keys.
fn device(device_id: &str, keys: &Value) -> Value {
    let mut device = json!({"device_id": device_id});
    let mut keys = keys.clone();
    if let Some(unsigned) = keys.as_object_mut().and_then(|keys| keys.remove("unsigned"))
        && let Some(name) = unsigned.get("device_display_name")
    {
        device["device_display_name"] = name.clone();
    }
    device["keys"] = keys;
    device
}

/// What others know of a user's devices and keys, to see afterwards what has changed.
pub(crate) struct Before(Value);

impl Before {
    /// As things are.
    pub(crate) fn of(connection: &Connection, user_id: &str) -> Result<Self, StoreError> {
        Ok(Self(keys_of(connection, "", vec![(user_id.to_owned(), Vec::new())])?))
    }

    /// Tells other servers what is different now.
    pub(crate) fn tell_changes(
        &self,
        connection: &Connection,
        user_id: &str,
        others: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let after = Self::of(connection, user_id)?;
        let (old, new) = (self.devices(user_id), after.devices(user_id));
        for device_id in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            if old.get(device_id) != new.get(device_id) && !commits(Fault::DeviceUpdatesNotSent) {
                tell(connection, user_id, device_id, new.get(device_id), others)?;
            }
        }
        let keys = |value: &Value| {
            ["master_keys", "self_signing_keys"].map(|name| value[name].get(user_id).cloned())
        };
        if keys(&self.0) != keys(&after.0) {
            let mut content = json!({"user_id": user_id});
            for (name, key) in ["master_key", "self_signing_key"].into_iter().zip(keys(&after.0)) {
                if let Some(key) = key {
                    content[name] = key;
                }
            }
            delivery::enqueue(connection, others, "m.signing_key_update", &content)?;
        }
        Ok(())
    }

    fn devices(&self, user_id: &str) -> BTreeMap<String, Value> {
        let devices = self.0["device_keys"].get(user_id).and_then(Value::as_object);
        devices.into_iter().flatten().map(|(id, keys)| (id.clone(), keys.clone())).collect()
    }
}

fn tell(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    keys: Option<&Value>,
    others: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let (last, next) = remote_devices::next_update(connection, user_id)?;
    let mut content = match keys {
        Some(keys) => device(device_id, keys),
        None => json!({"device_id": device_id, "deleted": true}),
    };
    content["user_id"] = user_id.into();
    content["stream_id"] = next.into();
    let is_first = last == 0 || commits(Fault::DeviceUpdatesUnlinked);
    content["prev_id"] = if is_first { json!([]) } else { json!([last]) };
    delivery::enqueue(connection, others, "m.device_list_update", &content)
}

/// Tells servers of all devices of a user who has come into a room with them.
pub(crate) async fn introduce(
    server: &Homeserver,
    user_id: String,
    others: BTreeSet<String>,
) -> Result<(), MatrixError> {
    let told = others.clone();
    let change = move |connection: &Connection| {
        for (device_id, keys) in Before::of(connection, &user_id)?.devices(&user_id) {
            tell(connection, &user_id, &device_id, Some(&keys), &told)?;
        }
        Ok(())
    };
    server.store.write(change).await?;
    server.delivery.wake(others);
    Ok(())
}

/// A device of a user elsewhere has changed.
pub(super) async fn receive(
    server: &Arc<Homeserver>,
    origin: &str,
    content: &Object,
) -> Result<(), MatrixError> {
    let user_id = content.text("user_id")?.to_owned();
    let device_id = content.text("device_id")?.to_owned();
    let stream_id = content.optional_integer("stream_id")?;
    let stream_id = stream_id.ok_or_else(|| MatrixError::missing_param("stream_id is missing"))?;
    let before: Vec<i64> = content.list("prev_id")?.iter().filter_map(Value::as_i64).collect();
    if !is_of(&user_id, origin) {
        return Err(MatrixError::forbidden("the user is not of that server"));
    }
    let owner = user_id.clone();
    let kept = server.store.read(move |c| remote_devices::find(c, &owner)).await?;
    let last = kept.as_ref().map(|kept| kept.stream_id);
    if before.iter().all(|id| Some(*id) == last) {
        if let Some(mut kept) = kept {
            kept.stream_id = stream_id;
            if !commits(Fault::DeviceUpdatesForgotten) {
                kept.apply(&device_id, content);
            }
            let owner = user_id.clone();
            server.store.write(move |c| remote_devices::set(c, &owner, &kept)).await?;
        }
    } else if server.timelines.servers_with(&user_id).contains(server.name()) {
        // What it builds on is not here.
        if let Err(error) = fetch(server, &user_id).await {
            tracing::info!("devices of {user_id} are not known any more: {error}");
            let owner = user_id.clone();
            server.store.write(move |c| remote_devices::forget(c, &owner)).await?;
        }
    }
    device_lists::note_elsewhere(server, &user_id).await
}

impl remote_devices::Devices {
    fn apply(&mut self, device_id: &str, content: &Object) {
        let Some(answer) = self.answer.as_object_mut() else { return };
        let devices = answer.entry("devices").or_insert_with(|| json!([]));
        let Some(devices) = devices.as_array_mut() else { return };
        devices.retain(|device| device.get("device_id").and_then(Value::as_str) != Some(device_id));
        if content.get("deleted") != Some(&Value::Bool(true)) && content.contains_key("keys") {
            let named = ["device_id", "keys", "device_display_name"];
            let device =
                named.iter().filter_map(|name| Some(((*name).to_owned(), content.get(*name)?.clone())));
            devices.push(Value::Object(device.collect()));
        }
    }
}

/// Fetches the devices of a user elsewhere, and keeps them.
async fn fetch(server: &Homeserver, user_id: &str) -> Result<Value, PeerError> {
    let destination = server_name_of(user_id).unwrap_or_default();
    let uri = format!("/_matrix/federation/v1/user/devices/{}", path_segment(user_id));
    let answer = server.ask_for(destination, &uri).await?;
    let useless = |reason: &str| PeerError::useless(destination, reason);
    let stream_id =
        answer.get("stream_id").and_then(Value::as_i64).ok_or_else(|| useless("it has no stream_id"))?;
    if answer.get("user_id").and_then(Value::as_str) != Some(user_id) {
        return Err(useless("it is about another user"));
    }
    let kept = remote_devices::Devices { stream_id, answer: answer.clone() };
    let owner = user_id.to_owned();
    let written = server.store.write(move |c| remote_devices::set(c, &owner, &kept)).await;
    written.map_err(|error| useless(&error.to_string()))?;
    Ok(answer)
}

/// The devices of a user elsewhere whom somebody here shares a room with, as kept or as fetched; none for others, about
/// whom no updates come.
pub(super) async fn followed(server: &Homeserver, user_id: &str) -> Result<Option<Value>, PeerError> {
    let shared = server.timelines.servers_with(user_id).contains(server.name());
    if !shared {
        return Ok(None);
    }
    let owner = user_id.to_owned();
    let kept = server.store.read(move |c| remote_devices::find(c, &owner)).await;
    match kept {
        Ok(Some(kept)) => Ok(Some(kept.answer)),
        _ => fetch(server, user_id).await.map(Some),
    }
}

/// Keys of a user's devices, as clients are told of them.
pub(super) fn device_keys(answer: &Value, wanted: &[String]) -> Map<String, Value> {
    let devices = answer.get("devices").and_then(Value::as_array).into_iter().flatten();
    let shown = devices.filter_map(|device| {
        let device_id = device.get("device_id")?.as_str()?.to_owned();
        let mut keys = device.get("keys")?.as_object()?.clone();
        let name = device.get("device_display_name").filter(|name| name.is_string());
        keys.insert(
            "unsigned".to_owned(),
            name.map_or_else(|| json!({}), |name| json!({"device_display_name": name})),
        );
        (wanted.is_empty() || wanted.contains(&device_id)).then_some((device_id, Value::Object(keys)))
    });
    shown.collect()
}
