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

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its place in the stream.
    pub(crate) position: i64,
    /// The message as an event.
    pub(crate) event: Value,
    /// Whether it went out with an answer before, which may not have arrived.
    pub(crate) delivered: bool,
}

/// At most `limit` messages that wait for a device up to `until`, oldest first, without those that went
/// out with the token `since` or an earlier one.
pub(crate) fn waiting(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    since: i64,
    until: i64,
    limit: usize,
) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT position, event, delivered IS NOT NULL FROM to_device
         WHERE user_id = ?1 AND device_id = ?2 AND position <= ?3 AND (delivered IS NULL OR delivered > ?5)
         ORDER BY position LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![user_id, device_id, until, limit, since])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let event: String = row.get(1)?;
        let event = serde_json::from_str(&event)?;
        waiting.push(Waiting { position: row.get(0)?, event, delivered: row.get(2)? });
    }
    Ok(waiting)
}

/// Notes that the messages of a device up to a position went out with the token `next`. Of those that
/// went out before, the first token stands: whoever sends back any later one has them too.
pub(crate) fn deliver(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    position: i64,
    next: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE to_device SET delivered = ?4
             WHERE user_id = ?1 AND device_id = ?2 AND position <= ?3 AND delivered IS NULL",
        )?
        .execute(params![user_id, device_id, position, next])?;
    Ok(())
}

/// Whether there is any message to a device at all.
pub(crate) fn any(connection: &Connection, user_id: &str, device_id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM to_device WHERE user_id = ?1 AND device_id = ?2)";
    Ok(connection.prepare_cached(sql)?.query_row([user_id, device_id], |row| row.get(0))?)
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

/// Drops all messages of a device that is no more.
pub(crate) fn forget(connection: &Connection, user_id: &str, device_id: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM to_device WHERE user_id = ?1 AND device_id = ?2")?
        .execute([user_id, device_id])?;
    Ok(())
}
