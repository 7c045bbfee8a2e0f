//! Room rules put to any implementation: published vectors and generated histories, over standard input and output.
//!
//! A [`Question`] has one right [`Answer`]. Published ones are read from `fixtures/vectors`, whose README is the
//! description of both; generated ones get their answer from the oracle. [`Room`] makes the events that they are
//! about.
//!
//! | module | holds |
//! |---|---|
//! | [`question`], [`answer`] | what goes over the wire |
//! | [`file`](mod@file), [`published`] | files of vectors, and those that the binary carries |
//! | [`run`](mod@run) | putting them to an implementation |
//! | [`expected`] | the oracle's answer to a question |
//! | [`agreement`] | where two answers differ |
//! | [`respondent`], [`adapter`](mod@adapter) | the two ends of the wire |
//! | [`tally`], [`telling`] | what came of many questions, and how people are told |
//! | [`room`] | events with real ids, hashes and signatures |
//! | [`history`] | rooms grown at random, and what they ask |
//! | [`fuzz`](mod@fuzz) | putting those to an implementation |

pub mod adapter;
pub mod agreement;
pub mod answer;
pub mod expected;
pub mod file;
pub mod fuzz;
pub mod history;
pub mod published;
pub mod question;
pub mod respondent;
pub mod room;
pub mod run;
pub mod tally;
pub mod telling;

pub use answer::Answer;
pub use question::{Question, Text};
pub use room::{Draft, Room};
