//! What no input may do to Determinant, put so that a fuzzer can try.
//!
//! The first byte of an input chooses the room version; the rest is the input proper. A panic is a finding, and so is
//! every broken promise below.
//!
//! | module | the input is | checked are |
//! |---|---|---|
//! | [`bytes`] | any bytes | what `protocol` reads: JSON, events, identifiers, headers, base64 |
//! | [`rules`] | a JSON array of events | that the oracle and the built-in server judge them alike |

pub mod bytes;
pub mod rules;

use protocol::RoomVersion;

/// The room version that an input is for, and the rest of it.
fn split(input: &[u8]) -> Option<(&'static RoomVersion, &[u8])> {
    let (first, rest) = input.split_first()?;
    Some((RoomVersion::ALL[usize::from(*first) % RoomVersion::ALL.len()], rest))
}
