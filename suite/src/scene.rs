//! What one run of one test did: its exchanges, what it asserted of them, and the time it has left.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::exchange::Exchange;

/// The memory of one run of one test.
#[derive(Debug)]
pub struct Scene {
    limit: Mutex<Instant>,
    acts: Mutex<Vec<Act>>,
}

/// One step of a test, in order.
#[derive(Clone, Debug)]
pub enum Act {
    /// A request was answered.
    Exchanged(Arc<Exchange>),
    /// This status was required of the exchange, and came.
    Status(Arc<Exchange>),
    /// This status and this error code were required of the exchange, and came.
    Refusal(Arc<Exchange>),
    /// This status and this error code came, which fit; others would only have been observed.
    Fit(Arc<Exchange>),
    /// Something was required of the content of the exchange, and held.
    Content(Arc<Exchange>),
}

impl Scene {
    /// A scene that may last this long.
    pub fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Scene { limit: Mutex::new(Instant::now() + limit), acts: Mutex::default() })
    }

    /// Remembers a step.
    pub fn push(&self, act: Act) {
        self.acts().push(act);
    }

    /// The steps so far.
    pub fn acts(&self) -> MutexGuard<'_, Vec<Act>> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest exchanges, oldest first.
    pub fn latest(&self, count: usize) -> Vec<Arc<Exchange>> {
        let acts = self.acts();
        let exchanges = acts.iter().rev().filter_map(|act| match act {
            Act::Exchanged(exchange) => Some(exchange.clone()),
            _ => None,
        });
        let mut latest: Vec<_> = exchanges.take(count).collect();
        latest.reverse();
        latest
    }

    /// When the time of the test is over.
    pub fn deadline(&self) -> Instant {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back time that the test did not spend itself: a rate limit that was waited out.
    pub fn prolong(&self, by: Duration) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}
