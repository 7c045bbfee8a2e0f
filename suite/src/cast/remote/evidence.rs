//! Whether the events that the server under test sends are as they must be: format, hashes and signatures
//! (`server-server-api/#signing-events`).

use protocol::{
    Object, RoomVersion,
    event::{Counts, Integrity, check_format, event_id, verify},
};
use serde_json::Value;

use super::{
    house::House,
    question::{Asked, Question},
};

/// What is wrong with an event of the request; nothing where the request carries none.
pub(super) fn of(house: &House, asked: &Asked) -> Option<Result<(), String>> {
    let (version, events): (_, Vec<&Value>) = match asked.question? {
        Question::Transaction => (None, asked.pdus().iter().collect()),
        Question::SendJoin | Question::SendKnock | Question::SendLeave | Question::InviteV1 => {
            (None, vec![&asked.json])
        }
        Question::Invite => (asked.json["room_version"].as_str(), vec![&asked.json["event"]]),
        _ => return None,
    };
    let judged = events.into_iter().filter_map(|event| {
        let event = event.as_object()?;
        let room = event.get("room_id").and_then(Value::as_str).unwrap_or_default();
        let version = version.and_then(RoomVersion::find);
        let version = version.or_else(|| house.room(room).map(|room| room.version()))?;
        Some(
            judged(house, event, version)
                .map_err(|problem| format!("{problem}: {}", Value::from(event.clone()))),
        )
    });
    judged.reduce(Result::and)
}

fn judged(house: &House, event: &Object, version: &'static RoomVersion) -> Result<(), String> {
    check_format(event, version, Counts::Limited)
        .map_err(|error| format!("an event of wrong format: {error}"))?;
    event_id(event, version).map_err(|error| format!("an event without an id: {error}"))?;
    let sender = event.get("sender").and_then(Value::as_str).unwrap_or_default();
    // Another server's event may be passed on; its signature is that server's affair.
    let Some(peer) = &house.peer else { return Ok(()) };
    if protocol::identifiers::server_name_of(sender) != Some(&peer.server_name) {
        return Ok(());
    }
    match verify(event, version, &peer.ring) {
        Ok(Integrity::Intact) => Ok(()),
        Ok(Integrity::OnlyRedacted) => Err("an event whose content hash is wrong".to_owned()),
        // The authoriser of a restricted join signs after the joining server.
        Err(_) if authorised_elsewhere(&peer.server_name, event) => Ok(()),
        Err(error) => Err(format!("an event that does not verify: {error}")),
    }
}

fn authorised_elsewhere(peer: &str, event: &Object) -> bool {
    let authoriser =
        event.get("content").and_then(|content| content["join_authorised_via_users_server"].as_str());
    authoriser.and_then(protocol::identifiers::server_name_of).is_some_and(|server| server != peer)
}
