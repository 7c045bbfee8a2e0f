//! Keys of devices across servers: server-server-api/#end-to-end-encryption.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use http::Method;
use protocol::Object;
use protocol::identifiers::server_name_of;
use serde_json::{Map, Value, json};

use super::device_management::{device_keys, followed};
use super::pdus::is_of;
use super::request_authentication::Signed;
use super::requests::PeerError;
use crate::client::end_to_end_encryption::{claim_keys, keys_of};
use crate::device_lists;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::Fields;
use crate::store::remote_devices;

/// Keys of users here.
pub(super) async fn query(State(server): State<Arc<Homeserver>>, signed: Signed) -> Answer {
    let asked = signed.content.object("device_keys")?;
    let mut wanted = Vec::new();
    for user_id in asked.keys().filter(|user_id| is_of(user_id, server.name())) {
        let devices = asked.optional_texts(user_id)?.unwrap_or_default();
        wanted.push((user_id.clone(), devices.into_iter().map(str::to_owned).collect()));
    }
    let mut found = server.store.read(move |c| keys_of(c, "", wanted)).await?;
    if let Some(found) = found.as_object_mut() {
        found.remove("user_signing_keys");
    }
    Ok(Json(found))
}

/// One-time keys of users here.
pub(super) async fn claim(State(server): State<Arc<Homeserver>>, signed: Signed) -> Answer {
    let asked = signed.content.object("one_time_keys")?;
    let mut wanted = Vec::new();
    for user_id in asked.keys().filter(|user_id| is_of(user_id, server.name())) {
        let devices = asked.object(user_id)?;
        for device_id in devices.keys() {
            wanted.push((user_id.clone(), device_id.clone(), devices.text(device_id)?.to_owned()));
        }
    }
    let claimed = server.store.write(move |c| claim_keys(c, wanted)).await?;
    Ok(Json(json!({"one_time_keys": claimed})))
}

/// A user elsewhere has other keys for signing.
pub(super) async fn receive(
    server: &Arc<Homeserver>,
    origin: &str,
    content: &Object,
) -> Result<(), MatrixError> {
    let user_id = content.text("user_id")?.to_owned();
    if !is_of(&user_id, origin) {
        return Err(MatrixError::forbidden("the user is not of that server"));
    }
    let owner = user_id.clone();
    if let Some(mut kept) = server.store.read(move |c| remote_devices::find(c, &owner)).await? {
        for name in ["master_key", "self_signing_key"] {
            if let Some(key) = content.get(name) {
                kept.answer[name] = key.clone();
            }
        }
        let owner = user_id.clone();
        server.store.write(move |c| remote_devices::set(c, &owner, &kept)).await?;
    }
    device_lists::note_elsewhere(server, &user_id).await
}

/// What was found of users elsewhere, and which servers have not answered.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    /// What each answer says, by its name in the answer and then by user.
    pub(crate) found: BTreeMap<&'static str, Map<String, Value>>,
    /// The failures by server.
    pub(crate) failures: Map<String, Value>,
}

impl Elsewhere {
    fn fail(&mut self, name: &str, error: &PeerError) {
        tracing::info!("{error}");
        let failure = MatrixError::unknown("the user's server can not be asked now");
        self.failures.insert(name.to_owned(), failure.body().into());
    }

    fn take(&mut self, name: &'static str, user_id: &str, value: Option<&Value>) {
        if let Some(value) = value {
            self.found.entry(name).or_default().insert(user_id.to_owned(), value.clone());
        }
    }
}

/// Asks the servers of users for the keys of their devices, each server once.
pub(crate) async fn query_elsewhere(server: &Homeserver, asked: Vec<(String, Vec<String>)>) -> Elsewhere {
    let mut by_server: BTreeMap<String, Vec<(String, Vec<String>)>> = BTreeMap::new();
    for (user_id, devices) in asked {
        let name = server_name_of(&user_id).unwrap_or_default().to_owned();
        by_server.entry(name).or_default().push((user_id, devices));
    }
    let answers = by_server.into_iter().map(|(name, asked)| async move {
        let mut answer = Elsewhere::default();
        if let Err(error) = query_server(server, &name, asked, &mut answer).await {
            answer.fail(&name, &error);
        }
        answer
    });
    let mut all = Elsewhere::default();
    for answer in join_all(answers).await {
        for (name, users) in answer.found {
            all.found.entry(name).or_default().extend(users);
        }
        all.failures.extend(answer.failures);
    }
    all
}

async fn query_server(
    server: &Homeserver,
    name: &str,
    asked: Vec<(String, Vec<String>)>,
    answer: &mut Elsewhere,
) -> Result<(), PeerError> {
    let mut open = Map::new();
    for (user_id, devices) in asked {
        match followed(server, &user_id).await? {
            Some(known) => {
                let keys = Value::Object(device_keys(&known, &devices));
                answer.take("device_keys", &user_id, Some(&keys));
                answer.take("master_keys", &user_id, known.get("master_key"));
                answer.take("self_signing_keys", &user_id, known.get("self_signing_key"));
            }
            None => drop(open.insert(user_id, devices.into())),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let users: Vec<String> = open.keys().cloned().collect();
    let question = json!({"device_keys": open});
    let path = "/_matrix/federation/v1/user/keys/query";
    let told = server.ask(name, Method::POST, path, Some(&question)).await?;
    for kind in ["device_keys", "master_keys", "self_signing_keys"] {
        for user_id in &users {
            answer.take(kind, user_id, told.get(kind).and_then(|by_user| by_user.get(user_id)));
        }
    }
    Ok(())
}

/// Claims one-time keys of users elsewhere.
pub(crate) async fn claim_elsewhere(server: &Homeserver, wanted: Vec<(String, String, String)>) -> Elsewhere {
    let mut by_server: BTreeMap<String, Value> = BTreeMap::new();
    for (user_id, device_id, algorithm) in wanted {
        let name = server_name_of(&user_id).unwrap_or_default().to_owned();
        by_server.entry(name).or_insert_with(|| json!({}))[user_id][device_id] = algorithm.into();
    }
    let path = "/_matrix/federation/v1/user/keys/claim";
    let answers = by_server.into_iter().map(|(name, wanted)| async move {
        let question = json!({"one_time_keys": wanted});
        let answer = server.ask(&name, Method::POST, path, Some(&question)).await;
        (name, answer)
    });
    let mut all = Elsewhere::default();
    for (name, answer) in join_all(answers).await {
        match answer {
            Ok(answer) => {
                let claimed = answer.get("one_time_keys").and_then(Value::as_object).into_iter().flatten();
                for (user_id, keys) in claimed.filter(|(user_id, _)| is_of(user_id, &name)) {
                    all.take("one_time_keys", user_id, Some(keys));
                }
            }
            Err(error) => all.fail(&name, &error),
        }
    }
    all
}
