//! Where the events of calls meet those who wait for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::{sync::Notify, time::Instant};

use crate::sync::Event;

/// Events of calls, by call and by the user whose sync brought them.
#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    calls: Mutex<HashMap<String, Arc<Call>>>,
}

/// What is known of one call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    heard: Mutex<Vec<Heard>>,
    changed: Notify,
}

/// An event of a call that somebody's sync has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Whose sync it was.
    pub(crate) by: u32,
    /// The type of the event.
    pub(crate) kind: String,
    /// The party that sent it.
    pub(crate) party_id: String,
    /// The party whose answer was taken, where it says so.
    pub(crate) selected_party_id: String,
    /// When the sync came.
    pub(crate) at: Instant,
}

impl Switchboard {
    /// From now on, events of this call are kept.
    pub(crate) fn open(&self, call_id: &str) -> Arc<Call> {
        self.lock().entry(call_id.to_owned()).or_default().clone()
    }

    /// Events of this call are kept no longer.
    pub(crate) fn close(&self, call_id: &str) {
        self.lock().remove(call_id);
    }

    /// A user's sync has brought an event of a call.
    pub(crate) fn hears(&self, by: u32, event: &Event<'_>, at: Instant) {
        let Some(call) = self.lock().get(&*event.content.call_id).cloned() else { return };
        let heard = Heard {
            by,
            kind: event.kind.clone().into_owned(),
            party_id: event.content.party_id.clone().into_owned(),
            selected_party_id: event.content.selected_party_id.clone().into_owned(),
            at,
        };
        call.lock().push(heard);
        call.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Call>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// The first event that a user's sync brings and that fits; nothing when none does in time.
    pub(crate) async fn awaits(
        &self,
        by: u32,
        within: Duration,
        fits: impl Fn(&Heard) -> bool,
    ) -> Option<Heard> {
        let heard = async {
            loop {
                let changed = self.changed.notified();
                let found = self.lock().iter().find(|heard| heard.by == by && fits(heard)).cloned();
                if let Some(found) = found {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, heard).await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
