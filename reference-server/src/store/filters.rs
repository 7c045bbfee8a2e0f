//! Filters.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::StoreError;

/// Keeps a filter and gives it an id; the same filter has the same id.
pub(crate) fn add(connection: &Connection, user_id: &str, definition: &Value) -> Result<i64, StoreError> {
    let definition = definition.to_string();
    let known: Option<i64> = connection
        .prepare_cached("SELECT filter_id FROM filters WHERE user_id = ?1 AND definition = ?2")?
        .query_row([user_id, &definition], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO filters VALUES
         (?1, (SELECT coalesce(max(filter_id), 0) + 1 FROM filters WHERE user_id = ?1), ?2) RETURNING filter_id",
    )?;
    Ok(statement.query_row([user_id, &definition], |row| row.get(0))?)
}

/// The filter with this id.
pub(crate) fn find(
    connection: &Connection,
    user_id: &str,
    filter_id: i64,
) -> Result<Option<Value>, StoreError> {
    let definition: Option<String> = connection
        .prepare_cached("SELECT definition FROM filters WHERE user_id = ?1 AND filter_id = ?2")?
        .query_row(params![user_id, filter_id], |row| row.get(0))
        .optional()?;
    Ok(definition.map(|definition| serde_json::from_str(&definition)).transpose()?)
}
