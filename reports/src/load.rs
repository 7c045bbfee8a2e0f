//! The record of a load run: what arrived, what came of it, and what it cost.

mod chart;
mod comparison;
mod cost;
mod histogram;
mod html;
mod live;
mod markdown;
mod record;
mod series;
mod server;
mod terminal;

pub use comparison::{LoadComparison, compare, to_html as compare_to_html};
pub use histogram::{Histogram, NotAHistogram};
pub use live::{Live, Pulse};
pub use record::{Capacity, LoadRecord, Objective, Part, Plan, Step};
pub use series::{Interval, Series, Spread};
pub use server::{Generator, Metric, Sample};

/// A finished load run on a terminal: every operation in a line, the totals last, where the eye rests.
#[must_use]
pub fn to_terminal(record: &LoadRecord, style: crate::Style) -> String {
    terminal::render(record, style)
}

/// A finished load run for the comment of a pull request.
#[must_use]
pub fn to_markdown(record: &LoadRecord) -> String {
    markdown::render(record)
}

/// A finished load run as one HTML page that needs nothing else.
#[must_use]
pub fn to_html(record: &LoadRecord) -> String {
    html::render(record)
}
