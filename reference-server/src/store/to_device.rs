//! Messages to devices that wait to be fetched.

use rusqlite::{Connection, params};
use serde_json::Value;

use super::StoreError;

/// Puts a message in the queue of a device.
pub(crate) fn add(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    event: &Value,
    position: i64,
) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO to_device VALUES (?1, ?2, ?3, ?4, NULL)")?.execute(params![
        position,
        user_id,
        device_id,
        event.to_string()
    ])?;
    Ok(())
}

/// At most `limit` messages that wait for a device up to `until`, oldest first, with the position of the last.
pub(crate) fn waiting(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    until: i64,
    limit: i64,
) -> Result<Vec<(i64, Value)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT position, event FROM to_device
         WHERE user_id = ?1 AND device_id = ?2 AND position <= ?3 ORDER BY position LIMIT ?4",
    )?;
    let mut rows = statement.query(params![user_id, device_id, until, limit])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let event: String = row.get(1)?;
        waiting.push((row.get(0)?, serde_json::from_str(&event)?));
    }
    Ok(waiting)
}

/// Notes that the messages of a device up to a position went out with the token `until`.
pub(crate) fn deliver(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    position: i64,
    until: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE to_device SET delivered = ?4 WHERE user_id = ?1 AND device_id = ?2 AND position <= ?3",
        )?
        .execute(params![user_id, device_id, position, until])?;
    Ok(())
}

/// Whether any message of a device went out with this token or an earlier one.
pub(crate) fn any_delivered(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    token: i64,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS
        (SELECT 1 FROM to_device WHERE user_id = ?1 AND device_id = ?2 AND delivered <= ?3)";
    Ok(connection.prepare_cached(sql)?.query_row(params![user_id, device_id, token], |row| row.get(0))?)
}

/// Drops the messages of a device that went out with this token or an earlier one: it has them.
pub(crate) fn acknowledge(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    token: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM to_device WHERE user_id = ?1 AND device_id = ?2 AND delivered <= ?3")?
        .execute(params![user_id, device_id, token])?;
    Ok(())
}
