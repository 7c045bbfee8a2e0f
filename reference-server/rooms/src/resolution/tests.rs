//! Tests of state resolution, over rooms whose forks are drawn by hand or by chance.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod chains;
mod hostile;
mod properties;
mod room;
mod telling;
mod v1;
mod v2;
mod v2_1;
