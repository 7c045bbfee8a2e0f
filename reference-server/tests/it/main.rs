//! The reference server as its clients see it: every test starts one and speaks HTTP.
#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod accounts;
mod client;
mod encryption;
mod federation;
mod further;
mod notifications;
mod presence;
mod requests;
mod rooms;
mod sync;
mod sync_tokens;
