//! What is known of media: whose they are, what they are and what they are called.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// A media id, with or without content.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    /// Who has made it.
    pub(crate) owner: String,
    /// When, in milliseconds since the Unix epoch.
    pub(crate) created_ms: i64,
    /// What it is; nothing as long as the content has not come.
    pub(crate) content: Option<Description>,
}

/// How content is described to those who get it.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    /// The media type, as it was given.
    pub(crate) content_type: String,
    /// The name of the file, if it was given one.
    pub(crate) file_name: Option<String>,
}

/// What is known of a media id.
pub(crate) fn find(connection: &Connection, media_id: &str) -> Result<Option<Media>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT owner, created_ms, content_type, file_name FROM media WHERE media_id = ?1")?;
    let media = statement.query_row([media_id], |row| {
        let (content_type, file_name) = (row.get::<_, Option<String>>(2)?, row.get(3)?);
        let content = content_type.map(|content_type| Description { content_type, file_name });
        Ok(Media { owner: row.get(0)?, created_ms: row.get(1)?, content })
    });
    Ok(media.optional()?)
}

/// Adds a media id, with or without content.
pub(crate) fn add(connection: &Connection, media_id: &str, media: &Media) -> Result<(), StoreError> {
    let content = media.content.as_ref();
    connection.prepare_cached("INSERT INTO media VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        media_id,
        media.owner,
        media.created_ms,
        content.map(|content| &content.content_type),
        content.and_then(|content| content.file_name.as_ref()),
    ])?;
    Ok(())
}

/// Notes that the content has come; says whether it is the first.
pub(crate) fn describe(
    connection: &Connection,
    media_id: &str,
    description: &Description,
) -> Result<bool, StoreError> {
    let described = connection
        .prepare_cached(
            "UPDATE media SET content_type = ?2, file_name = ?3 WHERE media_id = ?1 AND content_type IS NULL",
        )?
        .execute(params![media_id, description.content_type, description.file_name])?;
    Ok(described == 1)
}

/// How many media ids a user has made, with content or without.
pub(crate) fn count(connection: &Connection, owner: &str) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM media WHERE owner = ?1")?;
    Ok(statement.query_row([owner], |row| row.get(0))?)
}

/// How many media ids of a user that were made after a moment wait for their content.
pub(crate) fn pending(connection: &Connection, owner: &str, after_ms: i64) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM media WHERE owner = ?1 AND created_ms > ?2 AND content_type IS NULL",
    )?;
    Ok(statement.query_row(params![owner, after_ms], |row| row.get(0))?)
}
