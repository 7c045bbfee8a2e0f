//! One-time keys, which are given out once, and fallback keys, which stand in when there are none left.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::StoreError;
use crate::misbehave::{Fault, commits};

/// A key that somebody else begins a session with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    /// What it is for, such as `signed_curve25519`.
    pub(crate) algorithm: String,
    /// Its name among the keys of the device and algorithm.
    pub(crate) key_id: String,
    /// The key as the device has uploaded it.
    pub(crate) key: Value,
}

/// A one-time key that was uploaded before.
#[derive(Debug)]
pub(crate) struct Known {
    /// The key as it was uploaded.
    pub(crate) key: Value,
    /// Whether it was given out.
    pub(crate) claimed: bool,
}

/// The one-time key of a device with this algorithm and id, given out or not.
pub(crate) fn find(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    key: &Key,
) -> Result<Option<Known>, StoreError> {
    let known: Option<(String, bool)> = connection
        .prepare_cached(
            "SELECT key, claimed FROM one_time_keys
             WHERE user_id = ?1 AND device_id = ?2 AND algorithm = ?3 AND key_id = ?4",
        )?
        .query_row([user_id, device_id, &key.algorithm, &key.key_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let read = |(key, claimed): (String, bool)| Ok(Known { key: serde_json::from_str(&key)?, claimed });
    known.map(read).transpose()
}

/// Adds a one-time key behind all others, in the place of one that was given out under its id.
pub(crate) fn add(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    key: &Key,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO one_time_keys (user_id, device_id, algorithm, key_id, key)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute([user_id, device_id, &key.algorithm, &key.key_id, &key.key.to_string()])?;
    Ok(())
}

/// How many one-time keys of a device wait to be claimed, by algorithm.
pub(crate) fn counts(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT algorithm, count(*) FROM one_time_keys
         WHERE user_id = ?1 AND device_id = ?2 AND claimed = 0 GROUP BY algorithm",
    )?;
    let counts = statement
        .query_map([user_id, device_id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(counts)
}

/// Sets the fallback key of its algorithm; one that is there already stays as used as it is.
pub(crate) fn set_fallback(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    key: &Key,
) -> Result<(), StoreError> {
    if fallback(connection, user_id, device_id, &key.algorithm)?.as_ref() == Some(key) {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO fallback_keys VALUES (?1, ?2, ?3, ?4, ?5, 0)")?
        .execute(params![user_id, device_id, key.algorithm, key.key_id, key.key.to_string()])?;
    Ok(())
}

/// The algorithms whose fallback key nobody has got yet.
pub(crate) fn unused_fallbacks(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT algorithm FROM fallback_keys WHERE user_id = ?1 AND device_id = ?2 AND used = 0",
    )?;
    let unused = statement.query_map([user_id, device_id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(unused)
}

/// Gives out the one-time key that was uploaded first, or the fallback key when there is none left.
pub(crate) fn claim(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    algorithm: &str,
) -> Result<Option<Key>, StoreError> {
    let claimed = connection
        .prepare_cached(
            "UPDATE one_time_keys SET claimed = ?4 WHERE number =
             (SELECT min(number) FROM one_time_keys
              WHERE user_id = ?1 AND device_id = ?2 AND algorithm = ?3 AND claimed = 0)
             RETURNING key_id, key",
        )?
        .query_row(params![user_id, device_id, algorithm, !commits(Fault::KeysGivenOutTwice)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some(claimed) = claimed {
        return read(algorithm, claimed).map(Some);
    }
    connection
        .prepare_cached(
            "UPDATE fallback_keys SET used = 1 WHERE user_id = ?1 AND device_id = ?2 AND algorithm = ?3",
        )?
        .execute([user_id, device_id, algorithm])?;
    Ok(fallback(connection, user_id, device_id, algorithm)?.filter(|_| !commits(Fault::NoFallback)))
}

/// Drops the keys of a device that is no more.
pub(super) fn forget(connection: &Connection, user_id: &str, device_id: &str) -> Result<(), StoreError> {
    for table in ["one_time_keys", "fallback_keys"] {
        let sql = format!("DELETE FROM {table} WHERE user_id = ?1 AND device_id = ?2");
        connection.prepare_cached(&sql)?.execute([user_id, device_id])?;
    }
    Ok(())
}

fn fallback(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    algorithm: &str,
) -> Result<Option<Key>, StoreError> {
    let fallback = connection
        .prepare_cached(
            "SELECT key_id, key FROM fallback_keys WHERE user_id = ?1 AND device_id = ?2 AND algorithm = ?3",
        )?
        .query_row([user_id, device_id, algorithm], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    fallback.map(|fallback| read(algorithm, fallback)).transpose()
}

fn read(algorithm: &str, (key_id, key): (String, String)) -> Result<Key, StoreError> {
    Ok(Key { algorithm: algorithm.to_owned(), key_id, key: serde_json::from_str(&key)? })
}
