//! Facts about the server itself.

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;

/// The fact called `name`, if it was ever set.
pub(crate) fn get(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM server WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Sets or replaces a fact.
pub(crate) fn set(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO server VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute([name, value])?;
    Ok(())
}
