//! The keys of other servers: fetched from them, or from notaries when they are away, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use protocol::Object;
use protocol::keys::{KeyId, KeyRing, PublishedKey, Validity, VerifyKey};
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::federation::requests::PeerError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::server_keys::{self, ServerKey};

/// How soon after an answer, and after a failure, a server is asked again for a key that it did not name.
const AFTER_ANSWER: Duration = Duration::from_secs(1);
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// How far ahead others may wish a key to be valid: a bit less than the week for which keys count at most.
const LONGEST_MS: i64 = 6 * 24 * 60 * 60 * 1000;

/// How long a server may take to tell its keys.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The keys that are in memory, and when servers were asked last.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<HashMap<String, Arc<Server>>>);

/// What is known of one server. Whoever asks it holds the lock of `asked`.
#[derive(Debug, Default)]
struct Server {
    keys: Mutex<Option<Vec<ServerKey>>>,
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl KeyCache {
    fn server(&self, name: &str) -> Arc<Server> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(servers.entry(name.to_owned()).or_default())
    }
}

impl Homeserver {
    /// Adds to a ring the keys of a server with these ids, as they count at a time in milliseconds since the Unix epoch.
    /// What can not be had is left out.
    pub(crate) async fn add_keys(
        &self,
        ring: &mut KeyRing,
        name: &str,
        key_ids: &[&str],
        at_ms: i64,
    ) -> Result<(), MatrixError> {
        if name == self.name() {
            ring.trust(name, self.signing_key.id().clone(), self.signing_key.verify_key());
            return Ok(());
        }
        for key in self.keys_of(name, key_ids, at_ms).await? {
            let (Ok(id), Ok(verify_key)) = (key.key_id.parse::<KeyId>(), VerifyKey::from_base64(&key.key))
            else {
                continue;
            };
            let until = u64::try_from(key.valid_until_ms).unwrap_or(0);
            let validity = if key.expired { Validity::Expired(until) } else { Validity::Until(until) };
            ring.insert(name, id, PublishedKey { key: verify_key, validity });
        }
        Ok(())
    }

    /// The last answer of a server about its keys, newer than what is kept if that lacks one of these keys or does not
    /// count as long.
    pub(super) async fn key_answer(
        &self,
        name: &str,
        key_ids: &[&str],
        valid_until_ms: i64,
    ) -> Result<Option<Object>, MatrixError> {
        // Keys count for a week at most: a wish beyond that would have the server asked every time.
        let longest_ms = if commits(Fault::WishesOfKeysIgnored) { i64::MIN } else { now_ms() + LONGEST_MS };
        let sensible = valid_until_ms.min(longest_ms);
        self.keys_of(name, key_ids, sensible).await?;
        let kept = name.to_owned();
        let answer = self.store.read(move |c| server_keys::answer(c, &kept)).await?;
        Ok(answer.and_then(|answer| serde_json::from_str(&answer).ok()))
    }

    async fn keys_of(&self, name: &str, key_ids: &[&str], at_ms: i64) -> Result<Vec<ServerKey>, MatrixError> {
        let known = self.keys.server(name);
        let kept = self.kept_keys(&known, name).await?;
        if suffices(&kept, key_ids, at_ms) {
            return Ok(kept);
        }
        let mut asked = known.asked.lock().await;
        // Somebody else may have asked meanwhile.
        let kept = self.kept_keys(&known, name).await?;
        let pause = if kept.is_empty() { AFTER_FAILURE } else { AFTER_ANSWER };
        if suffices(&kept, key_ids, at_ms) || asked.is_some_and(|asked| asked.elapsed() < pause) {
            return Ok(kept);
        }
        let fetched = self.fetch_keys(name, key_ids, at_ms).await;
        *asked = Some(Instant::now());
        let Some((answer, keys)) = fetched else { return Ok(kept) };
        let (owner, received) = (name.to_owned(), keys.clone());
        self.store
            .write(move |connection| {
                for key in &received {
                    server_keys::set(connection, key)?;
                }
                server_keys::set_answer(connection, &owner, &Value::Object(answer).to_string(), now_ms())
            })
            .await?;
        let mut merged = keys;
        let older = kept.into_iter().filter(|old| !merged.iter().any(|new| new.key_id == old.key_id));
        merged.extend(older.collect::<Vec<_>>());
        *known.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(merged.clone());
        Ok(merged)
    }

    async fn kept_keys(&self, known: &Server, name: &str) -> Result<Vec<ServerKey>, MatrixError> {
        if let Some(keys) = known.keys.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(keys);
        }
        let owner = name.to_owned();
        let keys = self.store.read(move |c| server_keys::of_server(c, &owner)).await?;
        Ok(known.keys.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(keys).clone())
    }

    /// Asks the server itself, then the notaries.
    async fn fetch_keys(&self, name: &str, key_ids: &[&str], at_ms: i64) -> Option<(Object, Vec<ServerKey>)> {
        let direct = self.ask_within(TIMEOUT, name, Method::GET, "/_matrix/key/v2/server", None).await;
        let direct =
            direct.and_then(|answer| read(name, answer).map_err(|reason| PeerError::useless(name, reason)));
        match direct {
            Ok(answer) => return Some(answer),
            Err(error) => tracing::info!("no keys: {error}"),
        }
        for notary in &self.config.outgoing.notaries {
            let criteria: Object = key_ids
                .iter()
                .map(|id| ((*id).to_owned(), json!({"minimum_valid_until_ts": at_ms})))
                .collect();
            let question = json!({"server_keys": {name: criteria}});
            let answer = self
                .ask_within(TIMEOUT, notary, Method::POST, "/_matrix/key/v2/query", Some(&question))
                .await;
            match answer {
                Ok(answer) => {
                    let answers =
                        answer.get("server_keys").and_then(Value::as_array).cloned().unwrap_or_default();
                    if let Some(found) = answers.into_iter().find_map(|answer| read(name, answer).ok()) {
                        return Some(found);
                    }
                }
                Err(error) => tracing::info!("no keys from a notary: {error}"),
            }
        }
        None
    }
}

/// Whether all of these keys are there, and are still those of the server or known to be no longer.
fn suffices(kept: &[ServerKey], key_ids: &[&str], at_ms: i64) -> bool {
    let counts = |key: &&ServerKey| key.expired || key.valid_until_ms >= at_ms;
    let has = |key_id: &&str| kept.iter().filter(counts).any(|key| key.key_id == *key_id);
    if key_ids.is_empty() {
        kept.iter().any(|key| counts(&key) && !key.expired)
    } else {
        key_ids.iter().all(has)
    }
}

/// Reads what a server, or a notary, says of a server's keys; it has to be signed by them.
fn read(name: &str, answer: Value) -> Result<(Object, Vec<ServerKey>), String> {
    let Value::Object(answer) = answer else { return Err("keys must be an object".to_owned()) };
    if answer.get("server_name").and_then(Value::as_str) != Some(name) {
        return Err("these are the keys of another server".to_owned());
    }
    let until = answer.get("valid_until_ts").and_then(Value::as_u64).ok_or("valid_until_ts is missing")?;
    let until = match Validity::until(until, u64::try_from(now_ms()).unwrap_or(0)) {
        _ if commits(Fault::KeysOutliveAWeek) => until,
        _ if commits(Fault::ValidityOfKeysIgnored) => u64::MAX,
        Validity::Until(until) => until,
        Validity::Expired(_) => return Err("valid_until_ts is of no use".to_owned()),
    };
    let section = |section: &str| answer.get(section).and_then(Value::as_object).into_iter().flatten();
    let key_of = |entry: &Value| VerifyKey::from_base64(entry.get("key")?.as_str()?).ok();
    let mut keys = Vec::new();
    for (key_id, entry) in section("verify_keys") {
        let Some(key) = key_of(entry) else { continue };
        keys.push(ServerKey {
            server_name: name.to_owned(),
            key_id: key_id.clone(),
            key: key.to_base64(),
            valid_until_ms: i64::try_from(until).unwrap_or(i64::MAX),
            expired: false,
        });
    }
    protocol::signatures::verify(&answer, name, |id| {
        let key = keys.iter().find(|key| key.key_id == id.as_str())?;
        VerifyKey::from_base64(&key.key).ok()
    })
    .map_err(|error| error.to_string())?;
    for (key_id, entry) in section("old_verify_keys") {
        let (Some(key), Some(expired_ts)) = (key_of(entry), entry.get("expired_ts").and_then(Value::as_i64))
        else {
            continue;
        };
        if keys.iter().any(|key| key.key_id == *key_id) {
            continue;
        }
        keys.push(ServerKey {
            server_name: name.to_owned(),
            key_id: key_id.clone(),
            key: key.to_base64(),
            valid_until_ms: expired_ts,
            expired: true,
        });
    }
    Ok((answer, keys))
}
