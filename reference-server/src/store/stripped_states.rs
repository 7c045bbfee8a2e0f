//! What invitations and answered knocks have told of rooms that this server is not in.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::Value;

use super::StoreError;

/// Keeps what a user has been told of a room.
pub(crate) fn set(
    connection: &Connection,
    room_id: &str,
    user_id: &str,
    events: &[Value],
) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT OR REPLACE INTO stripped_states VALUES (?1, ?2, ?3)")?.execute([
        room_id,
        user_id,
        &serde_json::to_string(events)?,
    ])?;
    Ok(())
}

/// What each user has been told of a room.
pub(crate) fn of_room(
    connection: &Connection,
    room_id: &str,
) -> Result<HashMap<String, Vec<Value>>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT user_id, events FROM stripped_states WHERE room_id = ?1")?;
    let rows =
        statement.query_map([room_id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut told = HashMap::new();
    for row in rows {
        let (user_id, events) = row?;
        told.insert(user_id, serde_json::from_str(&events)?);
    }
    Ok(told)
}
