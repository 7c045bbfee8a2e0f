//! What the server keeps: SQLite, in memory by default, on disk with a data folder.
//!
//! All writes go through one thread that gathers whatever is waiting into one transaction (group
//! commit) and answers each writer after the commit; reads go to connections of their own. No other
//! module of the crate speaks SQL: each submodule has the statements of one subject, as functions
//! that take the connection they are to run on.

pub(crate) mod access;
pub(crate) mod account_data;
pub(crate) mod accounts;
pub(crate) mod addresses;
pub(crate) mod application_services;
pub(crate) mod cross_signing;
pub(crate) mod deliveries;
pub(crate) mod device_keys;
pub(crate) mod device_lists;
pub(crate) mod devices;
pub(crate) mod events;
pub(crate) mod filters;
pub(crate) mod media;
pub(crate) mod oauth;
pub(crate) mod one_time_keys;
pub(crate) mod profiles;
pub(crate) mod pushers;
pub(crate) mod receipts;
pub(crate) mod received_messages;
pub(crate) mod remote_devices;
pub(crate) mod reports;
pub(crate) mod room_keys;
pub(crate) mod rooms;
mod schema;
pub(crate) mod search;
pub(crate) mod server;
pub(crate) mod server_keys;
pub(crate) mod states;
pub(crate) mod stripped_states;
pub(crate) mod to_device;
pub(crate) mod transactions;
pub(crate) mod validations;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use self::writer::Writer;
use crate::config::Durability;

/// Opens, reads and changes the database.
#[derive(Debug)]
pub(crate) struct Store {
    writer: Writer,
    readers: Readers,
}

impl Store {
    /// Opens the database in `folder`, or one in memory that ends with the server.
    pub(crate) fn open(folder: Option<&Path>, durability: Durability) -> Result<Self, StoreError> {
        let Some(folder) = folder else {
            let connection = Connection::open_in_memory()?;
            schema::migrate(&connection)?;
            let connection = Arc::new(Mutex::new(connection));
            return Ok(Self {
                writer: Writer::start(Arc::clone(&connection))?,
                readers: Readers::Shared(connection),
            });
        };
        std::fs::create_dir_all(folder)?;
        let path = folder.join("homeserver.db");
        let connection = Connection::open(&path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // Group commit makes the strictest setting affordable: one flush serves everybody who waits.
        let synchronous = match durability {
            Durability::PowerLoss => "full",
            Durability::ProcessKill => "normal",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        schema::migrate(&connection)?;
        Ok(Self {
            writer: Writer::start(Arc::new(Mutex::new(connection)))?,
            readers: Readers::Pool { path, idle: Arc::default() },
        })
    }

    /// Runs `query` on a connection for reading.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || readers.run(query)).await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `change` in the next transaction and answers when that is committed. A change that fails
    /// is undone alone; its neighbours in the transaction stand.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.run(change).await
    }
}

#[derive(Debug, Clone)]
enum Readers {
    /// A database in memory has one connection; whoever reads waits for the writer.
    Shared(Arc<Mutex<Connection>>),
    /// A database on disk has as many as there ever were readers at once.
    Pool { path: PathBuf, idle: Arc<Mutex<Vec<Connection>>> },
}

impl Readers {
    fn run<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self {
            Self::Shared(connection) => query(&connection.lock().unwrap_or_else(PoisonError::into_inner)),
            Self::Pool { path, idle } => {
                let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let connection = match waiting {
                    Some(connection) => connection,
                    None => Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?,
                };
                let answer = query(&connection);
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                answer
            }
        }
    }
}

/// The database could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite refused.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The data folder can not be made or read.
    #[error("data folder: {0}")]
    Folder(#[from] std::io::Error),
    /// What is kept is not the JSON it was.
    #[error("database holds damaged JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A newer release has written this database.
    #[error("database has schema {found}, this release knows {known}: use the release that wrote it")]
    TooNew {
        /// The schema found.
        found: usize,
        /// The newest schema of this release.
        known: usize,
    },
    /// A name that was free has been taken in the meantime.
    #[error("{0} was taken in the meantime")]
    Taken(String),
    /// The whole transaction could not be committed.
    #[error("transaction was not committed: {0}")]
    NotCommitted(String),
    /// The writing thread has ended.
    #[error("database is closed")]
    Closed,
}

#[cfg(test)]
mod tests {
    use super::{Store, StoreError};
    use crate::config::Durability;

    #[tokio::test]
    async fn a_failed_change_is_undone_alone() -> Result<(), StoreError> {
        let store = Store::open(None, Durability::default())?;
        let good = store.write(|c| super::server::set(c, "kept", "1"));
        let bad = store.write(|c| {
            super::server::set(c, "lost", "1")?;
            Err::<(), _>(StoreError::Closed)
        });
        let (good, bad) = tokio::join!(good, bad);
        good?;
        assert!(matches!(bad, Err(StoreError::Closed)));
        assert_eq!(store.read(|c| super::server::get(c, "kept")).await?.as_deref(), Some("1"));
        assert_eq!(store.read(|c| super::server::get(c, "lost")).await?, None);
        Ok(())
    }

    #[tokio::test]
    async fn what_was_written_on_disk_is_there_after_reopening() -> Result<(), StoreError> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(Some(folder.path()), Durability::default())?;
        store.write(|c| super::server::set(c, "name", "value")).await?;
        drop(store);
        let store = Store::open(Some(folder.path()), Durability::default())?;
        assert_eq!(store.read(|c| super::server::get(c, "name")).await?.as_deref(), Some("value"));
        Ok(())
    }
}
