//! Rooms that let members of other rooms in: server-server-api/#restricted-rooms.

use http::StatusCode;
use protocol::RoomVersion;
use protocol::identifiers::server_name_of;
use serde_json::Value;

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::rooms::power_levels::{Level, PowerLevels};
use crate::rooms::state::StateLookup;
use crate::timeline::Record;

/// Why a join of a restricted room is not vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unauthorised {
    /// The user meets none of the conditions.
    Fails,
    /// This server is not in the rooms that the conditions name.
    CannotTell,
    /// The user meets a condition, but nobody of this server in the room may invite.
    CannotGrant,
}

/// The user who vouches for a join, if the room asks for one.
pub(crate) fn authoriser(
    server: &Homeserver,
    record: &Record,
    version: &RoomVersion,
    user_id: &str,
) -> Result<Option<String>, Unauthorised> {
    let state = record.history.now();
    let rule = state.find("m.room.join_rules", "").and_then(|rules| rules.content_str("join_rule"));
    let restricted = match rule {
        Some("restricted") => version.restricted,
        Some("knock_restricted") => version.knock_restricted,
        _ => false,
    };
    if !restricted || matches!(state.membership(user_id), "invite" | "join" | "ban") {
        return Ok(None);
    }
    meets_condition(server, record, user_id)
        .or_else(|why| if commits(Fault::RestrictedConditionsIgnored) { Ok(()) } else { Err(why) })?;
    let levels = PowerLevels::of(version, &state);
    let can_invite = |user_id: &&str| {
        server_name_of(user_id) == Some(server.name())
            && levels.user(user_id).reaches(levels.level(Level::Invite))
    };
    let authoriser = record.joined().find(can_invite).ok_or(Unauthorised::CannotGrant)?;
    Ok(Some(authoriser.to_owned()))
}

fn meets_condition(server: &Homeserver, record: &Record, user_id: &str) -> Result<(), Unauthorised> {
    let state = record.history.now();
    let conditions = state.find("m.room.join_rules", "").and_then(|rules| rules.content("allow")?.as_array());
    let mut can_tell = true;
    for condition in conditions.into_iter().flatten() {
        if condition.get("type").and_then(Value::as_str) != Some("m.room_membership") {
            continue;
        }
        let Some(room_id) = condition.get("room_id").and_then(Value::as_str) else { continue };
        let room = server.timelines.find(room_id);
        match room.as_ref().map(|room| room.record()) {
            Some(other) if other.has_server(server.name()) => {
                if other.membership(user_id) == "join" {
                    return Ok(());
                }
            }
            _ => can_tell = false,
        }
    }
    Err(if can_tell { Unauthorised::Fails } else { Unauthorised::CannotTell })
}

impl From<Unauthorised> for MatrixError {
    fn from(reason: Unauthorised) -> Self {
        let bad_request = |code: &'static str, message| Self::new(StatusCode::BAD_REQUEST, code, message);
        match reason {
            Unauthorised::Fails => {
                Self::forbidden("join one of the rooms that this room lets members in from")
            }
            Unauthorised::CannotTell => bad_request(
                "M_UNABLE_TO_AUTHORISE_JOIN",
                "this server is not in the rooms that this room lets members in from",
            ),
            Unauthorised::CannotGrant => bad_request(
                "M_UNABLE_TO_GRANT_JOIN",
                "nobody of this server who may invite is in the room to vouch for you",
            ),
        }
    }
}
