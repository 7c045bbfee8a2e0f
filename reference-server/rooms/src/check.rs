//! The checks on receipt that need no other event: format, signatures, content hash
//! (server-server-api/#checks-performed-on-receipt-of-a-pdu, steps 1 to 3).

use protocol::event::{self, Counts, EventError, FormatError, Integrity};
use protocol::keys::KeyRing;
use protocol::{Object, RoomVersion, redaction};

use super::event::{Malformed, Pdu};

/// Why an event that arrived is dropped without a trace.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// It has not the format of the room version.
    #[error("event is malformed: {0}")]
    Format(#[from] FormatError),
    /// A signature that it needs is missing or wrong.
    #[error("event is not signed as it must be: {0}")]
    Signatures(#[from] EventError),
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Checks an event that arrived from another server.
///
/// If the content hash does not match, what comes back is the redacted event. `keys` must hold the keys of
/// [`protocol::event::required_signers`], as far as they can be had.
pub fn receive(
    object: Object,
    version: &'static RoomVersion,
    keys: &KeyRing,
    counts: Counts,
) -> Result<Pdu, Dropped> {
    event::check_format(&object, version, counts)?;
    let object = match event::verify(&object, version, keys)? {
        Integrity::Intact => object,
        Integrity::OnlyRedacted => redaction::redact(&object, &version.redaction),
    };
    Ok(Pdu::parse(object, version)?)
}
