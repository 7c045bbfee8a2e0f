//! Keys that vouch for devices and for other users: client-server-api/#cross-signing.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use protocol::keys::VerifyKey;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::invalid_signature;
use super::signed::{is_same_but_for_signatures, is_signed_by, signature_by};
use crate::client::Routes;
use crate::client::user_interactive_authentication::{Attempt, Stage};
use crate::device_lists;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Requester};
use crate::store::cross_signing::{self, CrossSigningKey, Signature, Usage};
use crate::store::{self, StoreError, device_keys, devices};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/keys/device_signing/upload", post(upload_keys))
        .route("/_matrix/client/v3/keys/signatures/upload", post(upload_signatures))
}

async fn upload_keys(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let is_service =
        requester.application_service.is_some() && !commits(Fault::ServicesAuthenticateLikeUsers);
    let user_id = requester.user_id.clone();
    let uploaded = read(&user_id, &body)?;
    let owner = user_id.clone();
    let (kept, devices) = server
        .store
        .read(move |c| Ok((cross_signing::of_user(c, &owner)?, devices::list(c, &owner)?)))
        .await?;
    must_be_signed(&user_id, &uploaded, &kept)?;
    let is_device = |key: &CrossSigningKey| devices.iter().any(|device| key.public_key == device.device_id);
    if uploaded.iter().any(is_device) && !commits(Fault::CrossSigningKeysNamedLikeDevices) {
        return Err(MatrixError::forbidden("a public key is the id of a device of yours: make another key"));
    }
    // application-service-api/#cross-signing
    if !is_service && is_protected(&uploaded, &kept) && !commits(Fault::CrossSigningUnprotected) {
        let user_id = Some(user_id.as_str());
        let stage = if requester.oauth { Stage::OAuth } else { Stage::Password };
        let flows = vec![vec![stage]];
        Attempt { operation: "device_signing", flows, user_id, body: &body }.allow(&server).await?;
    }
    if uploaded.iter().all(|key| kept.contains(key)) {
        return empty();
    }
    let owner = user_id.clone();
    let undisturbed = device_lists::change(&server, &user_id, move |connection, position| {
        // Whether this was allowed depends on what was there.
        if cross_signing::of_user(connection, &owner)? != kept {
            return Ok(false);
        }
        uploaded.iter().try_for_each(|key| cross_signing::set(connection, &owner, key))?;
        store::device_lists::note(connection, &owner, None, position)?;
        Ok(true)
    })
    .await?;
    if undisturbed { empty() } else { Err(MatrixError::unknown("your keys have just changed: try again")) }
}

/// The keys in a body, the master key first.
fn read(user_id: &str, body: &Map<String, Value>) -> Result<Vec<CrossSigningKey>, MatrixError> {
    let mut uploaded = Vec::new();
    for usage in Usage::ALL {
        if let Some(key) = body.optional_object(&format!("{}_key", usage.name()))? {
            uploaded.push(read_key(user_id, usage, key)?);
        }
    }
    Ok(uploaded)
}

fn read_key(user_id: &str, usage: Usage, key: &Map<String, Value>) -> Result<CrossSigningKey, MatrixError> {
    let invalid = |message: &str| MatrixError::invalid_param(format!("{}_key {message}", usage.name()));
    if key.text("user_id")? != user_id {
        return Err(invalid("must have your user_id"));
    }
    let usages =
        key.optional_texts("usage")?.ok_or_else(|| MatrixError::missing_param("add the field usage"))?;
    if !usages.contains(&usage.name()) {
        return Err(invalid("must be of the usage that the body gives it"));
    }
    let keys = key.object("keys")?;
    let mut names = keys.keys();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(invalid("must have exactly one public key"));
    };
    let public_key = keys.text(name)?;
    if name.strip_prefix("ed25519:") != Some(public_key) || VerifyKey::from_base64(public_key).is_err() {
        return Err(invalid("must be an ed25519 key in unpadded base64 under its own name"));
    }
    Ok(CrossSigningKey { usage, public_key: public_key.to_owned(), key: key.clone() })
}

/// All keys but the master key have to be signed by it: the one that comes with them, or else the one that is there.
fn must_be_signed(
    user_id: &str,
    uploaded: &[CrossSigningKey],
    kept: &[CrossSigningKey],
) -> Result<(), MatrixError> {
    let master = of_usage(uploaded, Usage::Master).or_else(|| of_usage(kept, Usage::Master));
    let master = master.ok_or_else(|| MatrixError::missing_param("add the field master_key"))?;
    let key_id = format!("ed25519:{}", master.public_key);
    for key in uploaded.iter().filter(|key| key.usage != Usage::Master) {
        if !is_signed_by(&key.key, user_id, &key_id, &master.public_key)
            && !commits(Fault::CrossSigningKeysUnsigned)
        {
            return Err(invalid_signature(
                "self_signing_key and user_signing_key must be signed by the master key",
            ));
        }
    }
    Ok(())
}

/// Whether the user has to prove to be there: not for a first master key, and not for a repetition of what is there.
fn is_protected(uploaded: &[CrossSigningKey], kept: &[CrossSigningKey]) -> bool {
    let repeats = |key: &CrossSigningKey| {
        of_usage(kept, key.usage).is_some_and(|kept| is_same_but_for_signatures(&kept.key, &key.key))
    };
    let repetition = of_usage(uploaded, Usage::Master).is_some() && uploaded.iter().all(repeats);
    of_usage(kept, Usage::Master).is_some() && !repetition
}

fn of_usage(keys: &[CrossSigningKey], usage: Usage) -> Option<&CrossSigningKey> {
    keys.iter().find(|key| key.usage == usage)
}

async fn upload_signatures(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    body: Body,
) -> Answer {
    let mut signed = Vec::new();
    for user_id in body.keys() {
        let keys = body.object(user_id)?;
        for target in keys.keys() {
            signed.push((user_id.clone(), target.clone(), keys.object(target)?.clone()));
        }
    }
    let signer = requester.user_id.clone();
    let failures = device_lists::change(&server, &requester.user_id, move |connection, position| {
        let mut failures = json!({});
        for (user_id, target, object) in signed {
            match judge(connection, &signer, &user_id, &target, &object)? {
                Err(error) => failures[user_id][target] = error.body().into(),
                Ok(signatures) => {
                    let added = signatures.iter();
                    added.into_iter().try_for_each(|one| cross_signing::sign(connection, &user_id, one))?;
                    // Whom the signer has verified is told to nobody else.
                    let told = (signer != user_id).then_some(signer.as_str());
                    store::device_lists::note(connection, &user_id, told, position)?;
                }
            }
        }
        Ok(failures)
    })
    .await?;
    Ok(Json(json!({"failures": failures})))
}

/// The good signatures of `signer` in an object, which has to be a key of `user_id` that the signer knows.
fn judge(
    connection: &Connection,
    signer: &str,
    user_id: &str,
    target: &str,
    object: &Map<String, Value>,
) -> Result<Result<Vec<Signature>, MatrixError>, StoreError> {
    let keys = cross_signing::of_user(connection, user_id)?;
    let own = if signer == user_id { keys.clone() } else { cross_signing::of_user(connection, signer)? };
    let key = keys.iter().find(|key| key.public_key == target);
    let device = device_keys::find(connection, user_id, target)?;
    // Who signs what (client-server-api/#cross-signing); a device may sign its user's master key beside.
    let (kept, by) = match (key, &device) {
        (Some(key), _) if signer == user_id && key.usage == Usage::Master => {
            let devices = device_keys::of_user(connection, signer)?.into_iter();
            let ed25519 = |device: device_keys::DeviceKeys| {
                let key_id = format!("ed25519:{}", device.device_id);
                let public_key = device.keys.get("keys")?.get(&key_id)?.as_str()?.to_owned();
                Some((key_id, public_key))
            };
            (&key.key, devices.filter_map(ed25519).collect())
        }
        (Some(key), _) if signer == user_id => (&key.key, signing_keys(&own, Usage::Master)),
        (Some(key), _) if key.usage == Usage::Master => (&key.key, signing_keys(&own, Usage::UserSigning)),
        (None, Some(device)) if signer == user_id => (device, signing_keys(&own, Usage::SelfSigning)),
        _ => return Ok(Err(MatrixError::not_found("there is no such key that you could sign"))),
    };
    if !is_same_but_for_signatures(kept, object) && !commits(Fault::AnythingSigned) {
        return Ok(Err(MatrixError::invalid_param("the object must be the key that the server has")));
    }
    let good = by.into_iter().filter(|(key_id, public_key)| is_signed_by(object, signer, key_id, public_key));
    let signatures: Vec<_> = good
        .filter_map(|(key_id, _)| {
            let signature = signature_by(object, signer, &key_id)?.to_owned();
            Some(Signature { target: target.to_owned(), signer: signer.to_owned(), key_id, signature })
        })
        .collect();
    if signatures.is_empty() {
        return Ok(Err(invalid_signature(
            "there is no good signature by a key of yours that signs such keys",
        )));
    }
    Ok(Ok(signatures))
}

/// Ids and public keys of the keys that a user signs such things with.
fn signing_keys(keys: &[CrossSigningKey], usage: Usage) -> Vec<(String, String)> {
    let key = of_usage(keys, usage);
    key.map(|key| (format!("ed25519:{}", key.public_key), key.public_key.clone())).into_iter().collect()
}
