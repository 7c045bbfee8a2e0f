//! The rules on `m.room.create`, which are the same for every state.

use protocol::RoomVersion;
use protocol::identifiers::{UserId, server_name_of};
use protocol::room_version::RoomIdFormat;
use serde_json::Value;

use super::{Rule, reject_if};
use crate::event::Pdu;

pub(super) fn check(event: &Pdu) -> Result<(), Rule> {
    let version = event.version();
    reject_if(!event.prev_events().is_empty(), Rule::CreateHasPreviousEvents)?;
    match version.room_id {
        RoomIdFormat::Domain => {
            let is_own = server_name_of(event.room_id()) == server_name_of(event.sender());
            reject_if(!is_own, Rule::CreateRoomIdDomain)?;
        }
        RoomIdFormat::CreateEvent => {
            reject_if(event.object().contains_key("room_id"), Rule::CreateHasRoomId)?;
        }
    }
    if let Some(named) = event.content("room_version") {
        reject_if(named.as_str().and_then(RoomVersion::find).is_none(), Rule::CreateRoomVersion)?;
    }
    if version.creator_in_content {
        reject_if(event.content("creator").is_none(), Rule::CreateWithoutCreator)?;
    }
    if let Some(creators) = event.content("additional_creators").filter(|_| version.privileged_creators) {
        reject_if(!are_user_ids(creators), Rule::CreateAdditionalCreators)?;
    }
    Ok(())
}

fn are_user_ids(value: &Value) -> bool {
    let is_user_id = |id: &Value| id.as_str().is_some_and(|id| UserId::parse(id).is_ok());
    value.as_array().is_some_and(|ids| ids.iter().all(is_user_id))
}
