//! How far application services have been told, and their rooms.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::StoreError;

/// How far an application service has been told.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// What happened up to here is told, or in the pending transaction, or not for the service.
    pub(crate) position: i64,
    /// The number of the last transaction.
    pub(crate) transactions: i64,
    /// The last transaction, as long as it was not taken.
    pub(crate) pending: Option<Value>,
}

/// How far a service has been told; one that is new begins at `now`.
pub(crate) fn progress(connection: &Connection, id: &str, now: i64) -> Result<Progress, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT position, transactions, pending FROM application_services WHERE id = ?1")?;
    let found = statement
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?)))
        .optional()?;
    if let Some((position, transactions, pending)) = found {
        let pending = pending.map(|pending| serde_json::from_str(&pending)).transpose()?;
        return Ok(Progress { position, transactions, pending });
    }
    let progress = Progress { position: now, transactions: 0, pending: None };
    set(connection, id, &progress)?;
    Ok(progress)
}

/// Keeps how far a service has been told.
pub(crate) fn set(connection: &Connection, id: &str, progress: &Progress) -> Result<(), StoreError> {
    let pending = progress.pending.as_ref().map(serde_json::to_string).transpose()?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO application_services VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id, progress.position, progress.transactions, pending])?;
    Ok(())
}

/// Puts a room into the directory of a network of a service, or takes it out.
pub(crate) fn publish(
    connection: &Connection,
    id: &str,
    network: &str,
    room_id: &str,
    published: bool,
) -> Result<(), StoreError> {
    let sql = if published {
        "INSERT INTO network_directory VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM network_directory WHERE service_id = ?1 AND network = ?2 AND room_id = ?3"
    };
    connection.prepare_cached(sql)?.execute([id, network, room_id])?;
    Ok(())
}

/// The rooms in the directories of networks, as triples of service, network and room.
pub(crate) fn published(connection: &Connection) -> Result<Vec<(String, String, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT service_id, network, room_id FROM network_directory")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
