//! Transaction ids, so that a repeated request is answered and not carried out again.

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;

/// What makes a request the same as another (client-server-api/#transaction-identifiers).
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    /// The sender.
    pub(crate) user_id: String,
    /// The sender's device.
    pub(crate) device_id: String,
    /// The path without the transaction id.
    pub(crate) endpoint: String,
    /// The transaction id.
    pub(crate) transaction_id: String,
}

/// What the first of such requests was answered: an event id, where there was one.
pub(crate) fn find(
    connection: &Connection,
    transaction: &Transaction,
) -> Result<Option<Option<String>>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT event_id FROM transactions
         WHERE user_id = ?1 AND device_id = ?2 AND endpoint = ?3 AND transaction_id = ?4",
    )?;
    let Transaction { user_id, device_id, endpoint, transaction_id } = transaction;
    Ok(statement.query_row([user_id, device_id, endpoint, transaction_id], |row| row.get(0)).optional()?)
}

/// Notes a request that was carried out; says whether it is the first of its kind.
pub(crate) fn add(
    connection: &Connection,
    transaction: &Transaction,
    event_id: Option<&str>,
) -> Result<bool, StoreError> {
    let Transaction { user_id, device_id, endpoint, transaction_id } = transaction;
    let added = connection
        .prepare_cached("INSERT INTO transactions VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING")?
        .execute(rusqlite::params![user_id, device_id, endpoint, transaction_id, event_id])?;
    Ok(added == 1)
}

/// Forgets the transactions of a device: one that is made anew under its id begins anew.
pub(crate) fn forget(connection: &Connection, user_id: &str, device_id: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM transactions WHERE user_id = ?1 AND device_id = ?2")?
        .execute([user_id, device_id])?;
    Ok(())
}
