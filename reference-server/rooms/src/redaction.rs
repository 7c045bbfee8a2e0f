//! Whether a redaction takes effect on the event that it names (rooms/v3/#handling-redactions).

use protocol::identifiers::server_name_of;

use super::event::Pdu;
use super::power_levels::{Level, PowerLevels};
use super::state::StateLookup;

/// Whether an accepted redaction applies to its target, given the state before the redaction.
///
/// In room versions 1 and 2 authorization has already decided; later it lets redactions through that take no
/// effect, and clients must not see those until they do.
pub fn applies(redaction: &Pdu, target: &Pdu, state: &impl StateLookup) -> bool {
    let version = redaction.version();
    if redaction.redacts() != Some(target.event_id()) || redaction.room_id() != target.room_id() {
        return false;
    }
    let levels = PowerLevels::of(version, state);
    version.redaction_is_authorized
        || levels.user(redaction.sender()).reaches(levels.level(Level::Redact))
        || server_name_of(redaction.sender()) == server_name_of(target.sender())
}
