//! The public keys of devices.

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};

use super::{StoreError, cross_signing, one_time_keys};

/// The keys of a device.
#[derive(Debug, Clone)]
pub(crate) struct DeviceKeys {
    /// The device.
    pub(crate) device_id: String,
    /// What its owner calls it.
    pub(crate) display_name: Option<String>,
    /// The signed object that it has uploaded.
    pub(crate) keys: Map<String, Value>,
}

/// The keys of one device, if it has uploaded any.
pub(crate) fn find(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
) -> Result<Option<Map<String, Value>>, StoreError> {
    let keys: Option<String> = connection
        .prepare_cached("SELECT keys FROM device_keys WHERE user_id = ?1 AND device_id = ?2")?
        .query_row([user_id, device_id], |row| row.get(0))
        .optional()?;
    Ok(keys.map(|keys| serde_json::from_str(&keys)).transpose()?)
}

/// The keys of all devices of a user that have uploaded any.
pub(crate) fn of_user(connection: &Connection, user_id: &str) -> Result<Vec<DeviceKeys>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT device_id, display_name, keys FROM device_keys JOIN devices USING (user_id, device_id)
         WHERE user_id = ?1",
    )?;
    let mut rows = statement.query([user_id])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        let keys: String = row.get(2)?;
        let keys = serde_json::from_str(&keys)?;
        devices.push(DeviceKeys { device_id: row.get(0)?, display_name: row.get(1)?, keys });
    }
    Ok(devices)
}

/// Sets or replaces the keys of a device. Signatures that others made are on the keys that it had.
pub(crate) fn set(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    keys: &Map<String, Value>,
) -> Result<(), StoreError> {
    cross_signing::forget_signatures(connection, user_id, device_id)?;
    connection
        .prepare_cached(
            "INSERT INTO device_keys VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET keys = excluded.keys",
        )?
        .execute([user_id, device_id, &serde_json::to_string(keys)?])?;
    Ok(())
}

/// Drops all keys of a device that is no more; says whether there were identity keys among them.
pub(crate) fn forget(connection: &Connection, user_id: &str, device_id: &str) -> Result<bool, StoreError> {
    one_time_keys::forget(connection, user_id, device_id)?;
    cross_signing::forget_signatures(connection, user_id, device_id)?;
    let forgotten = connection
        .prepare_cached("DELETE FROM device_keys WHERE user_id = ?1 AND device_id = ?2")?
        .execute([user_id, device_id])?;
    Ok(forgotten == 1)
}
