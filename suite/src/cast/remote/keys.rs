//! Signing keys: the document in which a remote publishes its own, and what is known of the server under test.

use protocol::{
    Object,
    canonical_json::Form,
    keys::{KeyId, KeyRing, PublishedKey, SigningKey, Validity, VerifyKey},
    request::{Request, XMatrix},
    signatures,
};
use serde_json::{Value, json};

use crate::{
    cast::{Answer, Call},
    verdict::Stop,
};

/// How long the keys of a remote count: a day, in milliseconds.
const VALID_FOR_MS: u64 = 24 * 60 * 60 * 1000;

/// The keys of the server under test, as it publishes them (`server-server-api/#publishing-keys`).
#[derive(Clone, Debug)]
pub struct ServerKeys {
    /// Its server name.
    pub server_name: String,
    /// Its keys.
    pub ring: KeyRing,
}

impl ServerKeys {
    /// Asks for them.
    pub(crate) async fn fetch(ask: Call, server_name: &str) -> Result<Self, Stop> {
        let answer = ask.await?;
        let mut ring = KeyRing::default();
        for (id, key) in published(&answer, "/verify_keys") {
            ring.trust(server_name, id, key);
        }
        for (id, key) in published(&answer, "/old_verify_keys") {
            let expired =
                answer.at("/old_verify_keys")[id.as_str()]["expired_ts"].as_u64().unwrap_or_default();
            ring.insert(server_name, id, PublishedKey { key, validity: Validity::Expired(expired) });
        }
        Ok(ServerKeys { server_name: server_name.to_owned(), ring })
    }

    /// Whether the server signed the request for this destination.
    pub(super) fn verify(
        &self,
        authorization: &str,
        method: &str,
        target: &str,
        destination: &str,
        content: Option<&Value>,
    ) -> Result<(), String> {
        let header: XMatrix =
            authorization.parse().map_err(|error: protocol::request::HeaderError| error.to_string())?;
        if header.origin != self.server_name {
            return Err(format!("origin {:?}; the server is {:?}", header.origin, self.server_name));
        }
        if header.destination.as_deref() != Some(destination) {
            return Err(format!("destination {:?}; it was sent to {destination:?}", header.destination));
        }
        let key = self.ring.find(&self.server_name, &header.key);
        let key = key.ok_or_else(|| format!("key {}, which the server does not publish", header.key))?;
        let destination = header.destination.as_deref();
        let request = Request { method, uri: target, origin: &header.origin, destination, content };
        request.verify(&header, &key.key).map_err(|error| error.to_string())
    }
}

fn published(answer: &Answer, pointer: &str) -> Vec<(KeyId, VerifyKey)> {
    let keys = answer.at(pointer).as_object().into_iter().flatten();
    let read = |(id, key): (&String, &Value)| {
        Some((id.parse().ok()?, VerifyKey::from_base64(key["key"].as_str()?).ok()?))
    };
    keys.filter_map(read).collect()
}

/// The document in which a server publishes its key, signed with it.
pub(super) fn document(server_name: &str, key: &SigningKey, now_ms: u64) -> Value {
    let mut document = Object::new();
    document.insert("server_name".to_owned(), json!(server_name));
    document.insert("valid_until_ts".to_owned(), json!(now_ms + VALID_FOR_MS));
    document.insert(
        "verify_keys".to_owned(),
        json!({ key.id().as_str(): {"key": key.verify_key().to_base64()} }),
    );
    document.insert("old_verify_keys".to_owned(), json!({}));
    resigned(Value::Object(document), server_name, key)
}

/// An object signed anew by a server: what was altered of it is covered again.
pub fn resigned(object: Value, server_name: &str, key: &SigningKey) -> Value {
    let Value::Object(mut object) = object else { return object };
    object.remove("signatures");
    // An object without a canonical form stays unsigned: nobody could check its signature either.
    let _ = signatures::sign_as(Form::Lenient, &mut object, server_name, key);
    Value::Object(object)
}
