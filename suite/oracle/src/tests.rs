//! Tests of the oracle: small rooms made by hand, and what must hold of any.

mod auth_events;
mod event;
mod numbers;
mod power_levels;
mod properties;
mod receipt;
mod resolution;
mod resolution_v1;
mod resolution_v2_1;
mod room;
mod rules;
mod scene;
mod versions;

const ALICE: &str = "@alice:a.example";
const BOB: &str = "@bob:b.example";
const CAROL: &str = "@carol:c.example";
const DAVE: &str = "@dave:d.example";
