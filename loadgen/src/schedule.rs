//! When requests are due: a schedule made beforehand, from a seed, without looking at the server.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// At equal distances.
    Constant {
        /// Requests per second.
        rate: f64,
    },
    /// Independently of each other: exponentially distributed distances.
    Poisson {
        /// Requests per second, on average.
        rate: f64,
    },
    /// At a rate that grows or falls evenly over the whole time.
    Ramp {
        /// Requests per second at the beginning.
        from: f64,
        /// Requests per second at the end.
        to: f64,
    },
}

/// A rate that no schedule can be made of.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a rate of {0} requests per second; it has to be finite and not negative")]
pub struct NotARate(pub f64);

impl Arrivals {
    /// When requests are due, counted from the start, in order and before `end`. The same seed gives the same schedule.
    ///
    /// # Errors
    /// When a rate is negative, infinite or not a number.
    pub fn schedule(self, end: Duration, seed: u64) -> Result<Vec<Duration>, NotARate> {
        let end = end.as_secs_f64();
        let seconds = match self {
            Arrivals::Constant { rate } => evenly(checked(rate)?, end),
            Arrivals::Poisson { rate } => independently(checked(rate)?, end, seed),
            Arrivals::Ramp { from, to } => ramp(checked(from)?, checked(to)?, end),
        };
        Ok(seconds.into_iter().map(Duration::from_secs_f64).collect())
    }
}

fn checked(rate: f64) -> Result<f64, NotARate> {
    if rate.is_finite() && rate >= 0.0 { Ok(rate) } else { Err(NotARate(rate)) }
}

fn evenly(rate: f64, end: f64) -> Vec<f64> {
    if rate == 0.0 {
        return Vec::new();
    }
    // Multiplied, not summed up: a long schedule does not drift.
    (0_u64..).map(|number| number as f64 / rate).take_while(|at| *at < end).collect()
}

fn independently(rate: f64, end: f64, seed: u64) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut at = 0.0;
    let distances = std::iter::from_fn(|| {
        // 1 - u lies in (0, 1], so that its logarithm is finite.
        at -= (1.0 - random.random::<f64>()).ln() / rate;
        Some(at)
    });
    distances.take_while(|at| *at < end).collect()
}

/// The n-th request is due when the integral of the rate reaches n: a quadratic equation in the time.
fn ramp(from: f64, to: f64, end: f64) -> Vec<f64> {
    let growth = (to - from) / end;
    if growth == 0.0 {
        return evenly(from, end);
    }
    let at = |number: f64| {
        let discriminant = from.mul_add(from, 2.0 * growth * number);
        // Without the difference of nearly equal numbers that the textbook formula has for small growth.
        (discriminant >= 0.0).then(|| 2.0 * number / (from + discriminant.sqrt()))
    };
    let first = if from > 0.0 { 0 } else { 1 };
    (first..).map_while(|number: u64| at(number as f64)).take_while(|at| *at < end).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[rstest]
    #[case(Arrivals::Constant { rate: 10.0 }, 600)]
    #[case(Arrivals::Constant { rate: 0.0 }, 0)]
    #[case(Arrivals::Ramp { from: 0.0, to: 20.0 }, 599)]
    #[case(Arrivals::Ramp { from: 20.0, to: 0.0 }, 600)]
    #[case(Arrivals::Ramp { from: 10.0, to: 10.0 }, 600)]
    fn rates_are_kept(#[case] arrivals: Arrivals, #[case] count: usize) {
        assert_eq!(arrivals.schedule(MINUTE, 0).map(|due| due.len()), Ok(count));
    }

    #[rstest]
    #[case(-1.0)]
    #[case(f64::NAN)]
    #[case(f64::INFINITY)]
    fn what_is_no_rate_is_refused(#[case] rate: f64) {
        assert!(Arrivals::Poisson { rate }.schedule(MINUTE, 0).is_err());
    }

    fn any_arrivals() -> impl Strategy<Value = Arrivals> {
        let rate = 0.1..500.0;
        prop_oneof![
            rate.clone().prop_map(|rate| Arrivals::Constant { rate }),
            rate.clone().prop_map(|rate| Arrivals::Poisson { rate }),
            (rate.clone(), rate).prop_map(|(from, to)| Arrivals::Ramp { from, to }),
        ]
    }

    proptest! {
        #[test]
        fn schedules_are_ordered_bounded_and_repeatable(arrivals in any_arrivals(), seed: u64) {
            let due = arrivals.schedule(MINUTE, seed).expect("a rate");
            prop_assert!(due.is_sorted());
            prop_assert!(due.iter().all(|at| *at < MINUTE));
            prop_assert_eq!(due, arrivals.schedule(MINUTE, seed).expect("a rate"));
        }

        /// The count of a Poisson process has the standard deviation of the square root of its mean.
        #[test]
        fn independent_arrivals_keep_their_rate(rate in 1.0..200.0, seed: u64) {
            let count = Arrivals::Poisson { rate }.schedule(MINUTE, seed).expect("a rate").len() as f64;
            let mean = rate * 60.0;
            prop_assert!((count - mean).abs() <= 6.0 * mean.sqrt() + 1.0, "{count} of {mean}");
        }
    }
}
