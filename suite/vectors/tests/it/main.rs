//! What is published under `fixtures/vectors`, written down scene by scene, and held against every judge at hand.
//!
//! `DETERMINANT_WRITE_VECTORS=1 cargo test -p vectors` writes the files anew; without it, they have to be what the
//! scenes make.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authorization;
mod properties;
mod published;
mod resolution;
