//! The record of a run: its types, its writing while the run goes, and everything a person or a CI sees of it.
//!
//! This crate knows no Matrix: ids, citations and verdicts are plain types. A run tells what happens as
//! [`Event`]s; [`RecordWriter`] keeps them, [`Terminal`] shows that something moves. Once the run is over, every
//! picture of it (terminal, Markdown, JUnit, TAP, GitHub annotations, `go test -json`, HTML) is a function of the [`Record`] alone;
//! several records are drawn side by side by [`compare`], [`matrix`] and [`timeline`].
//!
//! ```
//! use reports::{Ending, Event, Header, RecordWriter, Rendering, Reporter, Style};
//!
//! # fn main() -> std::io::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("record.json");
//! let mut writer = RecordWriter::create(&path)?;
//! writer.on(&Event::Started(&Header::default()))?;
//! // … one `Event::Finished` for each check …
//! writer.on(&Event::Ended(&Ending::default()))?;
//!
//! if let Some(record) = writer.into_record() {
//!     let page = Rendering::Html.draw(&record, Style::plain())?;
//!     assert!(page.starts_with("<!DOCTYPE html>"));
//!     assert_eq!(record.outcome().exit_code(), 0);
//! }
//! # Ok(())
//! # }
//! ```

mod account;
mod body;
mod check;
mod coverage;
mod digest;
mod event;
mod headline;
mod layout;
mod moment;
mod progress;
mod reading;
mod record;
mod rendering;
mod secrets;
mod style;
mod summary;
mod text;
mod writer;

pub mod comparison;
pub mod github;
pub mod go_test;
pub mod html;
pub mod junit;
pub mod load;
pub mod markdown;
pub mod matrix;
pub mod recorded;
pub mod tap;
pub mod terminal;
pub mod timeline;

pub use check::{Check, Exchange, Failure, Level, Severity, Verdict};
pub use comparison::{Change, Column, Comparison, Difference, compare};
pub use coverage::{BothWays, Chapter, Coverage, Operations, Requirements, Share, Tally};
pub use event::{Ending, Event, Reporter};
pub use moment::{parse_rfc_3339, rfc_3339};
pub use progress::Terminal;
pub use reading::ReadError;
pub use record::{FORMAT, Header, Kind, Machine, Outcome, Record, Releases, Target};
pub use rendering::{Rendering, UnknownRendering};
pub use style::Style;
pub use summary::Summary;
pub use writer::RecordWriter;
