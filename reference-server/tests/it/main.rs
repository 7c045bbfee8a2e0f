//! The reference server as its clients see it: every test starts one and speaks HTTP.
#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod account_pages;
mod accounts;
mod addresses;
mod application_services;
mod client;
mod deprecated_syncing;
mod encryption;
mod federation;
mod further;
mod loopback;
mod media;
mod moderation;
mod notifications;
mod oauth;
mod presence;
mod previews;
mod pushers;
mod rate_limits;
mod requests;
mod rooms;
mod search;
mod sync;
mod sync_tokens;
mod voice_over_ip;
