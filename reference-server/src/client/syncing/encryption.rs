//! What devices need to encrypt: client-server-api/#e2e-extensions-to-sync.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::device_lists::News;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::device_lists::{self, Change};
use crate::store::{StoreError, one_time_keys};
use crate::stream::Position;

/// The keys of the device that asks, and whose keys it has to look up again.
pub(super) struct Keys {
    one_time: BTreeMap<String, i64>,
    unused_fallbacks: Vec<String>,
    changes: Vec<Change>,
    device_lists: News,
}

/// What is kept about it.
pub(super) fn read(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    since: Option<Position>,
    until: Position,
) -> Result<Keys, StoreError> {
    Ok(Keys {
        one_time: one_time_keys::counts(connection, user_id, device_id)?,
        unused_fallbacks: one_time_keys::unused_fallbacks(connection, user_id, device_id)?,
        changes: match since {
            Some(since) => device_lists::changed(connection, user_id, since, until)?,
            None => Vec::new(),
        },
        device_lists: News::default(),
    })
}

impl Keys {
    /// Adds what follows from the rooms. A client that begins looks up everybody it deals with.
    pub(super) fn follow(
        mut self,
        server: &Homeserver,
        user_id: &str,
        since: Option<Position>,
        until: Position,
    ) -> Self {
        if let Some(since) = since {
            let changes = std::mem::take(&mut self.changes);
            self.device_lists = News::of(server, user_id, changes, since, until);
        }
        self
    }

    /// Whether there is nothing in it that a client waits for.
    pub(super) fn is_quiet(&self) -> bool {
        self.device_lists.is_empty()
    }

    pub(super) fn insert(self, answer: &mut Value) {
        if !self.device_lists.is_empty() && !commits(Fault::DeviceListsNotTold) {
            let News { changed, left } = self.device_lists;
            answer["device_lists"] = json!({"changed": changed, "left": left});
        }
        if !self.one_time.is_empty() && !commits(Fault::OneTimeKeyCountsNotTold) {
            answer["device_one_time_keys_count"] = json!(self.one_time);
        }
        answer["device_unused_fallback_key_types"] = json!(self.unused_fallbacks);
    }
}
