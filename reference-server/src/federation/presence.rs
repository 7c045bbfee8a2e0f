//! Who is there elsewhere, and telling others who is here: server-server-api/#presence.

use std::sync::Arc;

use protocol::Object;
use serde_json::{Value, json};

use super::edus::edu;
use super::pdus::is_of;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::presence::{self, State};
use crate::request::Fields;

/// Users are there, or are no longer.
pub(super) fn receive(server: &Arc<Homeserver>, origin: &str, content: &Object) -> Result<(), MatrixError> {
    for update in content.list("push")? {
        let Some(update) = update.as_object() else { continue };
        let (Ok(user_id), Ok(state)) = (update.text("user_id"), update.text("presence")) else { continue };
        if !is_of(user_id, origin) || !State::NAMES.contains(&state) {
            continue;
        }
        let message = update.get("status_msg").and_then(Value::as_str).map(str::to_owned);
        let idle_ms = update.get("last_active_ago").and_then(Value::as_i64);
        presence::set_elsewhere(server, user_id, State::named(state), message, idle_ms);
    }
    Ok(())
}

/// Tells the servers that share a room with a user how the user is.
pub(crate) fn tell(server: &Homeserver, user_id: &str) {
    if !is_of(user_id, server.name()) {
        return;
    }
    let others = server.others_with(user_id);
    if others.is_empty() {
        return;
    }
    let Some(mut content) = server.presences.content(user_id) else { return };
    content.insert("user_id".to_owned(), user_id.into());
    content.entry("last_active_ago").or_insert_with(|| 0.into());
    server.delivery.send_passing(others, &edu("m.presence", json!({"push": [content]})));
}
