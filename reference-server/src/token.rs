//! Opaque strings that nobody can guess, and the form in which they are kept.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz0123456";

/// A random string of `length` characters (five bits each) that needs no escaping in a path.
///
/// # Panics
/// When the operating system has no randomness to give: nothing secret could be made then.
pub(crate) fn opaque(length: usize) -> String {
    let mut bytes = vec![0; length];
    #[allow(clippy::expect_used, reason = "a server without randomness must not go on")]
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// A random device id in the customary form: ten capitals.
pub(crate) fn device_id() -> String {
    opaque(10).to_ascii_uppercase()
}

/// Tokens are kept as digests: whoever reads the database can not act for its users.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
