//! Access tokens, refresh tokens and login tokens; of all three only digests are kept.

use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, oauth};
use crate::misbehave::{Fault, commits};

/// Whom an access token speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// The owner.
    pub(crate) user_id: String,
    /// The owner's device.
    pub(crate) device_id: String,
    /// Whether the owner is a guest.
    pub(crate) guest: bool,
    /// Whether the owner moderates other accounts.
    pub(crate) administrator: bool,
    /// Whether the owner's account can not be used.
    pub(crate) locked: bool,
    /// Whether the owner may not act.
    pub(crate) suspended: bool,
    /// Whether the session was opened by OAuth 2.0.
    pub(crate) oauth: bool,
    /// When the token ends, in milliseconds since the Unix epoch.
    pub(crate) expires_ms: Option<i64>,
    /// The refresh token that ends when this access token is first used.
    pub(crate) refreshed_with: Option<Vec<u8>>,
}

/// New tokens of a device, as digests.
#[derive(Debug)]
pub(crate) struct NewTokens {
    /// Digest of the access token.
    pub(crate) access: Vec<u8>,
    /// When it ends, in milliseconds since the Unix epoch.
    pub(crate) expires_ms: Option<i64>,
    /// Digest of the refresh token that comes with it.
    pub(crate) refresh: Option<Vec<u8>>,
    /// Digest of the refresh token that they were obtained with.
    pub(crate) refreshed_with: Option<Vec<u8>>,
}

/// Whom the access token with this digest speaks for.
pub(crate) fn find(connection: &Connection, digest: &[u8]) -> Result<Option<Access>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT user_id, device_id, guest, expires_ms, refreshed_with, administrator, locked, suspended,
                client_id IS NOT NULL
         FROM access_tokens JOIN accounts USING (user_id) LEFT JOIN oauth_sessions USING (user_id, device_id)
         WHERE digest = ?1",
    )?;
    let access = statement.query_row([digest], |row| {
        Ok(Access {
            user_id: row.get(0)?,
            device_id: row.get(1)?,
            guest: row.get(2)?,
            expires_ms: row.get(3)?,
            refreshed_with: row.get(4)?,
            administrator: row.get(5)?,
            locked: row.get(6)?,
            suspended: row.get(7)?,
            oauth: row.get(8)?,
        })
    });
    Ok(access.optional()?)
}

/// Gives a device new tokens beside those it has.
pub(crate) fn issue(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    tokens: &NewTokens,
) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO access_tokens VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        tokens.access,
        user_id,
        device_id,
        tokens.expires_ms,
        tokens.refreshed_with
    ])?;
    if let Some(refresh) = &tokens.refresh {
        connection.prepare_cached("INSERT INTO refresh_tokens VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            refresh,
            user_id,
            device_id,
            tokens.refreshed_with
        ])?;
    }
    Ok(())
}

/// The owner and device of a refresh token.
pub(crate) fn find_refresh(
    connection: &Connection,
    digest: &[u8],
) -> Result<Option<(String, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT user_id, device_id FROM refresh_tokens WHERE digest = ?1")?;
    Ok(statement.query_row([digest], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// A refresh token was used: the one that it replaced ends, with the access tokens that came with that.
pub(crate) fn confirm_refresh(connection: &Connection, digest: &[u8]) -> Result<(), StoreError> {
    let before: Option<Vec<u8>> = connection
        .prepare_cached("SELECT refreshed_with FROM refresh_tokens WHERE digest = ?1")?
        .query_row([digest], |row| row.get(0))
        .optional()?
        .flatten();
    before.map_or(Ok(()), |before| revoke_refresh(connection, &before))
}

/// Ends a refresh token that has been replaced.
pub(crate) fn revoke_refresh(connection: &Connection, digest: &[u8]) -> Result<(), StoreError> {
    let ended: Option<(String, String)> = connection
        .prepare_cached("DELETE FROM refresh_tokens WHERE digest = ?1 RETURNING user_id, device_id")?
        .query_row([digest], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((user_id, device_id)) = ended {
        oauth::spend(connection, digest, &user_id, &device_id)?;
    }
    for table in ["access_tokens", "refresh_tokens"] {
        let sql = format!("UPDATE {table} SET refreshed_with = NULL WHERE refreshed_with = ?1");
        connection.prepare_cached(&sql)?.execute([digest])?;
    }
    Ok(())
}

/// Ends all tokens of a device.
pub(crate) fn revoke_device(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
) -> Result<(), StoreError> {
    for table in
        ["access_tokens", "refresh_tokens"].into_iter().filter(|_| !commits(Fault::SessionsOutliveLogout))
    {
        let sql = format!("DELETE FROM {table} WHERE user_id = ?1 AND device_id = ?2");
        connection.prepare_cached(&sql)?.execute([user_id, device_id])?;
    }
    Ok(())
}

/// Keeps a token that logs its owner in once.
pub(crate) fn add_login_token(
    connection: &Connection,
    digest: &[u8],
    user_id: &str,
    expires_ms: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO login_tokens VALUES (?1, ?2, ?3)")?
        .execute(params![digest, user_id, expires_ms])?;
    Ok(())
}

/// Takes a login token away and names its owner, if it was still good.
pub(crate) fn take_login_token(
    connection: &Connection,
    digest: &[u8],
    now_ms: i64,
) -> Result<Option<String>, StoreError> {
    let taken: Option<(String, i64)> = connection
        .prepare_cached(if commits(Fault::LoginTokensUsableAgain) {
            "SELECT user_id, expires_ms FROM login_tokens WHERE digest = ?1"
        } else {
            "DELETE FROM login_tokens WHERE digest = ?1 RETURNING user_id, expires_ms"
        })?
        .query_row([digest], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(taken.filter(|(_, expires_ms)| *expires_ms > now_ms).map(|(user_id, _)| user_id))
}

/// Keeps a token that vouches for its owner before others.
pub(crate) fn add_openid_token(
    connection: &Connection,
    digest: &[u8],
    user_id: &str,
    expires_ms: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO openid_tokens VALUES (?1, ?2, ?3)")?
        .execute(params![digest, user_id, expires_ms])?;
    Ok(())
}

/// The owner of an OpenID token that is still good.
pub(crate) fn find_openid_token(
    connection: &Connection,
    digest: &[u8],
    now_ms: i64,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT user_id FROM openid_tokens WHERE digest = ?1 AND expires_ms > ?2")?;
    Ok(statement.query_row(params![digest, now_ms], |row| row.get(0)).optional()?)
}
