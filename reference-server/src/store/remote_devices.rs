//! Device lists between servers: what is kept of users elsewhere, and how far users here were told of.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::StoreError;

/// The devices of a user elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Devices {
    /// The stream id of the last update in it.
    pub(crate) stream_id: i64,
    /// What the user's server answered about them, with the updates since.
    pub(crate) answer: Value,
}

/// What is kept of a user.
pub(crate) fn find(connection: &Connection, user_id: &str) -> Result<Option<Devices>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT stream_id, devices FROM remote_devices WHERE user_id = ?1")?;
    let found: Option<(i64, String)> =
        statement.query_row([user_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((stream_id, answer)) = found else { return Ok(None) };
    Ok(Some(Devices { stream_id, answer: serde_json::from_str(&answer)? }))
}

/// Keeps the devices of a user.
pub(crate) fn set(connection: &Connection, user_id: &str, devices: &Devices) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO remote_devices VALUES (?1, ?2, ?3)")?
        .execute(params![user_id, devices.stream_id, devices.answer.to_string()])?;
    Ok(())
}

/// Forgets the devices of a user, who are to be fetched when they are needed.
pub(crate) fn forget(connection: &Connection, user_id: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM remote_devices WHERE user_id = ?1")?.execute([user_id])?;
    Ok(())
}

/// The stream id of the last update about a user here; 0 before the first.
pub(crate) fn last_update(connection: &Connection, user_id: &str) -> Result<i64, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT stream_id FROM device_updates WHERE user_id = ?1")?;
    Ok(statement.query_row([user_id], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The stream ids of the last and of the next update about a user here.
pub(crate) fn next_update(connection: &Connection, user_id: &str) -> Result<(i64, i64), StoreError> {
    let last = last_update(connection, user_id)?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO device_updates VALUES (?1, ?2)")?
        .execute(params![user_id, last + 1])?;
    Ok((last, last + 1))
}
