//! E-mail addresses and telephone numbers of accounts: those that are theirs, and where they are bound.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// What an address is an address of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Msisdn,
}

impl Medium {
    /// Its name in the specification (appendices/#3pid-types).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Msisdn => "msisdn",
        }
    }

    /// The medium of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        [Self::Email, Self::Msisdn].into_iter().find(|medium| medium.name() == name)
    }
}

/// A third-party identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Of what kind it is.
    pub(crate) medium: Medium,
    /// The address, in canonical form.
    pub(crate) address: String,
}

/// An address that belongs to an account.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    /// The address.
    pub(crate) address: Address,
    /// When its owner proved to read it, in milliseconds since the Unix epoch.
    pub(crate) validated_ms: i64,
    /// When it was added.
    pub(crate) added_ms: i64,
}

/// Whose an address is.
pub(crate) fn owner(connection: &Connection, address: &Address) -> Result<Option<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT user_id FROM addresses WHERE medium = ?1 AND address = ?2")?;
    let key = params![address.medium.name(), address.address];
    Ok(statement.query_row(key, |row| row.get(0)).optional()?)
}

/// The addresses of a user, in the order in which they were added.
pub(crate) fn of_user(connection: &Connection, user_id: &str) -> Result<Vec<Owned>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT medium, address, validated_ms, added_ms FROM addresses WHERE user_id = ?1 ORDER BY added_ms, address",
    )?;
    let rows = statement.query_map([user_id], |row| {
        let medium: String = row.get(0)?;
        let address =
            Address { medium: Medium::find(&medium).unwrap_or(Medium::Email), address: row.get(1)? };
        Ok(Owned { address, validated_ms: row.get(2)?, added_ms: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives an address to a user; says whether it is theirs now and not another user's.
pub(crate) fn add(connection: &Connection, user_id: &str, owned: &Owned) -> Result<bool, StoreError> {
    let added = connection
        .prepare_cached(
            "INSERT INTO addresses (medium, address, user_id, validated_ms, added_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET validated_ms = excluded.validated_ms WHERE user_id = excluded.user_id",
        )?
        .execute(params![
            owned.address.medium.name(),
            owned.address.address,
            user_id,
            owned.validated_ms,
            owned.added_ms
        ])?;
    Ok(added == 1)
}

/// Takes an address from a user.
pub(crate) fn remove(connection: &Connection, user_id: &str, address: &Address) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM addresses WHERE user_id = ?1 AND medium = ?2 AND address = ?3")?
        .execute(params![user_id, address.medium.name(), address.address])?;
    Ok(())
}

/// Takes all addresses from a user.
pub(crate) fn remove_all(connection: &Connection, user_id: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM addresses WHERE user_id = ?1")?.execute([user_id])?;
    Ok(())
}

/// Notes that an identity server knows whose an address is.
pub(crate) fn bind(
    connection: &Connection,
    user_id: &str,
    address: &Address,
    identity_server: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO bindings VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
        .execute(params![user_id, address.medium.name(), address.address, identity_server])?;
    Ok(())
}

/// Notes that an identity server does so no longer.
pub(crate) fn unbind(
    connection: &Connection,
    user_id: &str,
    address: &Address,
    identity_server: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM bindings WHERE user_id = ?1 AND medium = ?2 AND address = ?3 AND identity_server = ?4",
        )?
        .execute(params![user_id, address.medium.name(), address.address, identity_server])?;
    Ok(())
}

/// The addresses of a user that identity servers know, with the server.
pub(crate) fn bindings(connection: &Connection, user_id: &str) -> Result<Vec<(Address, String)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT medium, address, identity_server FROM bindings WHERE user_id = ?1")?;
    let rows = statement.query_map([user_id], |row| {
        let medium: String = row.get(0)?;
        let address =
            Address { medium: Medium::find(&medium).unwrap_or(Medium::Email), address: row.get(1)? };
        Ok((address, row.get(2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
