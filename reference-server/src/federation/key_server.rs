//! The keys that this server signs with: server-server-api/#retrieving-server-keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;

/// How long others may keep the answer.
const VALID_FOR_MS: i64 = 24 * 60 * 60 * 1000;

/// The published keys, signed by each of them.
pub(super) async fn server_keys(State(server): State<Arc<Homeserver>>) -> Answer {
    let key = &server.signing_key;
    let mut keys = match json!({
        "server_name": server.name(),
        "valid_until_ts": now_ms() + VALID_FOR_MS,
        "verify_keys": {key.id().as_str(): {"key": key.verify_key().to_base64()}},
        "old_verify_keys": {},
    }) {
        Value::Object(keys) => keys,
        _ => serde_json::Map::new(),
    };
    protocol::signatures::sign(&mut keys, server.name(), key).map_err(MatrixError::internal)?;
    Ok(Json(Value::Object(keys)))
}
