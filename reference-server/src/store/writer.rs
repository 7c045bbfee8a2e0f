//! The one thread that writes.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;

/// Changes that share a transaction at most; a bound on how long the first of them waits.
const BATCH: usize = 256;

/// Runs inside the transaction; what it returns runs after the commit, with its outcome.
type Change = Box<dyn FnOnce(&Connection) -> AfterCommit + Send>;
type AfterCommit = Box<dyn FnOnce(Result<(), String>) + Send>;

/// The way to the writing thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Change>,
}

impl Writer {
    pub(super) fn start(connection: Arc<Mutex<Connection>>) -> Result<Self, StoreError> {
        let (queue, waiting) = mpsc::channel::<Change>();
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            while let Ok(first) = waiting.recv() {
                let batch = std::iter::once(first).chain(waiting.try_iter()).take(BATCH);
                commit(&connection.lock().unwrap_or_else(PoisonError::into_inner), batch);
            }
        })?;
        Ok(Self { queue })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let change: Change = Box::new(move |connection| {
            let made = alone(connection, change);
            Box::new(move |committed| {
                let answer = match committed {
                    Ok(()) => made,
                    Err(reason) => made.and(Err(StoreError::NotCommitted(reason))),
                };
                // Nobody listens when the request was given up; the change stands all the same.
                let _ = reply.send(answer);
            })
        });
        self.queue.send(change).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
}

fn commit(connection: &Connection, batch: impl Iterator<Item = Change>) {
    let begun = connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string());
    let replies: Vec<AfterCommit> = batch.map(|change| change(connection)).collect();
    let committed = begun.and_then(|()| {
        connection.execute_batch("COMMIT").map_err(|error| {
            let _ = connection.execute_batch("ROLLBACK");
            error.to_string()
        })
    });
    for reply in replies {
        reply(committed.clone());
    }
}

/// One change, undone if it fails, whatever its neighbours do.
fn alone<T>(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("SAVEPOINT change")?;
    match change(connection) {
        Ok(value) => {
            connection.execute_batch("RELEASE change")?;
            Ok(value)
        }
        Err(error) => {
            connection.execute_batch("ROLLBACK TO change; RELEASE change")?;
            Err(error)
        }
    }
}
