//! Opaque strings that nobody can guess, and the form in which they are kept.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz0123456";

/// A random string of `length` characters (five bits each) that needs no escaping in a path.
///
/// # Panics
/// When the operating system has no randomness to give: nothing secret could be made then.
pub(crate) fn opaque(length: usize) -> String {
    random(length).iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    #[allow(clippy::expect_used, reason = "a server without randomness must not go on")]
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

/// A random device id in the customary form: ten capitals.
pub(crate) fn device_id() -> String {
    opaque(10).to_ascii_uppercase()
}

/// Tokens are kept as digests: whoever reads the database can not act for its users.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// A random number of `length` digits, for people who type it.
pub(crate) fn digits(length: usize) -> String {
    // Eight digits, not ten: 256 is a multiple of eight, so that all are equally likely.
    random(length).iter().map(|byte| char::from(b'1' + byte % 8)).collect()
}
