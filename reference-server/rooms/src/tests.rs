//! Tests of the pipeline, over rooms whose state is given rather than earned.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod auth_events;
mod creation;
mod levels;
mod lifecycle;
mod membership;
mod messages;
mod numbers;
mod properties;
mod room;
mod visibility;
