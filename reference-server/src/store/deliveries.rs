//! What is still to be sent to other servers.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::StoreError;

/// Something to be sent.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Its place in the order of sending.
    pub(crate) sequence: i64,
    /// What it is.
    pub(crate) parcel: Parcel,
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// An event, as JSON.
    Pdu(String),
    /// An EDU, as JSON.
    Edu(String),
}

/// Sends an event to these servers.
pub(crate) fn add_event(
    connection: &Connection,
    destinations: &BTreeSet<String>,
    event_id: &str,
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("INSERT INTO deliveries (destination, event_id) VALUES (?1, ?2)")?;
    for destination in destinations {
        statement.execute([destination, event_id])?;
    }
    Ok(())
}

/// Sends an EDU, as JSON, to these servers.
pub(crate) fn add_edu(
    connection: &Connection,
    destinations: &BTreeSet<String>,
    edu: &str,
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("INSERT INTO deliveries (destination, edu) VALUES (?1, ?2)")?;
    for destination in destinations {
        statement.execute([destination, edu])?;
    }
    Ok(())
}

/// The first things to be sent to a server, in order.
pub(crate) fn next(
    connection: &Connection,
    destination: &str,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, pdu, edu FROM deliveries LEFT JOIN events USING (event_id)
         WHERE destination = ?1 ORDER BY sequence LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![destination, limit], |row| {
        let (pdu, edu): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        let parcel = pdu.map(Parcel::Pdu).or(edu.map(Parcel::Edu));
        Ok(parcel.map(|parcel| (row.get(0), parcel)))
    })?;
    let mut deliveries = Vec::new();
    for row in rows {
        if let Some((sequence, parcel)) = row? {
            deliveries.push(Delivery { sequence: sequence?, parcel });
        }
    }
    Ok(deliveries)
}

/// Strikes out what has arrived.
pub(crate) fn strike(connection: &Connection, sequences: &[i64]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM deliveries WHERE sequence = ?1")?;
    for sequence in sequences {
        statement.execute([sequence])?;
    }
    Ok(())
}

/// The servers to which something is still to be sent.
pub(crate) fn destinations(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("SELECT DISTINCT destination FROM deliveries")?;
    let destinations = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(destinations)
}
