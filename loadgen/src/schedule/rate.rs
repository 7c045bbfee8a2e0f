//! A rate that changes over time, piece by piece.

use std::time::Duration;

/// Requests per second over a span of time: pieces that follow each other, each growing or falling evenly.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    seconds: f64,
    from: f64,
    to: f64,
}

/// A rate that no schedule can be made of.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a rate of {0} requests per second; it has to be finite and not negative")]
pub struct NotARate(pub f64);

/// Where a spike begins and how long it lasts, as shares of the whole span.
const SPIKE_BEGINS: f64 = 0.4;
const SPIKE_LASTS: f64 = 0.2;

impl Rate {
    /// The same rate all the time.
    ///
    /// # Errors
    /// When a rate is negative, infinite or not a number; so it is with the others.
    pub fn constant(rate: f64, span: Duration) -> Result<Self, NotARate> {
        Self::ramp(rate, rate, span)
    }

    /// A rate that grows or falls evenly over the whole span.
    pub fn ramp(from: f64, to: f64, span: Duration) -> Result<Self, NotARate> {
        Self::of_pieces([(1.0, from, to)], span)
    }

    /// A rate that is multiplied in the middle fifth of the span.
    pub fn spike(rate: f64, factor: f64, span: Duration) -> Result<Self, NotARate> {
        let after = 1.0 - SPIKE_BEGINS - SPIKE_LASTS;
        let high = rate * factor;
        Self::of_pieces([(SPIKE_BEGINS, rate, rate), (SPIKE_LASTS, high, high), (after, rate, rate)], span)
    }

    /// Rates one after the other, each for an equal share of the span.
    pub fn steps(rates: &[f64], span: Duration) -> Result<Self, NotARate> {
        let share = 1.0 / rates.len() as f64;
        Self::of_pieces(rates.iter().map(|rate| (share, *rate, *rate)), span)
    }

    fn of_pieces(
        pieces: impl IntoIterator<Item = (f64, f64, f64)>,
        span: Duration,
    ) -> Result<Self, NotARate> {
        let checked = |rate: f64| {
            if rate.is_finite() && rate >= 0.0 { Ok(rate) } else { Err(NotARate(rate)) }
        };
        let piece = |(share, from, to)| {
            Ok(Piece { seconds: share * span.as_secs_f64(), from: checked(from)?, to: checked(to)? })
        };
        pieces.into_iter().map(piece).collect::<Result<_, _>>().map(Rate)
    }

    /// How many requests the span holds.
    #[must_use]
    pub fn requests(&self) -> f64 {
        self.0.iter().map(Piece::requests).sum()
    }

    /// When so many requests have come due, for numbers in ascending order and up to the end of the span.
    pub(super) fn reach(&self, numbers: impl Iterator<Item = f64>) -> Vec<Duration> {
        let mut pieces = self.0.iter();
        let mut current = pieces.next();
        let (mut begins, mut before) = (0.0, 0.0);
        let mut due = Vec::new();
        for number in numbers {
            let at = loop {
                let Some(piece) = current else { return due };
                match piece.reach(number - before) {
                    Some(at) => break at,
                    None => {
                        begins += piece.seconds;
                        before += piece.requests();
                        current = pieces.next();
                    }
                }
            };
            due.push(Duration::from_secs_f64(begins + at));
        }
        due
    }
}

impl Piece {
    fn requests(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.seconds
    }

    /// When the integral of the rate reaches a number: a quadratic equation in the time.
    fn reach(&self, number: f64) -> Option<f64> {
        // Sums of shares are not exact: a request that falls on the seam of two pieces belongs to the second.
        if number >= self.requests() - 1e-9 * number.max(1.0) {
            return None;
        }
        if number <= 0.0 {
            return Some(0.0);
        }
        let growth = (self.to - self.from) / self.seconds;
        let discriminant = self.from.mul_add(self.from, 2.0 * growth * number).max(0.0);
        // Without the difference of nearly equal numbers that the textbook formula has for small growth.
        Some(2.0 * number / (self.from + discriminant.sqrt()))
    }
}
