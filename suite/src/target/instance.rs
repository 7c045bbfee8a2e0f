//! One server of a target.

use std::sync::{Mutex, MutexGuard, PoisonError};

use url::Url;

use super::running::Running;

/// One running server.
#[derive(Debug)]
pub struct Instance {
    /// Where its client-server API is.
    pub client: Url,
    /// Where its server-server API is, where that is known.
    pub federation: Option<Url>,
    /// The name that its certificate is for, where that is not the host of its address.
    known_as: Option<String>,
    /// The server itself, where the run started it and has not ended it.
    running: Mutex<Option<Running>>,
}

impl Instance {
    pub(super) fn new(client: Url, federation: Option<Url>, running: Option<Running>) -> Self {
        Instance { client, federation, known_as: None, running: Mutex::new(running) }
    }

    pub(super) fn known_as(self, name: String) -> Self {
        Instance { known_as: Some(name), ..self }
    }

    /// Where its server-server API is, by the name that its certificate is for.
    pub(super) fn certified_url(&self) -> Option<Url> {
        let mut url = self.federation.clone()?;
        if let Some(name) = &self.known_as {
            url.set_host(Some(name)).ok()?;
        }
        Some(url)
    }

    pub(super) fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
