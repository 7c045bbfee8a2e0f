//! What users have reported, for the operator to read.

use rusqlite::{Connection, params};

use super::StoreError;

/// A report.
#[derive(Debug)]
pub(crate) struct Report {
    /// Who reports.
    pub(crate) reporter: String,
    /// The ids of what is reported: a user, a room, or a room and an event.
    pub(crate) reported: Vec<String>,
    /// Why.
    pub(crate) reason: Option<String>,
}

/// Keeps a report.
pub(crate) fn add(connection: &Connection, report: &Report, now_ms: i64) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO reports VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        now_ms,
        report.reporter,
        report.reported.join(" "),
        report.reason
    ])?;
    Ok(())
}
