//! The keys that other servers have published, and their last answers about them.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// A published key.
#[derive(Debug, Clone)]
pub(crate) struct ServerKey {
    /// Whose it is.
    pub(crate) server_name: String,
    /// Its id.
    pub(crate) key_id: String,
    /// The key in unpadded base64.
    pub(crate) key: String,
    /// Until when it counts, by its server; in milliseconds since the Unix epoch.
    pub(crate) valid_until_ms: i64,
    /// Whether the server has stopped using it.
    pub(crate) expired: bool,
}

/// The keys of a server.
pub(crate) fn of_server(connection: &Connection, server_name: &str) -> Result<Vec<ServerKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT server_name, key_id, key, valid_until_ms, expired FROM server_keys WHERE server_name = ?1",
    )?;
    let keys = statement.query_map([server_name], |row| {
        Ok(ServerKey {
            server_name: row.get(0)?,
            key_id: row.get(1)?,
            key: row.get(2)?,
            valid_until_ms: row.get(3)?,
            expired: row.get(4)?,
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Keeps a key, as it is published now.
pub(crate) fn set(connection: &Connection, key: &ServerKey) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO server_keys VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (server_name, key_id)
             DO UPDATE SET key = ?3, valid_until_ms = ?4, expired = ?5",
        )?
        .execute(params![key.server_name, key.key_id, key.key, key.valid_until_ms, key.expired])?;
    Ok(())
}

/// Keeps an answer of a server about its keys.
pub(crate) fn set_answer(
    connection: &Connection,
    server_name: &str,
    answer: &str,
    received_ms: i64,
) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT OR REPLACE INTO key_answers VALUES (?1, ?2, ?3)")?.execute(params![
        server_name,
        answer,
        received_ms
    ])?;
    Ok(())
}

/// The last answer of a server about its keys.
pub(crate) fn answer(connection: &Connection, server_name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT answer FROM key_answers WHERE server_name = ?1")?;
    Ok(statement.query_row([server_name], |row| row.get(0)).optional()?)
}
