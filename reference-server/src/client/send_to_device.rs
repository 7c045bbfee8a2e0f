//! Messages from device to device: client-server-api/#send-to-device-messaging.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::put;
use protocol::identifiers::server_name_of;
use serde_json::json;

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::federation;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, GuestOrUser, Path};
use crate::store::transactions::{self, Transaction};
use crate::store::{devices, to_device};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/sendToDevice/{event_type}/{transaction_id}", put(send))
}

async fn send(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((event_type, transaction_id)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let messages = body.object("messages")?;
    let mut addressed = Vec::new();
    for user_id in messages.keys() {
        for (device_id, content) in messages.object(user_id)? {
            let content = content.as_object().ok_or_else(|| {
                MatrixError::bad_json("messages must be an object of users, devices, contents")
            })?;
            addressed.push((user_id.clone(), device_id.clone(), content.clone()));
        }
    }
    let is_here = |user_id: &str| server_name_of(user_id) == Some(server.name());
    let (addressed, elsewhere): (Vec<_>, Vec<_>) =
        addressed.into_iter().partition(|(user_id, ..)| is_here(user_id));
    if !elsewhere.is_empty() && server.config.federation.is_none() {
        return Err(MatrixError::forbidden("this server sends no messages to users of other servers"));
    }
    let transaction = Transaction {
        user_id: requester.user_id.clone(),
        device_id: requester.device_id,
        endpoint: format!("sendToDevice/{event_type}"),
        transaction_id,
    };
    let wakened: Vec<_> = messages.keys().cloned().collect();
    let sender = requester.user_id;
    // Messages of one request to one device are placed one after the other.
    let mut places: Vec<_> = addressed.iter().map(|_| server.stream.place()).collect();
    let positions: Vec<_> = places.iter().map(crate::stream::Place::position).collect();
    let others = server
        .store
        .write(move |connection| {
            if !transactions::add(connection, &transaction, None)? && !commits(Fault::ToDeviceRepeated) {
                return Ok(Vec::new());
            }
            for ((user_id, device_id, content), position) in addressed.iter().zip(positions) {
                let event = json!({"type": event_type, "sender": sender, "content": content});
                for device in devices::list(connection, user_id)? {
                    if (device_id == "*" && !commits(Fault::ToDeviceWildcardIgnored))
                        || *device_id == device.device_id
                        || commits(Fault::ToDeviceToAllDevices)
                    {
                        to_device::add(connection, user_id, &device.device_id, &event, position)?;
                    }
                }
            }
            federation::send_to_device::enqueue(connection, &sender, &event_type, &elsewhere)
        })
        .await?;
    server.delivery.wake(others);
    let last = places.pop();
    // One bell for all: the last place rings when the stream has reached every one.
    drop(places);
    if let Some(last) = last {
        last.finish(wakened);
    }
    empty()
}
