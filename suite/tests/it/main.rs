//! Tests of the suite itself: awful tests, awful servers, and the rules that every test keeps.

mod awful_servers;
mod awful_tests;
mod coverage;
mod layout;
mod ledger;
mod puppet;
mod selftest;
mod tape;
mod targets;
