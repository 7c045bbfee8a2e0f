//! Keys of devices and users, made and signed as clients do: `client-server-api/#end-to-end-encryption`.

use protocol::{base64, canonical_json::Form, keys::SigningKey, signatures::signed_text};
use serde_json::{Value, json};

use super::{Answer, Call, User};
use crate::{path, verdict::Stop};

/// An Ed25519 key of a device or of a user.
#[derive(Clone, Debug)]
pub struct Key(SigningKey);

impl Key {
    /// A new key.
    pub fn new() -> Result<Self, Stop> {
        // The key has an id of its own that only servers use; devices and users name theirs.
        SigningKey::generate("1").map(Key).map_err(|error| Stop::Fault(error.to_string()))
    }

    /// The public half in unpadded base64.
    pub fn public(&self) -> String {
        self.0.verify_key().to_base64()
    }

    /// The id under which a cross-signing key signs: `client-server-api/#cross-signing`.
    pub fn id(&self) -> String {
        format!("ed25519:{}", self.public())
    }

    /// Adds the signature of a user with this key, under the id that the key has: `appendices/#signing-json`.
    pub fn sign(&self, object: &mut Value, user_id: &str, key_id: &str) -> Result<(), Stop> {
        let fields = object.as_object().cloned().unwrap_or_default();
        let text = signed_text(&fields, Form::Strict)
            .map_err(|error| Stop::Fault(format!("cannot sign: {error}")))?;
        object["signatures"][user_id][key_id] = json!(base64::encode(self.0.sign(text.as_bytes())));
        Ok(())
    }
}

/// The cross-signing keys of a user: `client-server-api/#cross-signing`.
#[derive(Clone, Debug)]
pub struct CrossSigningKeys {
    /// Signs the others.
    pub master: Key,
    /// Signs the user's devices.
    pub self_signing: Key,
    /// Signs the master keys of other users.
    pub user_signing: Key,
}

impl CrossSigningKeys {
    /// New keys.
    pub fn new() -> Result<Self, Stop> {
        Ok(CrossSigningKeys { master: Key::new()?, self_signing: Key::new()?, user_signing: Key::new()? })
    }

    /// The body that uploads them.
    pub fn upload(&self, owner: &User) -> Result<Value, Stop> {
        self.upload_of(owner.id())
    }

    /// The same for a user of whom the id is enough.
    pub fn upload_of(&self, owner: &str) -> Result<Value, Stop> {
        let key = |usage, key, master| cross_signing_key(owner, usage, key, master);
        Ok(json!({
            "master_key": key("master", &self.master, None)?,
            "self_signing_key": key("self_signing", &self.self_signing, Some(&self.master))?,
            "user_signing_key": key("user_signing", &self.user_signing, Some(&self.master))?,
        }))
    }
}

impl User {
    /// The id under which the device of this session signs.
    pub fn device_key_id(&self) -> String {
        format!("ed25519:{}", self.device_id())
    }

    /// The identity keys of this session's device, signed by its key.
    pub fn device_keys(&self, key: &Key) -> Result<Value, Stop> {
        let mut keys = json!({
            "user_id": self.id(),
            "device_id": self.device_id(),
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {},
        });
        keys["keys"][self.device_key_id()] = json!(key.public());
        keys["keys"][format!("curve25519:{}", self.device_id())] = json!(Key::new()?.public());
        key.sign(&mut keys, self.id(), &self.device_key_id())?;
        Ok(keys)
    }

    /// A one-time key of this session's device, or a fallback key, signed by the device's key.
    pub fn signed_curve25519(&self, key: &Key, fallback: bool) -> Result<Value, Stop> {
        let mut signed = json!({"key": Key::new()?.public()});
        if fallback {
            signed["fallback"] = json!(true);
        }
        key.sign(&mut signed, self.id(), &self.device_key_id())?;
        Ok(signed)
    }

    /// A cross-signing key of the user, signed by the master key where there is one to sign it.
    pub fn cross_signing_key(&self, usage: &str, key: &Key, master: Option<&Key>) -> Result<Value, Stop> {
        cross_signing_key(self.id(), usage, key, master)
    }

    /// Uploads keys of this session's device.
    pub fn upload_keys(&self, body: Value) -> Call {
        self.post("/_matrix/client/v3/keys/upload", body)
    }

    /// Uploads new identity keys of this session's device; gives the key that signs for it.
    pub async fn publishes_device_keys(&self) -> Result<Key, Stop> {
        let key = Key::new()?;
        self.upload_keys(json!({"device_keys": self.device_keys(&key)?})).await?;
        Ok(key)
    }

    /// Uploads cross-signing keys, which no user has to authenticate for who has none.
    pub async fn publishes_cross_signing_keys(&self) -> Result<CrossSigningKeys, Stop> {
        let keys = CrossSigningKeys::new()?;
        self.upload_cross_signing_keys(keys.upload(self)?).await?;
        Ok(keys)
    }

    /// Uploads cross-signing keys of the user.
    pub fn upload_cross_signing_keys(&self, body: Value) -> Call {
        self.post("/_matrix/client/v3/keys/device_signing/upload", body)
    }

    /// Uploads a key of somebody with the user's signature on it; `target` is a device id or a public key.
    pub fn upload_signature(&self, of: &User, target: &str, signed: Value) -> Call {
        let mut body = json!({});
        body[of.id()][target] = signed;
        self.post("/_matrix/client/v3/keys/signatures/upload", body)
    }

    /// Looks up the keys of all devices of a user.
    pub fn query_keys(&self, of: &User) -> Call {
        self.query_device_keys(of.id(), &[])
    }

    /// Looks up the keys of these devices of a user.
    pub fn query_device_keys(&self, user_id: &str, devices: &[&str]) -> Call {
        let mut asked = json!({});
        asked[user_id] = json!(devices);
        self.post("/_matrix/client/v3/keys/query", json!({"device_keys": asked}))
    }

    /// Claims a one-time key of a device; gives the key with its name, or `null` where there is none.
    pub async fn claim_key(&self, of: &User) -> Result<(Answer, Value), Stop> {
        let mut asked = json!({});
        asked[of.id()][of.device_id()] = json!("signed_curve25519");
        let answer = self.post("/_matrix/client/v3/keys/claim", json!({"one_time_keys": asked})).await?;
        let claimed = answer.at("/one_time_keys")[of.id()][of.device_id()].clone();
        Ok((answer, claimed))
    }

    /// Whose keys have changed between two places of the sync stream.
    pub fn key_changes(&self, from: &str, to: &str) -> Call {
        self.get(path!("/_matrix/client/v3/keys/changes?from={}&to={}", from, to))
    }
}

fn cross_signing_key(owner: &str, usage: &str, key: &Key, master: Option<&Key>) -> Result<Value, Stop> {
    let mut signed = json!({"user_id": owner, "usage": [usage], "keys": {}});
    signed["keys"][key.id()] = json!(key.public());
    if let Some(master) = master {
        master.sign(&mut signed, owner, &master.id())?;
    }
    Ok(signed)
}
