//! Any JSON, where an event, its auth events and the state of its room should be.

fn main() {
    afl::fuzz!(|input: &[u8]| hostile::rules::check(input));
}
