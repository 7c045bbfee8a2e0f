//! Sessions in which somebody proves to read what is sent to an address.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use super::addresses::{Address, Medium};

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct Validation {
    /// Its id.
    pub(crate) session: String,
    /// What the client has said to know it by.
    pub(crate) client_secret: String,
    /// The address.
    pub(crate) address: Address,
    /// The digest of what was sent there last.
    pub(crate) token_digest: Vec<u8>,
    /// The number of the last sending.
    pub(crate) send_attempt: i64,
    /// Where a browser goes from the link in an e-mail.
    pub(crate) next_link: Option<String>,
    /// When it was begun or validated, in milliseconds since the Unix epoch.
    pub(crate) modified_ms: i64,
    /// When the token came back.
    pub(crate) validated_ms: Option<i64>,
    /// How many wrong tokens came.
    pub(crate) failures: i64,
}

const SELECT: &str = "SELECT session, client_secret, medium, address, token_digest, send_attempt, next_link, \
     modified_ms, validated_ms, failures FROM validations";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Validation> {
    let medium: String = row.get(2)?;
    Ok(Validation {
        session: row.get(0)?,
        client_secret: row.get(1)?,
        address: Address { medium: Medium::find(&medium).unwrap_or(Medium::Email), address: row.get(3)? },
        token_digest: row.get(4)?,
        send_attempt: row.get(5)?,
        next_link: row.get(6)?,
        modified_ms: row.get(7)?,
        validated_ms: row.get(8)?,
        failures: row.get(9)?,
    })
}

/// The session with this id and this secret.
pub(crate) fn find(
    connection: &Connection,
    session: &str,
    client_secret: &str,
) -> Result<Option<Validation>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE session = ?1 AND client_secret = ?2"))?;
    Ok(statement.query_row([session, client_secret], from_row).optional()?)
}

/// The session that was begun for an address with this secret.
pub(crate) fn of_address(
    connection: &Connection,
    client_secret: &str,
    address: &Address,
) -> Result<Option<Validation>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("{SELECT} WHERE client_secret = ?1 AND medium = ?2 AND address = ?3"))?;
    let key = params![client_secret, address.medium.name(), address.address];
    Ok(statement.query_row(key, from_row).optional()?)
}

/// Keeps a session in place of the one that was begun for the same address with the same secret.
pub(crate) fn set(connection: &Connection, validation: &Validation) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO validations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            validation.session,
            validation.client_secret,
            validation.address.medium.name(),
            validation.address.address,
            validation.token_digest,
            validation.send_attempt,
            validation.next_link,
            validation.modified_ms,
            validation.validated_ms,
            validation.failures,
        ])?;
    Ok(())
}

/// Drops the sessions that have not been modified since a moment.
pub(crate) fn forget_before(connection: &Connection, before_ms: i64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM validations WHERE modified_ms < ?1")?.execute([before_ms])?;
    Ok(())
}
