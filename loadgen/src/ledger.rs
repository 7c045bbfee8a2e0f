//! Who is still to receive what: a message is delivered when another user's sync brings it.

mod waiting;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::{sync::Notify, time::Instant};

use crate::recorder::{Measured, Moments, Recorder};

use waiting::Waiting;

/// Messages under way, by the number of the slot that sent them. The sender and all receivers share a clock.
#[derive(Debug)]
pub struct Ledger {
    recorder: Recorder,
    open: Mutex<Open>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    messages: HashMap<u64, Message>,
    /// The messages that are under way in each room.
    of_room: HashMap<u32, Vec<u64>>,
}

#[derive(Debug)]
struct Message {
    operation: Measured,
    moments: Moments,
    room: Option<u32>,
    /// Those who are to receive it, in ascending order; the sender may be among them.
    receivers: Arc<[u32]>,
    waiting: Waiting,
    /// Deliveries before the sender had his answer: they count once he has it.
    early: Vec<Instant>,
    acknowledged: bool,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What its deliveries count as.
    pub operation: Measured,
    /// When it was due and when it was begun.
    pub moments: Moments,
    /// The room, where it goes to one.
    pub room: Option<u32>,
    /// Who sends it.
    pub sender: u32,
    /// Who is to receive it, in ascending order; the sender does not count.
    pub receivers: Arc<[u32]>,
}

impl Ledger {
    /// A ledger that tells this recorder.
    #[must_use]
    pub fn new(recorder: Recorder) -> Self {
        Ledger { recorder, open: Mutex::default(), changed: Notify::new() }
    }

    /// A message is about to be sent.
    pub fn sends(&self, number: u64, sent: &Sent) {
        let Sent { operation, moments, room, sender, receivers } = sent.clone();
        let waiting = Waiting::all_but(receivers.len(), receivers.binary_search(&sender).ok());
        let mut open = self.lock();
        if let Some(room) = room {
            open.of_room.entry(room).or_default().push(number);
        }
        let message =
            Message { operation, moments, room, receivers, waiting, early: Vec::new(), acknowledged: false };
        open.messages.insert(number, message);
    }

    /// The server has accepted it: from now on its deliveries are owed.
    pub fn acknowledged(&self, number: u64) {
        let mut open = self.lock();
        let Some(message) = open.messages.get_mut(&number) else { return };
        message.acknowledged = true;
        let (operation, moments) = (message.operation, message.moments);
        self.recorder.started(operation, moments.due, message.waiting.owed());
        for at in std::mem::take(&mut message.early) {
            self.recorder.ended_at(operation, moments, at);
        }
        self.close_if_done(&mut open, number);
    }

    /// The server has not accepted it, or nobody knows: nothing is owed.
    pub fn failed(&self, number: u64) {
        self.close(&mut self.lock(), number);
    }

    /// A sync has brought it to a user.
    pub fn seen(&self, number: u64, user: u32, at: Instant) {
        let mut open = self.lock();
        let Some(message) = open.messages.get_mut(&number) else { return };
        let Ok(place) = message.receivers.binary_search(&user) else { return };
        if !message.waiting.received(place) {
            return;
        }
        if message.acknowledged {
            self.recorder.ended_at(message.operation, message.moments, at);
            self.close_if_done(&mut open, number);
        } else {
            message.early.push(at);
        }
    }

    /// The server has limited the timeline of a room in a user's sync: what he has not seen of it is not lost, but behind
    /// a gap. Should a later sync bring it all the same, it counts as delivered.
    pub fn limited(&self, room: u32, user: u32) {
        let mut open = self.lock();
        let Open { messages, of_room } = &mut *open;
        for number in of_room.get(&room).into_iter().flatten() {
            let Some(message) = messages.get_mut(number).filter(|message| message.acknowledged) else {
                continue;
            };
            if let Ok(place) = message.receivers.binary_search(&user) {
                message.waiting.skipped(place);
            }
        }
    }

    /// Waits until nothing is owed any more, at most for so long.
    pub async fn settled(&self, patience: Duration) {
        let settled = async {
            loop {
                let changed = self.changed.notified();
                if self.lock().messages.values().all(|message| message.waiting.missing() == 0) {
                    return;
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(patience, settled).await;
    }

    /// Counts what is still owed as lost or as behind a limited timeline, and forgets it.
    pub fn close_all(&self) {
        let mut open = self.lock();
        for message in open.messages.values().filter(|message| message.acknowledged) {
            let due = message.moments.due;
            let (missing, skipped) = (message.waiting.missing(), message.waiting.behind_gaps());
            if missing > 0 {
                self.recorder.failed(message.operation, due, "undelivered", missing);
            }
            if skipped > 0 {
                self.recorder.limited(message.operation, due, skipped);
            }
        }
        *open = Open::default();
    }

    fn close_if_done(&self, open: &mut Open, number: u64) {
        if open.messages.get(&number).is_some_and(|message| message.waiting.is_done()) {
            self.close(open, number);
        }
    }

    fn close(&self, open: &mut Open, number: u64) {
        let Some(message) = open.messages.remove(&number) else { return };
        if let Some(of_room) = message.room.and_then(|room| open.of_room.get_mut(&room)) {
            of_room.retain(|other| *other != number);
        }
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use reports::load::Series;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Stage {
        ledger: Ledger,
        recorder: Recorder,
        start: Instant,
    }

    /// Users 0 to 3 share room 7; user 0 has sent message 5.
    fn stage() -> Stage {
        let start = Instant::now();
        let recorder = Recorder::new(start, 10 * SECOND);
        let ledger = Ledger::new(recorder.clone());
        let sent = Sent {
            operation: recorder.operation("delivery"),
            moments: Moments { due: start, begun: start },
            room: Some(7),
            sender: 0,
            receivers: [0, 1, 2, 3].into(),
        };
        ledger.sends(5, &sent);
        Stage { ledger, recorder, start }
    }

    impl Stage {
        fn series(self) -> Series {
            self.ledger.close_all();
            self.recorder.series().remove(0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_everybody_sees_is_delivered_once_each() {
        let stage = stage();
        // One of them is faster than the sender's answer, and two see it twice.
        stage.ledger.seen(5, 1, stage.start + SECOND);
        stage.ledger.acknowledged(5);
        for user in [0, 1, 2, 2, 3, 3, 4] {
            stage.ledger.seen(5, user, stage.start + 2 * SECOND);
        }
        stage.ledger.settled(SECOND).await;
        let series = stage.series();
        assert_eq!(
            (series.count, series.errors, series.limited, series.latency.histogram.count()),
            (3, 0, 0, 3)
        );
        assert!(series.latency.max_ms.is_some_and(|ms| (1_990.0..2_010.0).contains(&ms)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_sees_is_lost_and_what_is_behind_a_gap_is_not() {
        let stage = stage();
        stage.ledger.acknowledged(5);
        stage.ledger.seen(5, 1, stage.start + SECOND);
        stage.ledger.limited(7, 2);
        let before = Instant::now();
        stage.ledger.settled(SECOND).await;
        assert_eq!(before.elapsed(), SECOND, "user 3 has not seen it");
        let series = stage.series();
        assert_eq!((series.count, series.errors, series.limited), (3, 1, 1));
        assert_eq!(series.kinds.get("undelivered"), Some(&1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_after_a_gap_is_delivered() {
        let stage = stage();
        stage.ledger.acknowledged(5);
        stage.ledger.limited(7, 1);
        [1, 2, 3].into_iter().for_each(|user| stage.ledger.seen(5, user, stage.start + SECOND));
        let series = stage.series();
        assert_eq!(
            (series.count, series.errors, series.limited, series.latency.histogram.count()),
            (3, 0, 0, 3)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_was_not_accepted_nothing_is_owed() {
        let stage = stage();
        stage.ledger.seen(5, 1, stage.start + SECOND);
        stage.ledger.failed(5);
        let series = stage.series();
        assert_eq!((series.count, series.errors, series.latency.histogram.count()), (0, 0, 0));
    }
}
