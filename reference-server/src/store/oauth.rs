//! Clients and sessions of the authorization server, and users of identity providers.

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;

/// Keeps a client.
pub(crate) fn add_client(connection: &Connection, client_id: &str, metadata: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO oauth_clients VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([client_id, metadata])?;
    Ok(())
}

/// The metadata of a client.
pub(crate) fn client(connection: &Connection, client_id: &str) -> Result<Option<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT metadata FROM oauth_clients WHERE client_id = ?1")?;
    Ok(statement.query_row([client_id], |row| row.get(0)).optional()?)
}

/// Notes that a device's session was opened by a client.
pub(crate) fn add_session(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    client_id: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO oauth_sessions VALUES (?1, ?2, ?3)")?
        .execute([user_id, device_id, client_id])?;
    Ok(())
}

/// The client that has opened a device's session, if one has.
pub(crate) fn session(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT client_id FROM oauth_sessions WHERE user_id = ?1 AND device_id = ?2")?;
    Ok(statement.query_row([user_id, device_id], |row| row.get(0)).optional()?)
}

/// Whose device a refresh token was of that has been replaced.
pub(crate) fn spent(connection: &Connection, digest: &[u8]) -> Result<Option<(String, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT user_id, device_id FROM spent_refresh_tokens WHERE digest = ?1")?;
    Ok(statement.query_row([digest], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Remembers a refresh token of such a session that has been replaced.
pub(super) fn spend(
    connection: &Connection,
    digest: &[u8],
    user_id: &str,
    device_id: &str,
) -> Result<(), StoreError> {
    if session(connection, user_id, device_id)?.is_some() {
        connection
            .prepare_cached("INSERT OR IGNORE INTO spent_refresh_tokens VALUES (?1, ?2, ?3)")?
            .execute(rusqlite::params![digest, user_id, device_id])?;
    }
    Ok(())
}

/// Forgets the session of a device that is no more.
pub(super) fn forget(connection: &Connection, user_id: &str, device_id: &str) -> Result<(), StoreError> {
    for table in ["oauth_sessions", "spent_refresh_tokens"] {
        let sql = format!("DELETE FROM {table} WHERE user_id = ?1 AND device_id = ?2");
        connection.prepare_cached(&sql)?.execute([user_id, device_id])?;
    }
    Ok(())
}

/// The user that somebody at an identity provider is.
pub(crate) fn provider_user(
    connection: &Connection,
    issuer: &str,
    subject: &str,
) -> Result<Option<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT user_id FROM provider_users WHERE issuer = ?1 AND subject = ?2")?;
    Ok(statement.query_row([issuer, subject], |row| row.get(0)).optional()?)
}

/// Whether a user has an account at an identity provider.
pub(crate) fn has_provider(connection: &Connection, user_id: &str) -> Result<bool, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM provider_users WHERE user_id = ?1)")?;
    Ok(statement.query_row([user_id], |row| row.get(0))?)
}

/// Notes which user somebody at an identity provider is.
pub(crate) fn add_provider_user(
    connection: &Connection,
    issuer: &str,
    subject: &str,
    user_id: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO provider_users VALUES (?1, ?2, ?3)")?
        .execute([issuer, subject, user_id])?;
    Ok(())
}
