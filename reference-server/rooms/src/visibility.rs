//! Which events a user may see (client-server-api/#room-history-visibility).

use super::event::Pdu;
use super::state::StateLookup;

/// Who may see the events that are sent while it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryVisibility {
    /// Everybody, members or not.
    WorldReadable,
    /// Members, also those who join later.
    Shared,
    /// Members and those who are invited.
    Invited,
    /// Members.
    Joined,
}

impl HistoryVisibility {
    /// The visibility in a state; `shared` if nothing else is understood.
    pub fn of(state: &impl StateLookup) -> Self {
        state.find("m.room.history_visibility", "").map_or(Self::Shared, Self::set_by)
    }

    fn set_by(event: &Pdu) -> Self {
        match event.content_str("history_visibility") {
            Some("world_readable") => Self::WorldReadable,
            Some("invited") => Self::Invited,
            Some("joined") => Self::Joined,
            _ => Self::Shared,
        }
    }

    fn shows(self, membership: &str, joined_later: bool) -> bool {
        match (self, membership) {
            (Self::WorldReadable, _) | (_, "join") => true,
            (Self::Invited, "invite") => true,
            (Self::Shared, _) => joined_later,
            _ => false,
        }
    }
}

/// Whether a user may see an event.
///
/// `before` is the state before the event; `joined_later` says whether the user joined at any point after it
/// was sent. A change of visibility, or of the user's own membership, is seen by those whom either side of it lets see.
pub fn may_see(event: &Pdu, user_id: &str, before: &impl StateLookup, joined_later: bool) -> bool {
    let visibility = HistoryVisibility::of(before);
    let membership = before.membership(user_id);
    if visibility.shows(membership, joined_later) {
        return true;
    }
    if event.is_state("m.room.history_visibility", "") {
        return HistoryVisibility::set_by(event).shows(membership, joined_later);
    }
    if event.is_state("m.room.member", user_id) {
        return visibility.shows(event.content_str("membership").unwrap_or("leave"), joined_later);
    }
    false
}
