//! The bytes of media: files in the data folder, or in memory when the server has none.

pub(crate) mod thumbnail;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

/// All media, by media id.
#[derive(Debug)]
pub(crate) struct Contents {
    place: Arc<Place>,
    /// Changes whenever content comes, for those who wait for it.
    arrivals: watch::Sender<()>,
    /// Held by whoever gives content to a media id that has waited for it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Place {
    Memory(Mutex<HashMap<String, Bytes>>),
    Folder(PathBuf),
}

impl Contents {
    /// The media in the data folder, or none in memory.
    pub(crate) fn open(data: Option<&Path>) -> io::Result<Self> {
        let place = match data {
            None => Place::Memory(Mutex::default()),
            Some(data) => {
                let folder = data.join("media");
                std::fs::create_dir_all(&folder)?;
                Place::Folder(folder)
            }
        };
        Ok(Self {
            place: Arc::new(place),
            arrivals: watch::Sender::new(()),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The turn to give content to a media id that has waited for it.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Keeps content under a media id that no other content has; it outlasts the server when this returns.
    pub(crate) async fn put(&self, media_id: String, content: Bytes) -> io::Result<()> {
        let place = Arc::clone(&self.place);
        blocking(move || place.put(media_id, content)).await
    }

    /// The content under a media id.
    pub(crate) async fn get(&self, media_id: String) -> io::Result<Option<Bytes>> {
        let place = Arc::clone(&self.place);
        blocking(move || place.get(&media_id)).await
    }

    /// What tells of new content.
    pub(crate) fn arrivals(&self) -> watch::Receiver<()> {
        self.arrivals.subscribe()
    }

    /// Wakes those who wait: there is new content, and it can be found.
    pub(crate) fn announce(&self) {
        self.arrivals.send_replace(());
    }
}

impl Place {
    fn put(&self, media_id: String, content: Bytes) -> io::Result<()> {
        match self {
            Self::Memory(contents) => {
                contents.lock().unwrap_or_else(PoisonError::into_inner).insert(media_id, content);
                Ok(())
            }
            Self::Folder(folder) => {
                // Under its name, a file is whole at any moment.
                let unfinished = folder.join(format!("{media_id}.part"));
                let mut file = std::fs::File::create(&unfinished)?;
                file.write_all(&content)?;
                file.sync_all()?;
                std::fs::rename(&unfinished, folder.join(media_id))?;
                std::fs::File::open(folder)?.sync_all()
            }
        }
    }

    fn get(&self, media_id: &str) -> io::Result<Option<Bytes>> {
        match self {
            Self::Memory(contents) => {
                Ok(contents.lock().unwrap_or_else(PoisonError::into_inner).get(media_id).cloned())
            }
            Self::Folder(folder) => match std::fs::read(folder.join(media_id)) {
                Ok(content) => Ok(Some(content.into())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::Contents;

    #[tokio::test]
    async fn content_in_a_folder_is_there_after_reopening() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        Contents::open(Some(folder.path()))?.put("abc".to_owned(), "bytes".into()).await?;
        let reopened = Contents::open(Some(folder.path()))?;
        assert_eq!(reopened.get("abc".to_owned()).await?.as_deref(), Some(&b"bytes"[..]));
        assert_eq!(reopened.get("other".to_owned()).await?, None);
        Ok(())
    }
}
