//! How a test ends: silently when the requirement is met, otherwise with the reason it stopped.

use std::{fmt, sync::Arc};

use crate::exchange::Exchange;

/// What a test function returns. `Ok` passes; the level of the test decides what an unmet requirement is called.
pub type Verdict = Result<(), Stop>;

/// Why a test did not pass.
#[derive(Clone, Debug)]
pub enum Stop {
    /// The server did not do what the text obliges it to.
    Unmet(Box<Unmet>),
    /// The text leaves it open: what the server did is recorded, not judged.
    Observed(String),
    /// The question does not arise for this server.
    NotApplicable(String),
    /// Ours: the question was never put.
    Fault(String),
}

/// An unmet requirement, with what shows it.
#[derive(Clone, Debug)]
pub struct Unmet {
    /// What the text asks for, in words.
    pub expected: String,
    /// What came.
    pub got: String,
    /// The exchange that shows it; without one, the last exchanges of the test are shown.
    pub exchange: Option<Arc<Exchange>>,
}

impl Stop {
    /// The requirement is not met, as the last exchanges of the test show.
    pub fn unmet(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Stop::Unmet(Box::new(Unmet { expected: expected.into(), got: got.into(), exchange: None }))
    }

    /// The requirement is not met, as this exchange shows.
    pub fn unmet_by(exchange: &Arc<Exchange>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        let exchange = Some(exchange.clone());
        Stop::Unmet(Box::new(Unmet { expected: expected.into(), got: got.into(), exchange }))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Unmet(unmet) => write!(formatter, "expected {}, got {}", unmet.expected, unmet.got),
            Stop::Observed(what) => write!(formatter, "observed: {what}"),
            Stop::NotApplicable(why) => write!(formatter, "not applicable: {why}"),
            Stop::Fault(why) => write!(formatter, "fault: {why}"),
        }
    }
}

/// Fails the test unless the condition holds, in words that stand in the report.
pub fn must(holds: bool, expected: impl Into<String>, got: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Stop::unmet(expected, got())) }
}
