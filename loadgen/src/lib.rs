//! Open-loop load: arrivals that do not wait for the server, so that its delays cannot hide.
//!
//! [`schedule`] says when requests are due. What is due is sent whether or not earlier requests have been answered, and
//! latency counts from the moment it was due.

pub mod schedule;
