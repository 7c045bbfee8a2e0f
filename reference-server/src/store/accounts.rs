//! Accounts and their passwords.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// A local account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// The whole user id.
    pub(crate) user_id: String,
    /// PHC string; absent when nobody can log in with a password.
    pub(crate) password_hash: Option<String>,
    /// Whether this is a guest.
    pub(crate) guest: bool,
    /// Whether the account has ended; its user id is never given out again.
    pub(crate) deactivated: bool,
    /// Whether the user moderates other accounts.
    pub(crate) administrator: bool,
    /// Whether the account can not be used until an administrator unlocks it.
    pub(crate) locked: bool,
    /// Whether the user may read and leave, but not act, until an administrator says so.
    pub(crate) suspended: bool,
}

/// What an administrator does to an account (client-server-api/#account-moderation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sanction {
    /// The account can not be used.
    Lock,
    /// Its user can not act.
    Suspension,
}

/// The account of `user_id`, deactivated or not.
pub(crate) fn find(connection: &Connection, user_id: &str) -> Result<Option<Account>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT user_id, password_hash, guest, deactivated, administrator, locked, suspended
         FROM accounts WHERE user_id = ?1",
    )?;
    let account = statement.query_row([user_id], |row| {
        Ok(Account {
            user_id: row.get(0)?,
            password_hash: row.get(1)?,
            guest: row.get(2)?,
            deactivated: row.get(3)?,
            administrator: row.get(4)?,
            locked: row.get(5)?,
            suspended: row.get(6)?,
        })
    });
    Ok(account.optional()?)
}

/// Creates the account unless the user id is taken; says whether it did.
pub(crate) fn create(connection: &Connection, account: &Account, now_ms: i64) -> Result<bool, StoreError> {
    let created = connection
        .prepare_cached(
            "INSERT INTO accounts (user_id, password_hash, guest, administrator, created_ms)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            account.user_id,
            account.password_hash,
            account.guest,
            account.administrator,
            now_ms
        ])?;
    Ok(created == 1)
}

/// Those of these users who are guests.
pub(crate) fn guests(connection: &Connection, user_ids: &[String]) -> Result<Vec<String>, StoreError> {
    let mut guests = Vec::new();
    for user_id in user_ids {
        if find(connection, user_id)?.is_some_and(|account| account.guest) {
            guests.push(user_id.clone());
        }
    }
    Ok(guests)
}

/// Replaces the password.
pub(crate) fn set_password(connection: &Connection, user_id: &str, hash: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE accounts SET password_hash = ?2 WHERE user_id = ?1")?
        .execute([user_id, hash])?;
    Ok(())
}

/// Lays a sanction on an account, or lifts it.
pub(crate) fn sanction(
    connection: &Connection,
    user_id: &str,
    sanction: Sanction,
    effective: bool,
) -> Result<(), StoreError> {
    let sql = match sanction {
        Sanction::Lock => "UPDATE accounts SET locked = ?2 WHERE user_id = ?1",
        Sanction::Suspension => "UPDATE accounts SET suspended = ?2 WHERE user_id = ?1",
    };
    connection.prepare_cached(sql)?.execute(params![user_id, effective])?;
    Ok(())
}

/// Ends the account, at a position of the stream: no password, no devices, no tokens, no keys.
pub(crate) fn deactivate(connection: &Connection, user_id: &str, position: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE accounts SET password_hash = NULL, deactivated = 1 WHERE user_id = ?1")?
        .execute([user_id])?;
    super::cross_signing::forget(connection, user_id)?;
    super::devices::delete_all_but(connection, user_id, None, position)
}

/// Erases what is no event, and notes from where on events are hidden from newcomers.
pub(crate) fn erase(connection: &Connection, user_id: &str, position: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE accounts SET erased = ?2 WHERE user_id = ?1")?
        .execute(params![user_id, position])?;
    connection.prepare_cached("DELETE FROM account_data WHERE user_id = ?1")?.execute([user_id])?;
    super::profiles::erase(connection, user_id)
}

/// Everybody who was erased, with the position at which.
pub(crate) fn erased(connection: &Connection) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement =
        connection.prepare("SELECT user_id, erased FROM accounts WHERE erased IS NOT NULL")?;
    let erased = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(erased)
}
