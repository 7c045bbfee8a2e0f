//! An identity server: `identity-service-api/`, as much of it as homeservers ask for.

use std::sync::Arc;

use fixtures::catalogue::{Api, Auth};
use protocol::keys::SigningKey;
use serde_json::{Value, json};

use super::{Asked, Neighbour};
use crate::{
    cast::{Homeserver, remote::Reply},
    verdict::Stop,
};

/// What its users prove themselves with.
pub const ACCESS_TOKEN: &str = "determinant-identity-token";

/// The address that it says was validated in any session.
pub const BOUND: &str = "determinant@example.org";

/// An identity server with a certificate of the run's authority. It knows nobody, and takes every binding.
#[derive(Clone, Debug)]
pub struct IdentityServer {
    hs: Homeserver,
    neighbour: Arc<Neighbour>,
    key: Arc<SigningKey>,
    port: u16,
}

impl Homeserver {
    /// An identity server.
    pub fn identity_server(&self) -> Result<IdentityServer, Stop> {
        let key = SigningKey::generate("0").map_err(|error| Stop::Fault(format!("no key: {error}")))?;
        let public_key = key.verify_key().to_base64();
        let usual = move |asked: &Asked| answer(asked, &public_key);
        let (neighbour, port) = self.trusted_neighbour("identity server", Api::Identity, usual)?;
        Ok(IdentityServer { hs: self.clone(), neighbour, key: Arc::new(key), port })
    }
}

/// Whether a request shows who asks, where the operation wants that: one of its users, or a homeserver in its own name.
pub(super) fn proof(asked: &Asked) -> Result<(), String> {
    let is_open = asked.operation.is_some_and(|operation| operation.auth == Auth::None);
    if is_open || is_authorized(asked) {
        Ok(())
    } else {
        Err("neither the access token of a user nor the signature of a homeserver".to_owned())
    }
}

/// What it answers when nothing else was agreed.
pub(crate) fn answer(asked: &Asked, public_key: &str) -> Option<Reply> {
    let operation = asked.operation?.id.as_str();
    if proof(asked).is_err() {
        return Some(Reply::error(401, "M_UNAUTHORIZED"));
    }
    let body = match operation {
        "getHashDetails" => json!({"algorithms": ["sha256", "none"], "lookup_pepper": "determinant"}),
        "lookupUsersV2" => json!({"mappings": {}}),
        "isPubKeyValidV2" | "isEphemeralPubKeyValidV2" => json!({"valid": true}),
        "pingV2" => json!({}),
        "storeInviteV2" => json!({
            "token": format!("token-{}", rand::random::<u64>()),
            "display_name": "d…@e…",
            "public_key": public_key,
            "public_keys": [{
                "public_key": public_key,
                "key_validity_url": "https://localhost/_matrix/identity/v2/pubkey/isvalid",
            }],
        }),
        "bindV2" => json!({
            "medium": "email", "address": BOUND, "mxid": asked.json["mxid"],
            "not_before": 0, "not_after": 4_582_425_849_161_u64, "ts": 0, "signatures": {},
        }),
        "unbindV2" => json!({}),
        _ => return None,
    };
    Some(Reply::json(body))
}

/// Whether one of its users asks, or a homeserver in its own name. Tokens in the query are deprecated, and identity servers
/// must take them all the same (identity-service-api/#authentication).
fn is_authorized(asked: &Asked) -> bool {
    let header = asked.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or(asked.parameter("access_token"));
    token == ACCESS_TOKEN || header.starts_with("X-Matrix")
}

impl IdentityServer {
    /// Its name: host and port.
    pub fn name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The key that it signs invites with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Knows from now on that any address that is looked up is this user's.
    pub fn knows(&self, user_id: &str) {
        let user_id = user_id.to_owned();
        self.neighbour.answers(move |asked| {
            let addresses = asked.json["addresses"].as_array().filter(|_| asked.is("lookupUsersV2"))?;
            let mappings: serde_json::Map<String, Value> =
                addresses.iter().filter_map(|it| Some((it.as_str()?.to_owned(), json!(user_id)))).collect();
            Some(Reply::json(json!({"mappings": mappings})))
        });
    }

    /// Answers an operation with this from now on.
    pub fn answers(&self, operation: &'static str, reply: Reply) {
        self.neighbour.answers(move |asked| asked.is(operation).then(|| reply.clone()));
    }

    /// Waits for a request of this operation; gives it.
    pub async fn is_asked(&self, operation: &str) -> Result<Asked, Stop> {
        self.neighbour.sees(&self.hs, operation, |asked| asked.is(operation).then(|| asked.clone())).await
    }
}
