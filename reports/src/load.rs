//! The record of a load run: what arrived, what came of it, and what it cost.

mod cost;
mod histogram;
mod live;
mod record;
mod series;
mod server;
mod terminal;

pub use histogram::{Histogram, NotAHistogram};
pub use live::{Live, Pulse};
pub use record::{LoadRecord, Objective, Part, Plan};
pub use series::{Interval, Series, Spread};
pub use server::{Generator, Metric, Sample};

/// A finished load run on a terminal: every operation in a line, the totals last, where the eye rests.
#[must_use]
pub fn render(record: &LoadRecord, style: crate::Style) -> String {
    terminal::render(record, style)
}
