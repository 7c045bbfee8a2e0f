//! Messages to devices that other servers have sent, so that one which comes twice is taken once.

use rusqlite::{Connection, params};

use super::StoreError;

/// How long a message is remembered, in milliseconds; no server tries longer.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Notes a message; says whether it is new.
pub(crate) fn add(
    connection: &Connection,
    origin: &str,
    message_id: &str,
    received_ms: i64,
) -> Result<bool, StoreError> {
    connection
        .prepare_cached("DELETE FROM received_messages WHERE received_ms < ?1")?
        .execute([received_ms - KEPT_MS])?;
    let added = connection
        .prepare_cached("INSERT INTO received_messages VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![origin, message_id, received_ms])?;
    Ok(added == 1)
}
