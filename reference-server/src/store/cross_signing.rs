//! Cross-signing keys, and the signatures that users make with them.

use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use super::StoreError;

/// A cross-signing key of a user.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CrossSigningKey {
    /// What it signs.
    pub(crate) usage: Usage,
    /// The public key in unpadded base64, which is also what its id ends in.
    pub(crate) public_key: String,
    /// The object that was uploaded.
    pub(crate) key: Map<String, Value>,
}

/// What a cross-signing key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The user's other cross-signing keys.
    Master,
    /// The user's devices.
    SelfSigning,
    /// The master keys of other users.
    UserSigning,
}

/// A signature on a key.
#[derive(Debug)]
pub(crate) struct Signature {
    /// The device id, or the public key of the cross-signing key, that it is on.
    pub(crate) target: String,
    /// Who has signed.
    pub(crate) signer: String,
    /// With which key.
    pub(crate) key_id: String,
    /// The signature in unpadded base64.
    pub(crate) signature: String,
}

impl Usage {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Master, Self::SelfSigning, Self::UserSigning];

    /// What the specification calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::SelfSigning => "self_signing",
            Self::UserSigning => "user_signing",
        }
    }
}

/// The cross-signing keys of a user.
pub(crate) fn of_user(connection: &Connection, user_id: &str) -> Result<Vec<CrossSigningKey>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT usage, public_key, key FROM cross_signing_keys WHERE user_id = ?1")?;
    let mut rows = statement.query([user_id])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, key): (String, String) = (row.get(0)?, row.get(2)?);
        let Some(usage) = Usage::ALL.into_iter().find(|usage| usage.name() == name) else { continue };
        keys.push(CrossSigningKey { usage, public_key: row.get(1)?, key: serde_json::from_str(&key)? });
    }
    Ok(keys)
}

/// Sets or replaces a key, with the signatures on the one before. The other keys that an earlier master key has signed
/// mean nothing under another one.
pub(crate) fn set(connection: &Connection, user_id: &str, key: &CrossSigningKey) -> Result<(), StoreError> {
    for old in of_user(connection, user_id)? {
        let replaced = old.usage == key.usage || key.usage == Usage::Master;
        if replaced && old.public_key != key.public_key {
            remove(connection, user_id, &old)?;
        }
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO cross_signing_keys VALUES (?1, ?2, ?3, ?4)")?
        .execute([user_id, key.usage.name(), &key.public_key, &serde_json::to_string(&key.key)?])?;
    Ok(())
}

fn remove(connection: &Connection, user_id: &str, key: &CrossSigningKey) -> Result<(), StoreError> {
    forget_signatures(connection, user_id, &key.public_key)?;
    connection
        .prepare_cached("DELETE FROM cross_signing_keys WHERE user_id = ?1 AND usage = ?2")?
        .execute([user_id, key.usage.name()])?;
    Ok(())
}

/// The signatures on the keys of a user that the user or `viewer` has made: nobody else's are shown
/// (client-server-api/#key-and-signature-security).
pub(crate) fn signatures(
    connection: &Connection,
    user_id: &str,
    viewer: &str,
) -> Result<Vec<Signature>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT target, signer, key_id, signature FROM key_signatures
         WHERE user_id = ?1 AND signer IN (?1, ?2)",
    )?;
    let signatures = statement
        .query_map([user_id, viewer], |row| {
            Ok(Signature {
                target: row.get(0)?,
                signer: row.get(1)?,
                key_id: row.get(2)?,
                signature: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(signatures)
}

/// Keeps a signature on a key of a user.
pub(crate) fn sign(connection: &Connection, user_id: &str, signature: &Signature) -> Result<(), StoreError> {
    let Signature { target, signer, key_id, signature } = signature;
    connection
        .prepare_cached("INSERT OR REPLACE INTO key_signatures VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![user_id, target, signer, key_id, signature])?;
    Ok(())
}

/// Drops the signatures on a key that is no more.
pub(super) fn forget_signatures(
    connection: &Connection,
    user_id: &str,
    target: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM key_signatures WHERE user_id = ?1 AND target = ?2")?
        .execute([user_id, target])?;
    Ok(())
}

/// Drops everything of a user whose account ends.
pub(super) fn forget(connection: &Connection, user_id: &str) -> Result<(), StoreError> {
    of_user(connection, user_id)?.iter().try_for_each(|key| remove(connection, user_id, key))
}
