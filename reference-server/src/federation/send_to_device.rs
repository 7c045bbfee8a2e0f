//! Messages to devices across servers: server-server-api/#send-to-device-messaging.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Object;
use protocol::identifiers::server_name_of;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::pdus::is_of;
use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::Fields;
use crate::store::{StoreError, devices, received_messages, to_device};
use crate::token;

/// The most devices that one EDU is for; each message waits on its own.
const MOST: usize = 1000;

/// A message for devices here. One that comes twice is taken once.
pub(super) async fn receive(
    server: &Arc<Homeserver>,
    origin: &str,
    content: &Object,
) -> Result<(), MatrixError> {
    let (sender, event_type) = (content.text("sender")?, content.text("type")?.to_owned());
    let message_id = content.text("message_id")?.to_owned();
    if !is_of(sender, origin) {
        return Err(MatrixError::forbidden("the sender is not of that server"));
    }
    let mut addressed = Vec::new();
    for (user_id, by_device) in content.object("messages")? {
        let by_device = by_device.as_object().filter(|_| is_of(user_id, server.name()));
        for (device_id, content) in by_device.into_iter().flatten() {
            addressed.push((user_id.clone(), device_id.clone(), content.clone()));
        }
    }
    addressed.truncate(MOST);
    let concerned: Vec<String> = addressed.iter().map(|(user_id, ..)| user_id.clone()).collect();
    let mut places: Vec<_> = addressed.iter().map(|_| server.stream.place()).collect();
    let positions: Vec<_> = places.iter().map(crate::stream::Place::position).collect();
    let (sender, origin) = (sender.to_owned(), origin.to_owned());
    server
        .store
        .write(move |connection| {
            if !received_messages::add(connection, &origin, &message_id, now_ms())? {
                return Ok(());
            }
            for ((user_id, device_id, content), position) in addressed.iter().zip(positions) {
                let event = json!({"type": event_type, "sender": sender, "content": content});
                for device in devices::list(connection, user_id)? {
                    if device_id == "*" || *device_id == device.device_id {
                        to_device::add(connection, user_id, &device.device_id, &event, position)?;
                    }
                }
            }
            Ok(())
        })
        .await?;
    let last = places.pop();
    drop(places);
    if let Some(last) = last {
        last.finish(concerned);
    }
    Ok(())
}

/// Puts messages for devices elsewhere into the queues of their servers, inside a transaction of the store; answers the
/// servers.
pub(crate) fn enqueue(
    connection: &Connection,
    sender: &str,
    event_type: &str,
    addressed: &[(String, String, Map<String, Value>)],
) -> Result<Vec<String>, StoreError> {
    let mut by_server: BTreeMap<&str, Value> = BTreeMap::new();
    for (user_id, device_id, content) in addressed {
        let Some(name) = server_name_of(user_id) else { continue };
        let messages = by_server.entry(name).or_insert_with(|| json!({}));
        messages[user_id][device_id] = Value::Object(content.clone());
    }
    let mut servers = Vec::new();
    for (name, messages) in by_server {
        let content = json!({
            "sender": sender,
            "type": event_type,
            "message_id": token::opaque(16),
            "messages": messages,
        });
        crate::delivery::enqueue(connection, &[name.to_owned()].into(), "m.direct_to_device", &content)?;
        servers.push(name.to_owned());
    }
    Ok(servers)
}
