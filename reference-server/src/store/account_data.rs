//! Account data, global and per room.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::StoreError;

/// The room id under which global account data is kept.
pub(crate) const GLOBAL: &str = "";

/// One piece of account data.
#[derive(Debug, Clone)]
pub(crate) struct AccountData {
    /// [`GLOBAL`] or the room it belongs to.
    pub(crate) room_id: String,
    /// The event type.
    pub(crate) event_type: String,
    /// The event content.
    pub(crate) content: Value,
}

/// The content of one piece.
pub(crate) fn get(
    connection: &Connection,
    user_id: &str,
    room_id: &str,
    event_type: &str,
) -> Result<Option<Value>, StoreError> {
    let content: Option<String> = connection
        .prepare_cached("SELECT content FROM account_data WHERE user_id = ?1 AND room_id = ?2 AND type = ?3")?
        .query_row([user_id, room_id, event_type], |row| row.get(0))
        .optional()?;
    Ok(content.map(|content| serde_json::from_str(&content)).transpose()?)
}

/// The users whom a user does not want to hear (client-server-api/#ignoring-users).
pub(crate) fn ignored_by(connection: &Connection, user_id: &str) -> Result<BTreeSet<String>, StoreError> {
    let content = get(connection, user_id, GLOBAL, "m.ignored_user_list")?.unwrap_or_default();
    let users = content.get("ignored_users").and_then(Value::as_object);
    Ok(users.map(|users| users.keys().cloned().collect()).unwrap_or_default())
}

/// Sets or replaces one piece, at a position of the stream.
pub(crate) fn set(
    connection: &Connection,
    user_id: &str,
    data: &AccountData,
    position: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO account_data VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET content = excluded.content, position = excluded.position",
        )?
        .execute(params![user_id, data.room_id, data.event_type, data.content.to_string(), position])?;
    Ok(())
}

/// What changed after `since` and up to `until`, global and in all rooms.
pub(crate) fn changed(
    connection: &Connection,
    user_id: &str,
    since: i64,
    until: i64,
) -> Result<Vec<AccountData>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT room_id, type, content FROM account_data
         WHERE user_id = ?1 AND position > ?2 AND position <= ?3 ORDER BY position",
    )?;
    let mut rows = statement.query(params![user_id, since, until])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        let content: String = row.get(2)?;
        changed.push(AccountData {
            room_id: row.get(0)?,
            event_type: row.get(1)?,
            content: serde_json::from_str(&content)?,
        });
    }
    Ok(changed)
}
