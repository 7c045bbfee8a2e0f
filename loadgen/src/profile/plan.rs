//! The schedule of a profile: every arrival of every action, in order.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::Action;
use crate::{
    engine::Slot,
    schedule::{Arrivals, NotARate, Rate},
};

/// How a rate changes over a run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Course {
    /// Independent arrivals at one rate.
    #[default]
    Poisson,
    /// Even arrivals at one rate.
    Constant,
    /// Multiplied by so much in the middle fifth of the run.
    Spike(f64),
    /// From so many times the rate to so many times.
    Ramp(f64, f64),
    /// So many times the rate, one after the other for equal shares of the run.
    Steps(Vec<f64>),
    /// The moments of a recorded trace in seconds, whatever the rate.
    Replay(Vec<f64>),
}

/// What makes no course.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected poisson, constant, spike:FACTOR, ramp:FROM..TO, steps:A,B,C or replay:FILE, got `{0}`")]
pub struct NotACourse(String);

impl FromStr for Course {
    type Err = NotACourse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotACourse(text.to_owned());
        let number = |text: &str| {
            text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)
        };
        let numbers = |text: &str, separator: &[char]| {
            text.split(separator)
                .filter(|part| !part.trim().is_empty())
                .map(number)
                .collect::<Option<Vec<f64>>>()
        };
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let course = match name {
            "poisson" if rest.is_empty() => Some(Course::Poisson),
            "constant" if rest.is_empty() => Some(Course::Constant),
            "spike" => number(rest).map(Course::Spike),
            "ramp" => {
                rest.split_once("..").and_then(|(from, to)| Some(Course::Ramp(number(from)?, number(to)?)))
            }
            "steps" => numbers(rest, &[',']).filter(|steps| !steps.is_empty()).map(Course::Steps),
            "replay" => std::fs::read_to_string(rest)
                .ok()
                .and_then(|text| numbers(&text, &['\n', ',']))
                .map(Course::Replay),
            _ => None,
        };
        course.ok_or_else(wrong)
    }
}

impl Course {
    fn arrivals(&self, rate: f64, span: Duration) -> Result<Arrivals, NotARate> {
        Ok(match self {
            Course::Poisson => Arrivals::Independent(Rate::constant(rate, span)?),
            Course::Constant => Arrivals::Even(Rate::constant(rate, span)?),
            Course::Spike(factor) => Arrivals::Independent(Rate::spike(rate, *factor, span)?),
            Course::Ramp(from, to) => Arrivals::Independent(Rate::ramp(rate * from, rate * to, span)?),
            Course::Steps(factors) => {
                let rates: Vec<f64> = factors.iter().map(|factor| rate * factor).collect();
                Arrivals::Independent(Rate::steps(&rates, span)?)
            }
            Course::Replay(trace) => {
                Arrivals::Replay(trace.iter().map(|seconds| Duration::from_secs_f64(*seconds)).collect())
            }
        })
    }
}

/// One part of a run that several processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, counted from 1.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

impl Shard {
    /// The only part of a run.
    pub const WHOLE: Shard = Shard { index: 1, of: 1 };

    /// Whether the part has what bears this number.
    #[must_use]
    pub fn owns(self, number: u64) -> bool {
        number % u64::from(self.of) == u64::from(self.index - 1)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts =
            text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((index, of)) if 1 <= index && index <= of => Ok(Shard { index, of }),
            _ => Err("expected I/N with 1 ≤ I ≤ N, such as 2/3".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.of)
    }
}

/// Every arrival of a run, in order. `performers` is how many users do each action in the whole run.
///
/// # Errors
/// When a rate is none.
pub fn schedule(
    actions: &[Action],
    performers: &[usize],
    course: Option<&Course>,
    span: Duration,
    seed: u64,
) -> Result<Vec<Slot>, NotARate> {
    let mut slots = Vec::new();
    for (number, (action, performers)) in actions.iter().zip(performers).enumerate() {
        let rate = action.per_hour / 3600.0 * *performers as f64;
        let arrivals = course.unwrap_or(&action.course).arrivals(rate, span)?;
        // Actions must not arrive in step with each other.
        let seed = seed ^ crate::engine::mixed(number as u64 + 1);
        slots.extend(arrivals.schedule(span, seed).into_iter().map(|due| Slot {
            due,
            number: 0,
            action: number,
        }));
    }
    slots.sort_by_key(|slot| (slot.due, slot.action));
    for (number, slot) in (0..).zip(&mut slots) {
        slot.number = number;
    }
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("poisson", Some(Course::Poisson))]
    #[case("constant", Some(Course::Constant))]
    #[case("spike:8", Some(Course::Spike(8.0)))]
    #[case("ramp:0..2.5", Some(Course::Ramp(0.0, 2.5)))]
    #[case("steps:1,2,4", Some(Course::Steps(vec![1.0, 2.0, 4.0])))]
    #[case("steps:", None)]
    #[case("spike:-1", None)]
    #[case("ramp:1", None)]
    #[case("replay:/does/not/exist", None)]
    #[case("burst", None)]
    fn courses_are_read(#[case] text: &str, #[case] course: Option<Course>) {
        assert_eq!(text.parse().ok(), course);
    }

    #[rstest]
    #[case("1/1", true)]
    #[case("3/3", true)]
    #[case("0/3", false)]
    #[case("4/3", false)]
    #[case("1", false)]
    fn shards_are_counted_from_one(#[case] text: &str, #[case] is_one: bool) {
        assert_eq!(text.parse::<Shard>().is_ok(), is_one);
    }
}
