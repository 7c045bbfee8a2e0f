//! Profiles: any key, any JSON value.

use rusqlite::Connection;
use serde_json::{Map, Value};

use super::StoreError;

/// The whole profile of a user.
pub(crate) fn all(connection: &Connection, user_id: &str) -> Result<Map<String, Value>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM profiles WHERE user_id = ?1")?;
    let mut rows = statement.query([user_id])?;
    let mut profile = Map::new();
    while let Some(row) = rows.next()? {
        profile.insert(row.get(0)?, serde_json::from_str(row.get_ref(1)?.as_str().unwrap_or_default())?);
    }
    Ok(profile)
}

/// Sets or replaces one field.
pub(crate) fn set(
    connection: &Connection,
    user_id: &str,
    key: &str,
    value: &Value,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO profiles VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute([user_id, key, &value.to_string()])?;
    Ok(())
}

/// Removes one field.
pub(crate) fn remove(connection: &Connection, user_id: &str, key: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM profiles WHERE user_id = ?1 AND key = ?2")?
        .execute([user_id, key])?;
    Ok(())
}

/// Removes all fields.
pub(crate) fn erase(connection: &Connection, user_id: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM profiles WHERE user_id = ?1")?.execute([user_id])?;
    Ok(())
}
