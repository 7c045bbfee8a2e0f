//! What is due is begun, whether or not earlier requests have been answered.

mod pool;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reports::load::Histogram;
use tokio::{sync::mpsc, time::Instant};

use crate::{pacer::Pacer, recorder::Measured, recorder::Recorder};

pub use pool::Pool;
pub(crate) use pool::{mixed, owner_of};

/// An arrival of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// When it is due, from the start.
    pub due: Duration,
    /// Its number in the whole schedule, whatever part of it is driven here.
    pub number: u64,
    /// Which action of the plan it is an arrival of.
    pub action: usize,
}

/// Who may take up an action, and what is counted of it.
#[derive(Clone, Debug)]
pub struct Performers {
    /// What an arrival that finds nobody free is counted as.
    pub operation: Measured,
    /// The places of those in the pool who may.
    pub places: Vec<u32>,
    /// How many owners hold equal shares of these places, one after the other. An arrival is for the owner whom its number
    /// names, and for nobody else; a single owner has all.
    pub owners: usize,
}

impl Performers {
    /// The places of those who may take up the arrival of this number.
    fn able(&self, number: u64) -> &[u32] {
        let share = self.places.len() / self.owners.max(1);
        let first = owner_of(number, self.owners) * share;
        self.places.get(first..first + share).unwrap_or_default()
    }
}

/// Work that one of the pool does for a slot. Gives back whoever did it.
pub trait Work<L>: Send + Sync + 'static {
    /// Does it, and records what came of it.
    fn perform(&self, who: L, place: u32, slot: Slot, due: Instant) -> impl Future<Output = L> + Send;
}

/// Drives slots, which stand in the order in which they are due, and waits until whatever was begun has ended, at most
/// until `patience` after the last slot. Gives how late the slots were taken up.
///
/// Whoever a slot prefers follows from its number; where he is busy, the next one who is free steps in. Nobody waits.
pub async fn drive<L: Send + 'static, W: Work<L>>(
    slots: &[Slot],
    performers: &[Performers],
    pool: &Arc<Pool<L>>,
    recorder: &Recorder,
    pacer: &Pacer,
    patience: Duration,
    work: &Arc<W>,
) -> Histogram {
    let mut lag = Histogram::default();
    let (under_way, mut all_ended) = mpsc::channel::<Infallible>(1);
    for slot in slots {
        let due = recorder.start() + slot.due;
        pacer.wait_until(due).await;
        lag.record(Instant::now().saturating_duration_since(due));
        let Some(able) = performers.get(slot.action) else { continue };
        let Some((place, who)) = pool.take(able.able(slot.number), slot.number) else {
            recorder.dropped(able.operation, due);
            continue;
        };
        let (pool, work, guard) = (pool.clone(), work.clone(), under_way.clone());
        let slot = *slot;
        tokio::spawn(async move {
            let who = work.perform(who, place, slot, due).await;
            pool.give_back(place, who);
            drop(guard);
        });
        // Where many slots are due at once, answers are taken in between.
        if slot.number % 32 == 0 {
            tokio::task::yield_now().await;
        }
    }
    drop(under_way);
    let _ = tokio::time::timeout(patience, all_ended.recv()).await;
    lag
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use reports::load::Series;

    use super::*;
    use crate::{
        recorder::Moments,
        schedule::{Arrivals, Rate},
    };

    /// Answers after a time that depends on when it was asked.
    struct Stub<F> {
        recorder: Recorder,
        answers_after: F,
    }

    impl<F: Fn(Slot, Duration) -> Duration + Send + Sync + 'static> Work<()> for Stub<F> {
        async fn perform(&self, (): (), _: u32, slot: Slot, due: Instant) {
            let operation = self.recorder.operation("ask");
            self.recorder.started(operation, due, 1);
            let begun = Instant::now();
            tokio::time::sleep((self.answers_after)(slot, begun - self.recorder.start())).await;
            self.recorder.ended(operation, Moments { due, begun }, Ok(()));
        }
    }

    async fn asked(
        rate: f64,
        span: Duration,
        users: u32,
        answers_after: impl Fn(Slot, Duration) -> Duration + Send + Sync + 'static,
    ) -> Series {
        let recorder = Recorder::new(Instant::now(), span);
        let arrivals = Arrivals::Even(Rate::constant(rate, span).expect("a rate"));
        let slots: Vec<Slot> = (0..)
            .zip(arrivals.schedule(span, 0))
            .map(|(number, due)| Slot { due, number, action: 0 })
            .collect();
        let performers =
            [Performers { operation: recorder.operation("ask"), places: (0..users).collect(), owners: 1 }];
        let pool = Arc::new(Pool::new((0..users).map(|_| ())));
        let work = Arc::new(Stub { recorder: recorder.clone(), answers_after });
        drive(&slots, &performers, &pool, &recorder, &Pacer::Runtime, Duration::from_secs(60), &work).await;
        recorder.series().remove(0)
    }

    fn near(measured: Option<f64>, expected_ms: f64, within: f64) {
        let measured = measured.expect("a latency");
        assert!(
            (measured - expected_ms).abs() <= expected_ms * within,
            "{measured} ms, expected {expected_ms} ms"
        );
    }

    const SPAN: Duration = Duration::from_secs(12);

    /// A sixth of the arrivals falls into the stall and waits for its end: latencies that are even between 0 and 2 s.
    #[tokio::test(start_paused = true)]
    async fn a_stall_is_told_as_it_was() {
        let stall =
            |_: Slot, at: Duration| Duration::from_secs(7).saturating_sub(at.max(Duration::from_secs(5)));
        let stall = move |slot, at: Duration| {
            if at < Duration::from_secs(5) {
                Duration::from_millis(1)
            } else {
                stall(slot, at).max(Duration::from_millis(1))
            }
        };
        let series = asked(500.0, SPAN, 1_100, stall).await;
        assert_eq!((series.count, series.errors, series.dropped), (6_000, 0, 0));
        near(series.latency.p50_ms, 1.0, 0.05);
        let above = |share: f64| 2_000.0 * (1.0 - share * 6.0);
        near(series.latency.histogram.quantile_ms(0.90), above(0.10), 0.05);
        near(series.latency.histogram.quantile_ms(0.99), above(0.01), 0.05);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_nobody_free_is_counted() {
        // One user, who is busy for 10 ms of every 10 ms that hold five arrivals.
        let series = asked(500.0, Duration::from_secs(2), 1, |_, _| Duration::from_millis(9)).await;
        assert_eq!((series.count, series.dropped), (200, 800));
        assert_eq!(
            series.intervals.iter().map(|interval| interval.count + interval.dropped).sum::<u64>(),
            1_000
        );
    }

    #[test]
    fn an_arrival_with_an_owner_is_for_nobody_else() {
        let operation = Recorder::new(Instant::now(), SPAN).operation("ask");
        let performers = Performers { operation, places: (10..22).collect(), owners: 4 };
        let mut arrivals = [0; 4];
        for number in 0..4_000 {
            let (owner, able) = (owner_of(number, 4), performers.able(number));
            arrivals[owner] += 1;
            let first = 10 + 3 * u32::try_from(owner).expect("a small number");
            assert_eq!(able, [first, first + 1, first + 2]);
        }
        assert!(arrivals.iter().all(|arrivals| (900..1_100).contains(arrivals)), "{arrivals:?}");
    }

    /// Exponentially distributed answers: the quantile q is -ln(1 - q) times their mean.
    #[tokio::test(start_paused = true)]
    async fn a_known_distribution_is_measured() {
        let answers_after = |slot: Slot, _| {
            let random: f64 = StdRng::seed_from_u64(slot.number).random();
            Duration::from_secs_f64(-(1.0 - random).ln() * 0.5)
        };
        let series = asked(2_000.0, Duration::from_secs(40), 10_000, answers_after).await;
        assert_eq!((series.count, series.dropped), (80_000, 0));
        for quantile in [0.5, 0.9, 0.95, 0.99] {
            let expected_ms = -(1.0_f64 - quantile).ln() * 500.0;
            near(series.latency.histogram.quantile_ms(quantile), expected_ms, 0.02);
            near(series.service.histogram.quantile_ms(quantile), expected_ms, 0.02);
        }
    }
}
