//! Receipts: how far users have read.

use rusqlite::{Connection, Row, params};

use super::StoreError;

/// A receipt.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    /// `m.read` or `m.read.private`.
    pub(crate) receipt_type: String,
    /// The reader.
    pub(crate) user_id: String,
    /// The thread it is for, if it is for one.
    pub(crate) thread_id: Option<String>,
    /// The last event that was read.
    pub(crate) event_id: String,
    /// When it came, in milliseconds since the Unix epoch.
    pub(crate) received_ms: i64,
}

/// Sets or replaces the receipt of a user for a thread of a room.
pub(crate) fn set(
    connection: &Connection,
    room_id: &str,
    receipt: &Receipt,
    position: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO receipts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE
             SET event_id = excluded.event_id, received_ms = excluded.received_ms, position = excluded.position",
        )?
        .execute(params![
            room_id,
            receipt.receipt_type,
            receipt.user_id,
            receipt.thread_id.as_deref().unwrap_or_default(),
            receipt.event_id,
            receipt.received_ms,
            position
        ])?;
    Ok(())
}

/// The receipts of a room that changed after `since` and up to `until`.
pub(crate) fn changed(
    connection: &Connection,
    room_id: &str,
    since: i64,
    until: i64,
) -> Result<Vec<Receipt>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT type, user_id, thread_id, event_id, received_ms FROM receipts
         WHERE room_id = ?1 AND position > ?2 AND position <= ?3 ORDER BY position",
    )?;
    let receipts =
        statement.query_map(params![room_id, since, until], from_row)?.collect::<Result<_, _>>()?;
    Ok(receipts)
}

/// The position of the last receipt of a room.
pub(crate) fn last_position(connection: &Connection, room_id: &str) -> Result<i64, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(position), 0) FROM receipts WHERE room_id = ?1")?;
    Ok(statement.query_row([room_id], |row| row.get(0))?)
}

/// How far each user has read in a room: pairs of user and position of an event.
pub(crate) fn read_up_to(connection: &Connection, room_id: &str) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT user_id, max(events.position) FROM receipts JOIN events USING (event_id)
         WHERE receipts.room_id = ?1 GROUP BY user_id",
    )?;
    let pairs =
        statement.query_map([room_id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(pairs)
}

/// The receipts of a user in a room: pairs of thread, if it is for one, and position of the event.
pub(crate) fn of_user(
    connection: &Connection,
    room_id: &str,
    user_id: &str,
) -> Result<Vec<(Option<String>, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT nullif(thread_id, ''), events.position FROM receipts JOIN events USING (event_id)
         WHERE receipts.room_id = ?1 AND user_id = ?2",
    )?;
    let receipts = statement
        .query_map([room_id, user_id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(receipts)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Receipt> {
    let thread_id: String = row.get(2)?;
    Ok(Receipt {
        receipt_type: row.get(0)?,
        user_id: row.get(1)?,
        thread_id: Some(thread_id).filter(|thread_id| !thread_id.is_empty()),
        event_id: row.get(3)?,
        received_ms: row.get(4)?,
    })
}
