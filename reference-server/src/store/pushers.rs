//! Pushers: where users have their notifications sent.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::StoreError;

/// A pusher.
#[derive(Debug, Clone)]
pub(crate) struct Pusher {
    /// Its number; the same for as long as it is there, however often it is set.
    pub(crate) id: i64,
    /// Its owner.
    pub(crate) user_id: String,
    /// The application.
    pub(crate) app_id: String,
    /// What the application's push provider knows the device by.
    pub(crate) pushkey: String,
    /// When it was last set, in milliseconds since the Unix epoch.
    pub(crate) set_ms: i64,
    /// What the client has said of it.
    pub(crate) settings: Map<String, Value>,
    /// What happened up to here is pushed or is not to be.
    pub(crate) position: i64,
}

const SELECT: &str = "SELECT id, user_id, app_id, pushkey, set_ms, settings, position FROM pushers";

fn from_row(row: &Row<'_>) -> Result<Pusher, StoreError> {
    let settings: String = row.get(5)?;
    Ok(Pusher {
        id: row.get(0)?,
        user_id: row.get(1)?,
        app_id: row.get(2)?,
        pushkey: row.get(3)?,
        set_ms: row.get(4)?,
        settings: serde_json::from_str(&settings)?,
        position: row.get(6)?,
    })
}

/// All pushers of a user.
pub(crate) fn of_user(connection: &Connection, user_id: &str) -> Result<Vec<Pusher>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE user_id = ?1 ORDER BY id"))?;
    let mut rows = statement.query([user_id])?;
    let mut pushers = Vec::new();
    while let Some(row) = rows.next()? {
        pushers.push(from_row(row)?);
    }
    Ok(pushers)
}

/// The pusher of this number, if it is still there.
pub(crate) fn find(connection: &Connection, id: i64) -> Result<Option<Pusher>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(from_row).transpose()
}

/// The numbers of all pushers.
pub(crate) fn ids(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare("SELECT id FROM pushers")?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

/// Sets a pusher; one that is there goes on where it is. Gives its number if it is new.
pub(crate) fn set(
    connection: &Connection,
    pusher: &Pusher,
    device_id: &str,
) -> Result<Option<i64>, StoreError> {
    let settings = serde_json::to_string(&pusher.settings)?;
    let known: Option<i64> = connection
        .prepare_cached(
            "UPDATE pushers SET device_id = ?4, set_ms = ?5, settings = ?6
             WHERE user_id = ?1 AND app_id = ?2 AND pushkey = ?3 RETURNING id",
        )?
        .query_row(
            params![pusher.user_id, pusher.app_id, pusher.pushkey, device_id, pusher.set_ms, settings],
            |row| row.get(0),
        )
        .optional()?;
    if known.is_some() {
        return Ok(None);
    }
    let id = connection
        .prepare_cached(
            "INSERT INTO pushers (user_id, app_id, pushkey, device_id, set_ms, settings, position)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
        )?
        .query_row(
            params![
                pusher.user_id,
                pusher.app_id,
                pusher.pushkey,
                device_id,
                pusher.set_ms,
                settings,
                pusher.position
            ],
            |row| row.get(0),
        )?;
    Ok(Some(id))
}

/// Removes a pusher of a user.
pub(crate) fn remove(
    connection: &Connection,
    user_id: &str,
    app_id: &str,
    pushkey: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM pushers WHERE user_id = ?1 AND app_id = ?2 AND pushkey = ?3")?
        .execute([user_id, app_id, pushkey])?;
    Ok(())
}

/// Removes the pushers of all other users with this application and key: the device is another user's now.
pub(crate) fn remove_of_others(
    connection: &Connection,
    user_id: &str,
    app_id: &str,
    pushkey: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM pushers WHERE user_id <> ?1 AND app_id = ?2 AND pushkey = ?3")?
        .execute([user_id, app_id, pushkey])?;
    Ok(())
}

/// Notes how far a pusher has come.
pub(crate) fn advance(connection: &Connection, id: i64, position: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE pushers SET position = max(position, ?2) WHERE id = ?1")?
        .execute([id, position])?;
    Ok(())
}

/// Removes the pushers of a device that is no more.
pub(super) fn forget(connection: &Connection, user_id: &str, device_id: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM pushers WHERE user_id = ?1 AND device_id = ?2")?
        .execute([user_id, device_id])?;
    Ok(())
}
