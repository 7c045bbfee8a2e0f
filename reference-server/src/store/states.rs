//! The states of rooms: each is kept as what it changes on another.

use rusqlite::{Connection, params};

use super::StoreError;

/// A state as it is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    /// Its number.
    pub(crate) id: i64,
    /// The number of the state that it changes; 0 is the empty one.
    pub(crate) base: i64,
    /// The ids of the events that it has and the other has not.
    pub(crate) set: Vec<String>,
    /// Types and state keys that it leaves empty.
    pub(crate) emptied: Vec<(String, String)>,
}

/// Keeps a new state of a room.
pub(crate) fn add(connection: &Connection, room_id: &str, state: &Kept) -> Result<(), StoreError> {
    let emptied = if state.emptied.is_empty() { None } else { Some(serde_json::to_string(&state.emptied)?) };
    connection.prepare_cached("INSERT INTO states VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        state.id,
        room_id,
        state.base,
        serde_json::to_string(&state.set)?,
        emptied
    ])?;
    Ok(())
}

/// All states of a room, each after the one that it changes.
pub(crate) fn of_room(connection: &Connection, room_id: &str) -> Result<Vec<Kept>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, base, set_events, emptied FROM states WHERE room_id = ?1 ORDER BY id")?;
    let rows = statement.query_map([room_id], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, Option<String>>(3)?))
    })?;
    let mut states = Vec::new();
    for row in rows {
        let (id, base, set, emptied) = row?;
        let emptied = emptied.map(|emptied| serde_json::from_str(&emptied)).transpose()?.unwrap_or_default();
        states.push(Kept { id, base, set: serde_json::from_str(&set)?, emptied });
    }
    Ok(states)
}

/// The greatest number that a state has.
pub(crate) fn last(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT coalesce(max(id), 0) FROM states", [], |row| row.get(0))?)
}
