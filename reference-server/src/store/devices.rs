//! Devices.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{StoreError, access, device_keys, device_lists, oauth, pushers, to_device, transactions};

/// A device as its owner sees it.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// Unique among the user's devices.
    pub(crate) device_id: String,
    /// What the user calls it.
    pub(crate) display_name: Option<String>,
    /// When it was last seen, in milliseconds since the Unix epoch.
    pub(crate) last_seen_ms: Option<i64>,
    /// From which address.
    pub(crate) last_seen_ip: Option<String>,
}

const COLUMNS: &str = "device_id, display_name, last_seen_ms, last_seen_ip";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        device_id: row.get(0)?,
        display_name: row.get(1)?,
        last_seen_ms: row.get(2)?,
        last_seen_ip: row.get(3)?,
    })
}

/// All devices of a user, by id.
pub(crate) fn list(connection: &Connection, user_id: &str) -> Result<Vec<Device>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM devices WHERE user_id = ?1 ORDER BY device_id"))?;
    let devices = statement.query_map([user_id], from_row)?.collect::<Result<_, _>>()?;
    Ok(devices)
}

/// One device of a user.
pub(crate) fn find(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
) -> Result<Option<Device>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM devices WHERE user_id = ?1 AND device_id = ?2"))?;
    Ok(statement.query_row([user_id, device_id], from_row).optional()?)
}

/// Adds a device; one that is known keeps its name. Says whether it is new.
pub(crate) fn add(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    display_name: Option<&str>,
) -> Result<bool, StoreError> {
    let added = connection
        .prepare_cached(
            "INSERT INTO devices (user_id, device_id, display_name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![user_id, device_id, display_name])?;
    Ok(added > 0)
}

/// Renames a device; says whether there is one.
pub(crate) fn rename(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    display_name: Option<&str>,
) -> Result<bool, StoreError> {
    let renamed = connection
        .prepare_cached("UPDATE devices SET display_name = ?3 WHERE user_id = ?1 AND device_id = ?2")?
        .execute(params![user_id, device_id, display_name])?;
    Ok(renamed == 1)
}

/// Notes when and from where a device was last heard of.
pub(crate) fn seen(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    now_ms: i64,
    ip: Option<&str>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE devices SET last_seen_ms = ?3, last_seen_ip = ?4 WHERE user_id = ?1 AND device_id = ?2",
        )?
        .execute(params![user_id, device_id, now_ms, ip])?;
    Ok(())
}

/// Removes a device with its tokens, keys and pushers, at a position of the stream. An unknown device is already removed.
pub(crate) fn delete(
    connection: &Connection,
    user_id: &str,
    device_id: &str,
    position: i64,
) -> Result<(), StoreError> {
    if device_keys::forget(connection, user_id, device_id)? {
        device_lists::note(connection, user_id, None, position)?;
    }
    access::revoke_device(connection, user_id, device_id)?;
    oauth::forget(connection, user_id, device_id)?;
    transactions::forget(connection, user_id, device_id)?;
    to_device::forget(connection, user_id, device_id)?;
    pushers::forget(connection, user_id, device_id)?;
    connection
        .prepare_cached("DELETE FROM devices WHERE user_id = ?1 AND device_id = ?2")?
        .execute([user_id, device_id])?;
    Ok(())
}

/// Removes all devices of a user, or all but one.
pub(crate) fn delete_all_but(
    connection: &Connection,
    user_id: &str,
    kept: Option<&str>,
    position: i64,
) -> Result<(), StoreError> {
    for device in list(connection, user_id)? {
        if kept != Some(device.device_id.as_str()) {
            delete(connection, user_id, &device.device_id, position)?;
        }
    }
    Ok(())
}
