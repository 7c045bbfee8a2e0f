//! Any bytes, where JSON, an event, an identifier, a header or base64 should be.

fn main() {
    afl::fuzz!(|input: &[u8]| hostile::bytes::check(input));
}
