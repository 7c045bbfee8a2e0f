//! When requests are due: a schedule made beforehand, from a seed, without looking at the server.

mod rate;

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

pub use rate::{NotARate, Rate};

/// How requests arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// As evenly as the rate allows.
    Even(Rate),
    /// Independently of each other: a Poisson process of this rate.
    Independent(Rate),
    /// As they once did: the moments of a recorded trace.
    Replay(Vec<Duration>),
}

impl Arrivals {
    /// When requests are due, counted from the start, in order and before `end`. The same seed gives the same schedule.
    #[must_use]
    pub fn schedule(&self, end: Duration, seed: u64) -> Vec<Duration> {
        let mut due: Vec<Duration> = match self {
            // The first of even arrivals is due at once, not after a distance.
            Arrivals::Even(rate) => rate.reach((0_u64..).map(|number| number as f64)),
            Arrivals::Independent(rate) => rate.reach(unit_process(seed)),
            Arrivals::Replay(trace) => trace.clone(),
        };
        due.retain(|at| *at < end);
        due.sort_unstable();
        due
    }
}

/// A Poisson process that has one arrival per unit. A rate stretches and compresses it.
fn unit_process(seed: u64) -> impl Iterator<Item = f64> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut at = 0.0;
    std::iter::from_fn(move || {
        // 1 - u lies in (0, 1], so that its logarithm is finite.
        at -= (1.0 - random.random::<f64>()).ln();
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[rstest]
    #[case(Rate::constant(10.0, MINUTE), 600)]
    #[case(Rate::constant(0.0, MINUTE), 0)]
    #[case(Rate::ramp(0.0, 20.0, MINUTE), 600)]
    #[case(Rate::ramp(20.0, 0.0, MINUTE), 600)]
    #[case(Rate::ramp(10.0, 10.0, MINUTE), 600)]
    #[case(Rate::spike(10.0, 5.0, MINUTE), 1080)]
    #[case(Rate::steps(&[1.0, 2.0, 3.0], MINUTE), 120)]
    fn rates_are_kept(#[case] rate: Result<Rate, NotARate>, #[case] count: usize) {
        let rate = rate.expect("a rate");
        assert_eq!(Arrivals::Even(rate).schedule(MINUTE, 0).len(), count);
    }

    #[test]
    fn a_trace_is_repeated_in_order_and_up_to_the_end() {
        let trace = [70, 3, 1].map(Duration::from_secs).to_vec();
        assert_eq!(Arrivals::Replay(trace).schedule(MINUTE, 0), [1, 3].map(Duration::from_secs));
    }

    #[test]
    fn a_spike_has_its_arrivals_in_the_middle() {
        let rate = Rate::spike(10.0, 5.0, MINUTE).expect("a rate");
        let due = Arrivals::Even(rate).schedule(MINUTE, 0);
        let within = due.iter().filter(|at| (24.0..36.0).contains(&at.as_secs_f64())).count();
        assert_eq!(within, 600);
    }

    fn any_arrivals() -> impl Strategy<Value = Arrivals> {
        let rate = 0.1..500.0;
        let any_rate = prop_oneof![
            rate.clone().prop_map(|rate| Rate::constant(rate, MINUTE)),
            (rate.clone(), rate.clone()).prop_map(|(from, to)| Rate::ramp(from, to, MINUTE)),
            (rate.clone(), 1.0..20.0).prop_map(|(rate, factor)| Rate::spike(rate, factor, MINUTE)),
            proptest::collection::vec(rate, 1..6).prop_map(|steps| Rate::steps(&steps, MINUTE)),
        ];
        let any_rate = any_rate.prop_map(|rate| rate.expect("a rate"));
        prop_oneof![any_rate.clone().prop_map(Arrivals::Even), any_rate.prop_map(Arrivals::Independent),]
    }

    proptest! {
        #[test]
        fn schedules_are_ordered_bounded_and_repeatable(arrivals in any_arrivals(), seed: u64) {
            let due = arrivals.schedule(MINUTE, seed);
            prop_assert!(due.is_sorted());
            prop_assert!(due.iter().all(|at| *at < MINUTE));
            prop_assert_eq!(due, arrivals.schedule(MINUTE, seed));
        }

        /// The count of a Poisson process has the standard deviation of the square root of its mean.
        #[test]
        fn independent_arrivals_keep_their_rate(from in 1.0..200.0, to in 1.0..200.0, seed: u64) {
            let rate = Rate::ramp(from, to, MINUTE).expect("a rate");
            let count = Arrivals::Independent(rate).schedule(MINUTE, seed).len() as f64;
            let mean = (from + to) / 2.0 * 60.0;
            prop_assert!((count - mean).abs() <= 6.0 * mean.sqrt() + 1.0, "{count} of {mean}");
        }
    }
}
