//! The tables, as a list of migrations: each is run once, in order, and never changed after a release.

use rusqlite::Connection;

use super::StoreError;

const MIGRATIONS: &[&str] = &[
    include_str!("schema/1-accounts.sql"),
    include_str!("schema/2-rooms.sql"),
    include_str!("schema/3-encryption.sql"),
    include_str!("schema/4-device-keys.sql"),
    include_str!("schema/5-moderation.sql"),
    include_str!("schema/6-media.sql"),
    include_str!("schema/7-search.sql"),
    include_str!("schema/8-pushers.sql"),
    include_str!("schema/9-addresses.sql"),
    include_str!("schema/10-graph.sql"),
    include_str!("schema/11-federation.sql"),
    include_str!("schema/12-application-services.sql"),
    include_str!("schema/13-oauth.sql"),
];

/// Brings the database to the newest schema; `user_version` counts the migrations that were run.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > MIGRATIONS.len() {
        return Err(StoreError::TooNew { found, known: MIGRATIONS.len() });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(found) {
        let version = index + 1;
        connection.execute_batch(&format!("BEGIN; {migration}; PRAGMA user_version = {version}; COMMIT;"))?;
    }
    Ok(())
}
