//! The checks on receipt that need no other event: format, signatures, content hash
//! (server-server-api/#checks-performed-on-receipt-of-a-pdu, steps 1 to 3).

use protocol::event::{self, Counts, EventError, FormatError, Integrity, POLICY_SERVER_KEY_ID};
use protocol::keys::KeyRing;
use protocol::{Object, RoomVersion, redaction, signatures};
use serde_json::Value;

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

/// Strikes out what servers signed that does not hold, so that only valid signatures are left for
/// [`authorize`](super::authorize::authorize) to find.
///
/// [`receive`] drops an event that lacks a signature which it needs. This is for events that come another way,
/// or are to be judged all the same.
pub fn strike_invalid_signatures(object: &mut Object, version: &RoomVersion, keys: &KeyRing) {
    let redacted = redaction::redact(object, &version.redaction);
    // A time beyond all bounds is after the end of every key.
    let sent_ts = object.get("origin_server_ts").and_then(Value::as_i64).unwrap_or(i64::MAX);
    let is_signed_by = |server_name: &str| {
        let verified = signatures::verify_as(version.canonical_json, &redacted, server_name, |key_id| {
            // A policy server's key says nothing about who sent the event.
            let published =
                keys.find(server_name, key_id).filter(|_| key_id.as_str() != POLICY_SERVER_KEY_ID)?;
            published.validity.covers(sent_ts, version.enforces_key_validity).then_some(published.key)
        });
        verified.is_ok()
    };
    if let Some(signatures) = object.get_mut("signatures").and_then(Value::as_object_mut) {
        signatures.retain(|server_name, _| is_signed_by(server_name));
    }
}
