//! Open-loop load: arrivals that do not wait for the server, so that its delays cannot hide.
//!
//! [`schedule`] says when requests are due, [`engine`] begins them then, whether or not earlier ones have been answered,
//! and [`recorder`] counts what came of each, from the moment at which it was due. A [`profile`] says who does what how
//! often; its [`population`] is made beforehand, and so is what the scripted servers of a [`federation`] send. [`run`] puts it all together against one server and gives the
//! record; [`objective`] says what is demanded of it.

pub mod capacity;
pub mod connection;
pub mod engine;
pub mod federation;
pub mod homes;
pub mod ledger;
pub mod machine;
pub mod merge;
pub mod objective;
pub mod operation;
pub mod pacer;
pub mod population;
pub mod profile;
pub mod prometheus;
pub mod recorder;
pub mod run;
pub mod schedule;
pub mod sync;

mod client;
mod journey;
mod message;
mod request;
mod resource;
mod switchboard;

pub use client::Calls;
