//! The one sequence that everything a client can observe is placed in, and the bells that ring when
//! it grows.
//!
//! A change takes a [`Place`] before it is stored and gives it up when it is stored and visible. The
//! stream reaches a position only when every place up to there has been given up, so that a client
//! that has read up to a position never misses a change that was slower than its successor.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// A position in the stream; a client's sync token is one.
pub(crate) type Position = i64;

/// The position before everything, also before what other servers have told of the time before this one came.
pub(crate) const BEGINNING: Position = -(1 << 53);

/// The token that stands for a position, in `/sync` and in all pagination of events.
pub(crate) fn token(position: Position) -> String {
    if position < 0 { format!("p{}", -position) } else { format!("s{position}") }
}

/// The position that a token stands for, if it is one of ours.
pub(crate) fn position(token: &str) -> Option<Position> {
    let number = |text: &str| text.parse().ok().filter(|number| (0..=-BEGINNING).contains(number));
    match token.strip_prefix('p') {
        Some(past) => number(past).map(|past: Position| -past),
        None => token.strip_prefix('s')?.parse().ok().filter(|position| *position >= 0),
    }
}

/// Hands out places and rings the bells of those whom a change concerns.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    places: Mutex<Places>,
    progress: watch::Sender<Position>,
    bells: Mutex<HashMap<String, watch::Sender<Position>>>,
}

#[derive(Debug, Default)]
struct Places {
    last: Position,
    /// The latest place that has been given up, whether or not the stream has reached it.
    given_up: Position,
    reached: Position,
    taken: BTreeSet<Position>,
    /// Whom the finished changes concern that wait for a slower predecessor.
    waiting: BTreeMap<Position, Vec<String>>,
}

impl Stream {
    /// A stream that goes on after `last`.
    pub(crate) fn after(last: Position) -> Self {
        let places = Places { last, given_up: last, reached: last, ..Places::default() };
        let progress = watch::Sender::new(last);
        Self { places: Mutex::new(places), progress, bells: Mutex::default() }
    }

    /// The position up to which everything is stored and visible.
    pub(crate) fn reached(&self) -> Position {
        lock(&self.places).reached
    }

    /// The position reached when every change that was finished before this call is visible: whoever was told that a
    /// change is made finds it. Waits only for changes that began before that one and are still under way.
    pub(crate) async fn settled(&self) -> Position {
        let (mut progress, finished) = (self.progress.subscribe(), lock(&self.places).given_up);
        let settled = progress.wait_for(|reached| *reached >= finished).await;
        settled.map_or(finished, |reached| *reached)
    }

    /// What tells of every change that anybody can observe.
    pub(crate) fn progress(&self) -> watch::Receiver<Position> {
        self.progress.subscribe()
    }

    /// The next place. Dropped without [`Place::finish`], it is given up and nobody is told.
    pub(crate) fn place(self: &Arc<Self>) -> Place {
        let mut places = lock(&self.places);
        places.last += 1;
        let position = places.last;
        places.taken.insert(position);
        Place { stream: Arc::clone(self), position, concerns: Vec::new() }
    }

    /// A bell that rings when the stream has reached something that concerns `user_id`.
    pub(crate) fn bell(&self, user_id: &str) -> watch::Receiver<Position> {
        let mut bells = lock(&self.bells);
        match bells.get(user_id) {
            Some(bell) => bell.subscribe(),
            None => {
                let (bell, ear) = watch::channel(0);
                bells.insert(user_id.to_owned(), bell);
                ear
            }
        }
    }

    fn give_up(&self, position: Position, concerns: Vec<String>) {
        let finished = {
            let mut places = lock(&self.places);
            places.taken.remove(&position);
            places.given_up = places.given_up.max(position);
            places.waiting.insert(position, concerns);
            let reached = places.taken.first().map_or(places.last, |slowest| slowest - 1);
            places.reached = reached;
            self.progress.send_replace(reached);
            let later = places.waiting.split_off(&(reached + 1));
            std::mem::replace(&mut places.waiting, later)
        };
        let mut bells = lock(&self.bells);
        for (position, users) in finished {
            for user_id in users {
                if let Some(bell) = bells.get(&user_id)
                    && bell.send(position).is_err()
                {
                    bells.remove(&user_id);
                }
            }
        }
    }
}

/// A position that a change has taken.
#[derive(Debug)]
pub(crate) struct Place {
    stream: Arc<Stream>,
    position: Position,
    concerns: Vec<String>,
}

impl Place {
    /// The position itself.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The change is stored and visible; wakes those whom it concerns.
    pub(crate) fn finish(mut self, concerns: impl IntoIterator<Item = String>) {
        self.concerns = concerns.into_iter().collect();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stream.give_up(self.position, std::mem::take(&mut self.concerns));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Stream;

    fn alice() -> [String; 1] {
        ["@alice:example.org".to_owned()]
    }

    #[test]
    fn a_slow_change_holds_the_stream_back() {
        let stream = Arc::new(Stream::after(10));
        let slow = stream.place();
        let fast = stream.place();
        let bell = stream.bell("@alice:example.org");

        fast.finish(alice());
        assert_eq!(stream.reached(), 10);
        assert!(!bell.has_changed().unwrap_or(true));

        slow.finish([]);
        assert_eq!(stream.reached(), 12);
        assert!(bell.has_changed().unwrap_or(false));
        assert_eq!(*bell.borrow(), 12);
    }

    #[tokio::test]
    async fn a_finished_change_is_seen_by_whoever_looks_after_it() {
        let stream = Arc::new(Stream::after(10));
        let slow = stream.place();
        stream.place().finish(alice());
        let look = tokio::spawn({
            let stream = stream.clone();
            async move { stream.settled().await }
        });
        tokio::task::yield_now().await;
        assert!(!look.is_finished());
        slow.finish([]);
        assert_eq!(look.await.expect("a position"), 12);
        assert_eq!(stream.settled().await, 12);
    }

    #[test]
    fn a_change_that_failed_does_not_hold_the_stream_back() {
        let stream = Arc::new(Stream::after(0));
        let failed = stream.place();
        stream.place().finish(alice());
        assert_eq!(stream.reached(), 0);
        drop(failed);
        assert_eq!(stream.reached(), 2);
    }

    #[test]
    fn a_bell_rings_for_its_owner_only() {
        let stream = Arc::new(Stream::after(0));
        let bell = stream.bell("@bob:example.org");
        stream.place().finish(alice());
        assert!(!bell.has_changed().unwrap_or(true));
    }
}
