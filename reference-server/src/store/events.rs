//! Events, in the order in which this server came to know of them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use super::search::{self, Searched};

/// An event as it is kept.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Its place in the stream.
    pub(crate) position: i64,
    /// Its id.
    pub(crate) event_id: String,
    /// The event in the format of its room version, as JSON.
    pub(crate) pdu: String,
    /// The redaction that applies to it: id and event.
    pub(crate) redaction: Option<(String, String)>,
    /// The device and transaction that sent it.
    pub(crate) sent_by: Option<(String, String)>,
}

/// A new event.
#[derive(Debug)]
pub(crate) struct New {
    /// Its place in the stream.
    pub(crate) position: i64,
    /// Its id.
    pub(crate) event_id: String,
    /// Its room.
    pub(crate) room_id: String,
    /// Whether it is state.
    pub(crate) is_state: bool,
    /// Its type.
    pub(crate) event_type: String,
    /// How it relates to which event.
    pub(crate) relation: Option<(String, String)>,
    /// The event in the format of its room version, as JSON.
    pub(crate) pdu: String,
    /// The event that it redacts, if it takes effect.
    pub(crate) redacts: Option<String>,
    /// What it is found by.
    pub(crate) searched: Option<Searched>,
    /// The device and transaction that sent it.
    pub(crate) sent_by: Option<(String, String)>,
}

const SELECT: &str = "SELECT e.position, e.event_id, e.pdu, r.event_id, r.pdu, e.device_id, e.transaction_id
    FROM events e LEFT JOIN events r ON r.event_id = e.redacted_by";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let pair = |first, second| -> rusqlite::Result<Option<(String, String)>> {
        Ok(row.get::<_, Option<String>>(first)?.zip(row.get::<_, Option<String>>(second)?))
    };
    Ok(Stored {
        position: row.get(0)?,
        event_id: row.get(1)?,
        pdu: row.get(2)?,
        redaction: pair(3, 4)?,
        sent_by: pair(5, 6)?,
    })
}

/// Keeps a new event, and lets it redact another.
pub(crate) fn add(connection: &Connection, event: &New) -> Result<(), StoreError> {
    let (device_id, transaction_id) = event.sent_by.as_ref().map(|(d, t)| (d, t)).unzip();
    let (rel_type, relates_to) = event.relation.as_ref().map(|(r, e)| (r, e)).unzip();
    connection
        .prepare_cached(
            "INSERT INTO events
             (position, event_id, room_id, is_state, type, relates_to, rel_type, pdu, device_id, transaction_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            event.position,
            event.event_id,
            event.room_id,
            event.is_state,
            event.event_type,
            relates_to,
            rel_type,
            event.pdu,
            device_id,
            transaction_id
        ])?;
    if let Some(searched) = &event.searched {
        search::add(connection, event.position, searched)?;
    }
    if let Some(redacts) = &event.redacts {
        search::forget(connection, redacts)?;
        connection
            .prepare_cached("UPDATE events SET redacted_by = ?2 WHERE event_id = ?1 AND redacted_by IS NULL")?
            .execute([redacts, &event.event_id])?;
    }
    Ok(())
}

/// The event with this id, if it is in this room.
pub(crate) fn find(
    connection: &Connection,
    room_id: &str,
    event_id: &str,
) -> Result<Option<Stored>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE e.event_id = ?1 AND e.room_id = ?2"))?;
    Ok(statement.query_row([event_id, room_id], from_row).optional()?)
}

/// The room that an event is in.
pub(crate) fn room_of(connection: &Connection, event_id: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT room_id FROM events WHERE event_id = ?1")?;
    Ok(statement.query_row([event_id], |row| row.get(0)).optional()?)
}

/// At most `limit` events of a room up to `until`, newest first.
pub(crate) fn until(
    connection: &Connection,
    room_id: &str,
    until: i64,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let sql = format!("{SELECT} WHERE e.room_id = ?1 AND e.position <= ?2 ORDER BY e.position DESC LIMIT ?3");
    page(connection, &sql, room_id, until, limit)
}

/// At most `limit` events of a room after `since`, oldest first.
pub(crate) fn since(
    connection: &Connection,
    room_id: &str,
    since: i64,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let sql = format!("{SELECT} WHERE e.room_id = ?1 AND e.position > ?2 ORDER BY e.position LIMIT ?3");
    page(connection, &sql, room_id, since, limit)
}

/// Which relations are asked for.
#[derive(Debug)]
pub(crate) struct Relations {
    /// The event that they lead to.
    pub(crate) parent: String,
    /// Only of this type of relation.
    pub(crate) rel_type: Option<String>,
    /// Only events of this type.
    pub(crate) event_type: Option<String>,
    /// How many relations may lie between; 1 for direct ones only.
    pub(crate) depth: usize,
    /// Only after this position.
    pub(crate) after: i64,
    /// Only up to this one.
    pub(crate) until: i64,
    /// The newest first.
    pub(crate) backwards: bool,
}

/// At most `limit` events of a room that relate to another, and were not redacted.
pub(crate) fn related(
    connection: &Connection,
    room_id: &str,
    wanted: &Relations,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let order = if wanted.backwards { "DESC" } else { "ASC" };
    let sql = format!(
        "WITH RECURSIVE related (event_id, depth) AS (
            VALUES (?2, 0)
            UNION
            SELECT child.event_id, depth + 1 FROM events child
            JOIN related ON child.relates_to = related.event_id
            WHERE depth < ?3 AND child.room_id = ?1 AND child.redacted_by IS NULL
        )
        {SELECT} WHERE e.event_id IN (SELECT event_id FROM related WHERE depth > 0)
        AND (?4 IS NULL OR e.rel_type = ?4) AND (?5 IS NULL OR e.type = ?5)
        AND e.position > ?6 AND e.position <= ?7 ORDER BY e.position {order} LIMIT ?8"
    );
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters = params![
        room_id,
        wanted.parent,
        number(wanted.depth),
        wanted.rel_type,
        wanted.event_type,
        wanted.after,
        wanted.until,
        number(limit)
    ];
    let events = statement.query_map(parameters, from_row)?.collect::<Result<_, _>>()?;
    Ok(events)
}

/// The events of a room that relate to others in one of these ways, oldest first.
pub(crate) fn relating(
    connection: &Connection,
    room_id: &str,
    rel_types: &[&str],
) -> Result<Vec<Stored>, StoreError> {
    let mut statement = connection.prepare(&format!(
        "{SELECT} WHERE e.room_id = ?1 AND e.rel_type = ?2 AND e.redacted_by IS NULL ORDER BY e.position"
    ))?;
    let mut relating: Vec<Stored> = Vec::new();
    for rel_type in rel_types {
        for stored in statement.query_map([room_id, rel_type], from_row)? {
            relating.push(stored?);
        }
    }
    relating.sort_by_key(|stored| stored.position);
    Ok(relating)
}

/// All state events that a room ever had, oldest first.
pub(crate) fn state(connection: &Connection, room_id: &str) -> Result<Vec<Stored>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE e.room_id = ?1 AND e.position > ?2 AND e.is_state = 1 ORDER BY e.position LIMIT ?3"
    );
    page(connection, &sql, room_id, 0, usize::MAX)
}

/// The last position that anything in the database has.
pub(crate) fn last_position(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT max(
        coalesce((SELECT max(position) FROM events), 0),
        coalesce((SELECT max(position) FROM account_data), 0),
        coalesce((SELECT max(position) FROM receipts), 0),
        coalesce((SELECT max(position) FROM device_list_changes), 0),
        coalesce((SELECT max(position) FROM to_device), 0))";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn page(
    connection: &Connection,
    sql: &str,
    room_id: &str,
    position: i64,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let events =
        statement.query_map(params![room_id, position, limit], from_row)?.collect::<Result<_, _>>()?;
    Ok(events)
}
