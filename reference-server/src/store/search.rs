//! The full-text index of events.

use rusqlite::{Connection, params};

use super::StoreError;
use crate::rooms::event::Pdu;

/// The text that an event is found by, and where it stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Searched {
    /// One of [`Searched::KEYS`].
    key: &'static str,
    text: String,
}

/// An event in which all words of a search were found.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    /// Its room.
    pub(crate) room_id: String,
    /// Its id.
    pub(crate) event_id: String,
    /// Where in it.
    pub(crate) key: String,
    /// How well it matches; higher is better.
    pub(crate) rank: f64,
}

impl Searched {
    /// The places that are searched (client-server-api/#search-categories).
    pub(crate) const KEYS: [&'static str; 3] = ["content.body", "content.name", "content.topic"];

    /// What an event is found by.
    pub(crate) fn in_event(event: &Pdu) -> Option<Self> {
        let (key, text) = match event.event_type() {
            "m.room.message" => ("content.body", event.content_str("body")?),
            "m.room.name" => ("content.name", event.content_str("name")?),
            "m.room.topic" => ("content.topic", plain_topic(event).or_else(|| event.content_str("topic"))?),
            _ => return None,
        };
        Some(Self { key, text: text.to_owned() })
    }
}

/// The `text/plain` representation of a topic, which is one without another type.
fn plain_topic(event: &Pdu) -> Option<&str> {
    let representations = event.content("m.topic")?.get("m.text")?.as_array()?;
    let is_plain = |mimetype: Option<&serde_json::Value>| {
        mimetype.is_none_or(|mimetype| mimetype.as_str() == Some("text/plain"))
    };
    let plain = representations.iter().find(|text| is_plain(text.get("mimetype")))?;
    plain.get("body")?.as_str()
}

/// Lets an event be found.
pub(super) fn add(connection: &Connection, position: i64, searched: &Searched) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO searched (rowid, text, key) VALUES (?1, ?2, ?3)")?
        .execute(params![position, searched.text, searched.key])?;
    Ok(())
}

/// Lets an event be found no more.
pub(super) fn forget(connection: &Connection, event_id: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM searched WHERE rowid = (SELECT position FROM events WHERE event_id = ?1)",
        )?
        .execute([event_id])?;
    Ok(())
}

/// The events in which all these words are found, the newest first.
pub(crate) fn find(connection: &Connection, words: &[String]) -> Result<Vec<Hit>, StoreError> {
    // Quoted, a word is nothing but a word to the index, whatever is in it.
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    let mut statement = connection.prepare_cached(
        "SELECT room_id, event_id, key, -bm25(searched) FROM searched
         JOIN events ON position = searched.rowid WHERE searched MATCH ?1 ORDER BY position DESC",
    )?;
    let hits = statement
        .query_map([quoted.join(" ")], |row| {
            Ok(Hit { room_id: row.get(0)?, event_id: row.get(1)?, key: row.get(2)?, rank: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(hits)
}
