//! Events, in the order in which this server came to know of them.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use super::search::{self, Searched};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is part of the room, and shown.
    Accepted,
    /// It is known only because others rest on it; where it stands in the room is not.
    Outlier,
    /// It was fine where its sender put it, and is not by the state of the room: it is not shown, and nothing is
    /// built on it (server-server-api/#soft-failure).
    SoftFailed,
    /// It breaks the rules: it changes no state and is not shown (server-server-api/#rejection).
    Rejected,
    /// It is part of the room, but a redaction that does not take effect, which clients are not to see
    /// (rooms/v3/#handling-redactions).
    Withheld,
}

impl ToSql for Standing {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Accepted => 0,
            Self::Outlier => 1,
            Self::SoftFailed => 2,
            Self::Rejected => 3,
            Self::Withheld => 4,
        }))
    }
}

impl FromSql for Standing {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(match value.as_i64()? {
            0 => Self::Accepted,
            1 => Self::Outlier,
            2 => Self::SoftFailed,
            4 => Self::Withheld,
            _ => Self::Rejected,
        })
    }
}

/// An event as it is kept.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Its place in the stream.
    pub(crate) position: i64,
    /// Its id.
    pub(crate) event_id: String,
    /// The event in the format of its room version, as JSON.
    pub(crate) pdu: String,
    /// What became of it.
    pub(crate) standing: Standing,
    /// The states before and after it.
    pub(crate) states: (i64, i64),
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
    /// What became of it.
    pub(crate) standing: Standing,
    /// The states before and after it.
    pub(crate) states: (i64, i64),
    /// The state of the room when it had come, if that changed.
    pub(crate) room_state: Option<i64>,
    /// The event that it would redact.
    pub(crate) redacts: Option<String>,
    /// Whether it takes effect as a redaction.
    pub(crate) takes_effect: bool,
    /// The redaction that was here before it and takes effect on it.
    pub(crate) redacted_by: Option<String>,
    /// What it is found by.
    pub(crate) searched: Option<Searched>,
    /// The device and transaction that sent it.
    pub(crate) sent_by: Option<(String, String)>,
}

const SELECT: &str = "SELECT e.position, e.event_id, e.pdu, r.event_id, r.pdu, e.device_id, e.transaction_id,
    e.standing, e.state_before, e.state_after
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
        standing: row.get(7)?,
        states: (row.get(8)?, row.get(9)?),
    })
}

/// Keeps a new event, and lets it redact another. An outlier finds its place in the room.
pub(crate) fn add(connection: &Connection, event: &New) -> Result<(), StoreError> {
    let (device_id, transaction_id) = event.sent_by.as_ref().map(|(d, t)| (d, t)).unzip();
    let (rel_type, relates_to) = event.relation.as_ref().map(|(r, e)| (r, e)).unzip();
    connection
        .prepare_cached(
            "INSERT INTO events
             (position, event_id, room_id, is_state, type, relates_to, rel_type, pdu, device_id, transaction_id,
              standing, state_before, state_after, room_state, redacts, redacted_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT (event_id) DO UPDATE SET position = excluded.position, standing = excluded.standing,
             state_before = excluded.state_before, state_after = excluded.state_after,
             room_state = excluded.room_state, redacted_by = coalesce(redacted_by, excluded.redacted_by)",
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
            transaction_id,
            event.standing,
            event.states.0,
            event.states.1,
            event.room_state,
            event.redacts,
            event.redacted_by
        ])?;
    if let Some(searched) = event.searched.as_ref().filter(|_| event.redacted_by.is_none()) {
        search::add(connection, event.position, searched)?;
    }
    if let Some(redacts) = event.redacts.as_ref().filter(|_| event.takes_effect) {
        search::forget(connection, redacts)?;
        connection
            .prepare_cached("UPDATE events SET redacted_by = ?2 WHERE event_id = ?1 AND redacted_by IS NULL")?
            .execute([redacts, &event.event_id])?;
    }
    Ok(())
}

/// Redactions of an event that were here before it.
pub(crate) fn redactions_of(
    connection: &Connection,
    room_id: &str,
    event_id: &str,
) -> Result<Vec<Stored>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE e.redacts = ?2 AND e.room_id = ?1 AND e.standing IN (0, 4) ORDER BY e.position"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let redactions = statement.query_map([room_id, event_id], from_row)?.collect::<Result<_, _>>()?;
    Ok(redactions)
}

/// Whether an event is missing that others follow.
pub(crate) fn is_gap(connection: &Connection, room_id: &str, event_id: &str) -> Result<bool, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM gaps WHERE room_id = ?1 AND event_id = ?2")?;
    Ok(statement.exists([room_id, event_id])?)
}

/// Shows an event that was withheld, at a place of its own.
pub(crate) fn reveal(connection: &Connection, event_id: &str, position: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE events SET standing = 0, position = ?2 WHERE event_id = ?1")?
        .execute(params![event_id, position])?;
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
    let sql = format!(
        "{SELECT} WHERE e.room_id = ?1 AND e.standing = 0 AND e.position <= ?2 ORDER BY e.position DESC LIMIT ?3"
    );
    page(connection, &sql, room_id, until, limit)
}

/// At most `limit` events of a room after `since`, oldest first.
pub(crate) fn since(
    connection: &Connection,
    room_id: &str,
    since: i64,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE e.room_id = ?1 AND e.standing = 0 AND e.position > ?2 ORDER BY e.position LIMIT ?3"
    );
    page(connection, &sql, room_id, since, limit)
}

/// The event of a room next to a moment, in milliseconds since the Unix epoch.
pub(crate) fn nearest(
    connection: &Connection,
    room_id: &str,
    moment_ms: i64,
    backwards: bool,
) -> Result<Option<Stored>, StoreError> {
    let (side, order) = if backwards { ("<=", "DESC") } else { (">=", "ASC") };
    let sent = "json_extract(e.pdu, '$.origin_server_ts')";
    let sql = format!(
        "{SELECT} WHERE e.room_id = ?1 AND e.standing = 0 AND {sent} {side} ?2
         ORDER BY {sent} {order}, e.position {order} LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![room_id, moment_ms], from_row).optional()?)
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
        AND e.standing = 0 AND (?4 IS NULL OR e.rel_type = ?4) AND (?5 IS NULL OR e.type = ?5)
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
        "{SELECT} WHERE e.room_id = ?1 AND e.rel_type = ?2 AND e.standing = 0 AND e.redacted_by IS NULL ORDER BY e.position"
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

/// All state events of a room that are known, whatever became of them.
pub(crate) fn state(connection: &Connection, room_id: &str) -> Result<Vec<Stored>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE e.room_id = ?1 AND e.position > ?2 AND e.is_state = 1 ORDER BY e.position LIMIT ?3"
    );
    page(connection, &sql, room_id, i64::MIN, usize::MAX)
}

/// Where the state of a room changed, and to which, oldest first.
pub(crate) fn room_states(connection: &Connection, room_id: &str) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT position, room_state FROM events WHERE room_id = ?1 AND room_state IS NOT NULL ORDER BY position",
    )?;
    let states =
        statement.query_map([room_id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(states)
}

/// The first position that an event has; what this server came to know of afterwards, but lies further back, goes before.
pub(crate) fn first_position(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT min(coalesce(min(position), 0), 0) FROM events", [], |row| row.get(0))?)
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
