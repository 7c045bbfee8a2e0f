//! What a run tells while it goes.

use std::io;

use crate::{Check, Coverage, Header};

/// One thing that happened in a run. A run starts once, ends once, and finishes checks and gives notices between.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run is about to put its first check.
    Started(&'a Header),
    /// A check has its verdict.
    Finished(&'a Check),
    /// Something about the whole run that its reader should know.
    Notice(&'a str),
    /// No more checks will come.
    Ended(&'a Ending),
}

/// What is known of a run only at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ending {
    /// What of the specification was exercised.
    pub coverage: Option<Coverage>,
    /// Whether the run stopped before all of its checks were put.
    pub interrupted: bool,
    /// Wall-clock time of the run, in milliseconds.
    pub duration_ms: f64,
    /// How many requests were put and answered.
    pub exchanges: u64,
    /// Processor time that the harness itself took, in milliseconds; absent where the system does not tell.
    pub harness_cpu_ms: Option<f64>,
}

/// Something that follows a run.
pub trait Reporter {
    /// Takes note of an event.
    ///
    /// # Errors
    /// When it cannot be written down. The run goes on; its caller decides what the loss means.
    fn on(&mut self, event: &Event<'_>) -> io::Result<()>;
}
