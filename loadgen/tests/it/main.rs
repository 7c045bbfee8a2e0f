//! The load harness against a server that can be told to misbehave.

mod failing;
mod stub;
