//! Rooms, their aliases, and who has forgotten them.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// A room as it is kept beside its events.
#[derive(Debug)]
pub(crate) struct Room {
    /// The room id.
    pub(crate) room_id: String,
    /// The id of its version.
    pub(crate) version: String,
    /// Whether it is in the published room directory.
    pub(crate) published: bool,
    /// The ids of the events that no other follows yet.
    pub(crate) extremities: Vec<String>,
}

/// An event that others follow and that is not here.
#[derive(Debug)]
pub(crate) struct Gap {
    /// Its id.
    pub(crate) event_id: String,
    /// The position of the event that follows it.
    pub(crate) position: i64,
}

/// An alias and where it leads.
#[derive(Debug)]
pub(crate) struct Alias {
    /// The whole alias.
    pub(crate) alias: String,
    /// The room it leads to.
    pub(crate) room_id: String,
    /// Who made it.
    pub(crate) creator: String,
}

/// Every room.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Room>, StoreError> {
    let mut statement = connection.prepare("SELECT room_id, version, published, extremities FROM rooms")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?)))?;
    let mut rooms = Vec::new();
    for row in rows {
        let (room_id, version, published, extremities) = row?;
        rooms.push(Room { room_id, version, published, extremities: serde_json::from_str(&extremities)? });
    }
    Ok(rooms)
}

/// Adds a room.
pub(crate) fn add(connection: &Connection, room: &Room) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO rooms VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?.execute(
        params![room.room_id, room.version, room.published, serde_json::to_string(&room.extremities)?],
    )?;
    Ok(())
}

/// Notes the events that no other follows yet.
pub(crate) fn set_extremities(
    connection: &Connection,
    room_id: &str,
    event_ids: &[String],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE rooms SET extremities = ?2 WHERE room_id = ?1")?
        .execute([room_id, &serde_json::to_string(event_ids)?])?;
    Ok(())
}

/// Notes that an event is missing.
pub(crate) fn add_gap(connection: &Connection, room_id: &str, gap: &Gap) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO gaps VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![room_id, gap.event_id, gap.position])?;
    Ok(())
}

/// Notes that an event is missing no longer.
pub(crate) fn close_gap(connection: &Connection, room_id: &str, event_id: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM gaps WHERE room_id = ?1 AND event_id = ?2")?
        .execute([room_id, event_id])?;
    Ok(())
}

/// What is missing in a room, the oldest first.
pub(crate) fn gaps(connection: &Connection, room_id: &str) -> Result<Vec<Gap>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT event_id, position FROM gaps WHERE room_id = ?1 ORDER BY position")?;
    let gaps = statement
        .query_map([room_id], |row| Ok(Gap { event_id: row.get(0)?, position: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    Ok(gaps)
}

/// Puts a room into the directory or takes it out.
pub(crate) fn publish(connection: &Connection, room_id: &str, published: bool) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE rooms SET published = ?2 WHERE room_id = ?1")?
        .execute(params![room_id, published])?;
    Ok(())
}

/// Makes an alias; says whether it was free.
pub(crate) fn add_alias(connection: &Connection, alias: &Alias) -> Result<bool, StoreError> {
    let added = connection
        .prepare_cached("INSERT INTO aliases VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute([&alias.alias, &alias.room_id, &alias.creator])?;
    Ok(added == 1)
}

/// Removes an alias.
pub(crate) fn remove_alias(connection: &Connection, alias: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM aliases WHERE alias = ?1")?.execute([alias])?;
    Ok(())
}

/// Where an alias leads.
pub(crate) fn find_alias(connection: &Connection, alias: &str) -> Result<Option<Alias>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT alias, room_id, creator FROM aliases WHERE alias = ?1")?;
    let found = statement.query_row([alias], |row| {
        Ok(Alias { alias: row.get(0)?, room_id: row.get(1)?, creator: row.get(2)? })
    });
    Ok(found.optional()?)
}

/// The aliases that lead to a room, in order.
pub(crate) fn aliases_of(connection: &Connection, room_id: &str) -> Result<Vec<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT alias FROM aliases WHERE room_id = ?1 ORDER BY alias")?;
    let aliases = statement.query_map([room_id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(aliases)
}

/// Leads the aliases of one room to another.
pub(crate) fn move_aliases(connection: &Connection, from: &str, to: &str) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE aliases SET room_id = ?2 WHERE room_id = ?1")?.execute([from, to])?;
    Ok(())
}

/// Everybody who has forgotten a room, as pairs of user and room.
pub(crate) fn forgotten(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement = connection.prepare("SELECT user_id, room_id FROM forgotten")?;
    let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(pairs)
}

/// Notes that a user has forgotten a room, or has to do with it again.
pub(crate) fn set_forgotten(
    connection: &Connection,
    user_id: &str,
    room_id: &str,
    forgotten: bool,
) -> Result<(), StoreError> {
    let sql = if forgotten {
        "INSERT INTO forgotten VALUES (?1, ?2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM forgotten WHERE user_id = ?1 AND room_id = ?2"
    };
    connection.prepare_cached(sql)?.execute([user_id, room_id])?;
    Ok(())
}
