//! Changes to the devices and keys of users, for those who follow them.

use rusqlite::{Connection, params};

use super::StoreError;

/// A change that somebody is to be told of.
#[derive(Debug)]
pub(crate) struct Change {
    /// Whose devices or keys have changed.
    pub(crate) user_id: String,
    /// Whether only the one who asks is told, whether or not they share a room.
    pub(crate) confidential: bool,
}

/// Notes a change; only `told` is told, or everybody who shares a room with the user.
pub(crate) fn note(
    connection: &Connection,
    user_id: &str,
    told: Option<&str>,
    position: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO device_list_changes VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![position, user_id, told.unwrap_or_default()])?;
    Ok(())
}

/// The changes after `since` and up to `until` that are not kept from `user_id`.
pub(crate) fn changed(
    connection: &Connection,
    user_id: &str,
    since: i64,
    until: i64,
) -> Result<Vec<Change>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT user_id, told <> '' FROM device_list_changes
         WHERE position > ?1 AND position <= ?2 AND told IN ('', ?3)",
    )?;
    let changes = statement
        .query_map(params![since, until, user_id], |row| {
            Ok(Change { user_id: row.get(0)?, confidential: row.get(1)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(changes)
}
