//! Messages to the device that asks: client-server-api/#extensions-to-sync.
//!
//! A message goes out with every answer until the client shows, by the token of one that had it, that
//! it has arrived.

use rusqlite::Connection;
use serde_json::Value;

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Requester;
use crate::store::{StoreError, to_device};
use crate::stream::Position;

/// The most messages that one answer carries.
const MAX_MESSAGES: usize = 100;

/// What there is to do about the queue of a device.
pub(super) struct Queue {
    /// The token that the client has sent back, if there is anything that may have arrived by it.
    arrived: Option<Position>,
    /// What goes out, oldest first.
    waiting: Vec<to_device::Waiting>,
}

/// The queue of a device, to a client that has sent back a token.
pub(super) fn read(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    since: Option<Position>,
    until: Position,
) -> Result<Queue, StoreError> {
    let (mut waiting, mut arrived) = (Vec::new(), None);
    if to_device::any(connection, user_id, device_id)? {
        arrived = since;
        waiting = to_device::waiting(
            connection,
            user_id,
            device_id,
            since.filter(|_| !commits(Fault::ToDeviceDeliveredAgain)).unwrap_or(0),
            until,
            MAX_MESSAGES,
        )?;
    }
    Ok(Queue { arrived, waiting })
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Drops what has arrived; what goes out is noted as having done so with the token `next`.
    pub(super) async fn deliver(
        self,
        server: &Homeserver,
        requester: &Requester,
        next: Position,
    ) -> Result<Vec<Value>, MatrixError> {
        let new = self.waiting.iter().rev().find(|message| !message.delivered);
        let (arrived, last) = (self.arrived, new.map(|message| message.position));
        if arrived.is_some() || last.is_some() {
            let (user_id, device_id) = (requester.user_id.clone(), requester.device_id.clone());
            let change = move |connection: &Connection| {
                if let Some(arrived) = arrived {
                    to_device::acknowledge(connection, &user_id, &device_id, arrived)?;
                }
                match last {
                    Some(last) => to_device::deliver(
                        connection,
                        &user_id,
                        &device_id,
                        last,
                        if commits(Fault::ToDeviceLostWithAnswer) { 0 } else { next },
                    ),
                    None => Ok(()),
                }
            };
            server.store.write(change).await?;
        }
        Ok(self.waiting.into_iter().map(|message| message.event).collect())
    }
}
