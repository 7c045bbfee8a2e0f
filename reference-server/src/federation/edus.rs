//! What is sent beside events: server-server-api/#edus.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{device_management, end_to_end_encryption, presence, receipts, send_to_device, typing};
use crate::homeserver::Homeserver;

/// Takes an EDU. One that is wrong, or of a kind that is not known, is dropped.
pub(super) async fn receive(server: &Arc<Homeserver>, origin: &str, edu: Value) {
    let edu_type = edu.get("edu_type").and_then(Value::as_str).unwrap_or_default();
    let Some(content) = edu.get("content").and_then(Value::as_object) else { return };
    let taken = match edu_type {
        "m.typing" => typing::receive(server, origin, content),
        "m.presence" => presence::receive(server, origin, content),
        "m.receipt" => receipts::receive(server, origin, content).await,
        "m.direct_to_device" => send_to_device::receive(server, origin, content).await,
        "m.device_list_update" => device_management::receive(server, origin, content).await,
        "m.signing_key_update" => end_to_end_encryption::receive(server, origin, content).await,
        _ => return,
    };
    if let Err(error) = taken {
        tracing::info!("{edu_type} of {origin} is dropped: {}", error.message());
    }
}

/// An EDU.
pub(crate) fn edu(edu_type: &str, content: Value) -> Value {
    json!({"edu_type": edu_type, "content": content})
}
