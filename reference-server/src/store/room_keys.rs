//! Backups of room keys: versions of a backup, and the keys in them.

use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use super::StoreError;

/// A version of a user's backup.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    /// Its number; the current version is the highest that was not deleted.
    pub(crate) version: i64,
    /// How keys are encrypted.
    pub(crate) algorithm: String,
    /// With what.
    pub(crate) auth_data: Value,
    /// Changes whenever a key does.
    pub(crate) etag: i64,
    /// How many keys there are.
    pub(crate) count: i64,
    /// Whether it was deleted; the number is not given again.
    pub(crate) deleted: bool,
}

/// A key: the room and the session it is for, and what is kept of it.
#[derive(Debug, Clone)]
pub(crate) struct RoomKey {
    /// The room.
    pub(crate) room_id: String,
    /// The Megolm session.
    pub(crate) session_id: String,
    /// The key data as the client gave it.
    pub(crate) data: Map<String, Value>,
}

/// Which keys of a backup.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Only of this room.
    pub(crate) room_id: Option<String>,
    /// Only of this session.
    pub(crate) session_id: Option<String>,
}

/// Begins a new version and gives its number.
pub(crate) fn begin(
    connection: &Connection,
    user_id: &str,
    algorithm: &str,
    auth_data: &Value,
) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO backups (user_id, version, algorithm, auth_data) VALUES
         (?1, (SELECT coalesce(max(version), 0) + 1 FROM backups WHERE user_id = ?1), ?2, ?3) RETURNING version",
    )?;
    Ok(statement.query_row([user_id, algorithm, &auth_data.to_string()], |row| row.get(0))?)
}

/// A version of a backup; the current one if none is named.
pub(crate) fn find(
    connection: &Connection,
    user_id: &str,
    version: Option<i64>,
) -> Result<Option<Backup>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, algorithm, auth_data, etag, deleted,
            (SELECT count(*) FROM room_keys k WHERE k.user_id = b.user_id AND k.version = b.version)
         FROM backups b WHERE user_id = ?1 AND ((?2 IS NULL AND deleted = 0) OR version = ?2)
         ORDER BY version DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![user_id, version])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let auth_data: String = row.get(2)?;
    Ok(Some(Backup {
        version: row.get(0)?,
        algorithm: row.get(1)?,
        auth_data: serde_json::from_str(&auth_data)?,
        etag: row.get(3)?,
        deleted: row.get(4)?,
        count: row.get(5)?,
    }))
}

/// Replaces what keys are encrypted with.
pub(crate) fn set_auth_data(
    connection: &Connection,
    user_id: &str,
    version: i64,
    auth_data: &Value,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE backups SET auth_data = ?3 WHERE user_id = ?1 AND version = ?2")?
        .execute(params![user_id, version, auth_data.to_string()])?;
    Ok(())
}

/// Ends a version, with its keys.
pub(crate) fn end(connection: &Connection, user_id: &str, version: i64) -> Result<(), StoreError> {
    remove(connection, user_id, version, &Selection::default())?;
    connection
        .prepare_cached("UPDATE backups SET deleted = 1 WHERE user_id = ?1 AND version = ?2")?
        .execute(params![user_id, version])?;
    Ok(())
}

/// Keys of a version.
pub(crate) fn keys(
    connection: &Connection,
    user_id: &str,
    version: i64,
    selection: &Selection,
) -> Result<Vec<RoomKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT room_id, session_id, data FROM room_keys WHERE user_id = ?1 AND version = ?2
         AND (?3 IS NULL OR room_id = ?3) AND (?4 IS NULL OR session_id = ?4)",
    )?;
    let mut rows = statement.query(params![user_id, version, selection.room_id, selection.session_id])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let data: String = row.get(2)?;
        keys.push(RoomKey {
            room_id: row.get(0)?,
            session_id: row.get(1)?,
            data: serde_json::from_str(&data)?,
        });
    }
    Ok(keys)
}

/// Keeps a key, in the place of the one there may be for its session.
pub(crate) fn set(
    connection: &Connection,
    user_id: &str,
    version: i64,
    key: &RoomKey,
) -> Result<(), StoreError> {
    let data = serde_json::to_string(&key.data)?;
    connection
        .prepare_cached(
            "INSERT INTO room_keys VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET data = excluded.data",
        )?
        .execute(params![user_id, version, key.room_id, key.session_id, data])?;
    changed(connection, user_id, version)
}

/// Removes keys of a version.
pub(crate) fn remove(
    connection: &Connection,
    user_id: &str,
    version: i64,
    selection: &Selection,
) -> Result<(), StoreError> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM room_keys WHERE user_id = ?1 AND version = ?2
             AND (?3 IS NULL OR room_id = ?3) AND (?4 IS NULL OR session_id = ?4)",
        )?
        .execute(params![user_id, version, selection.room_id, selection.session_id])?;
    if removed > 0 { changed(connection, user_id, version) } else { Ok(()) }
}

fn changed(connection: &Connection, user_id: &str, version: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE backups SET etag = etag + 1 WHERE user_id = ?1 AND version = ?2")?
        .execute(params![user_id, version])?;
    Ok(())
}
