//! The Server-Server API: one file for each chapter of the specification.

use std::collections::BTreeSet;

use protocol::{
    Object, RoomVersion, event,
    room_version::{EventIdFormat, V1, V3, V4, V6, V11, V12},
};
use serde_json::{Value, json};

use crate::{cast::Answer, verdict::Stop};

pub(crate) mod authorization;
pub(crate) mod backfilling_and_retrieving_missing_events;
pub(crate) mod checks_performed_on_receipt_of_a_pdu;
pub(crate) mod content_repository;
pub(crate) mod delegation;
pub(crate) mod device_management;
pub(crate) mod end_to_end_encryption;
pub(crate) mod following_device_lists;
pub(crate) mod inviting_by_v1;
pub(crate) mod inviting_by_v2;
pub(crate) mod inviting_to_a_room;
pub(crate) mod joining_rooms;
pub(crate) mod knocking_rooms;
pub(crate) mod leaving_rooms;
pub(crate) mod openid;
pub(crate) mod outgoing_requests;
pub(crate) mod pdus;
pub(crate) mod policy_servers;
pub(crate) mod presence;
pub(crate) mod published_room_directory;
pub(crate) mod querying_for_information;
pub(crate) mod receipts;
pub(crate) mod request_authentication;
pub(crate) mod resolving_server_names;
pub(crate) mod restricted_rooms;
pub(crate) mod retrieving_events;
pub(crate) mod retrieving_server_keys;
pub(crate) mod send_join;
pub(crate) mod send_to_device_messaging;
pub(crate) mod server_access_control_lists;
pub(crate) mod server_discovery;
pub(crate) mod server_implementation;
pub(crate) mod signing_keys;
pub(crate) mod spaces;
pub(crate) mod third_party_invites;
pub(crate) mod transactions;
pub(crate) mod typing_notifications;

/// Every room version; tests stop where the server does not offer it.
fn room_versions() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter()
}

/// The room versions that changed the format of events, ids or redactions.
fn event_formats() -> impl Iterator<Item = &'static RoomVersion> {
    [&V1, &V3, &V4, &V6, &V11, &V12].into_iter()
}

/// Those of them in which the id of an event is its hash.
fn event_formats_with_hashed_ids() -> impl Iterator<Item = &'static RoomVersion> {
    event_formats().filter(|version| version.event_id != EventIdFormat::Domain)
}

/// What is wrong with the events by which a room is described to those outside: each has the format of the room's version.
fn misformatted(described: &Value, version: &RoomVersion) -> Option<String> {
    let judged = |event: &Value| {
        let object = event.as_object().ok_or_else(|| "no object".to_owned())?;
        event::check_format(object, version, event::Counts::Limited).map_err(|error| error.to_string())?;
        event::event_id(object, version).map(drop).map_err(|error| error.to_string())
    };
    let events = described.as_array().map_or(&[][..], Vec::as_slice);
    events.iter().find_map(|event| judged(event).err().map(|problem| format!("{problem}: {event}")))
}

/// The ids of the events that stand there, computed from what they hold.
fn event_ids(answer: &Answer, pointer: &str, version: &RoomVersion) -> Result<BTreeSet<String>, Stop> {
    let id = |pdu: &Value| {
        let id = pdu.as_object().and_then(|pdu| event::event_id(pdu, version).ok());
        id.ok_or_else(|| Stop::unmet_by(answer.exchange(), format!("events at {pointer}"), pdu.to_string()))
    };
    answer.must_have_list(pointer)?.iter().map(id).collect()
}

/// The strings that stand there.
fn texts(answer: &Answer, pointer: &str) -> Result<BTreeSet<String>, Stop> {
    let strings = answer.must_have_list(pointer)?.iter().filter_map(Value::as_str);
    Ok(strings.map(str::to_owned).collect())
}

/// Makes of the event of a handshake something else.
fn spoil(event: &mut Object, defect: &str, other: &str) {
    match defect {
        "type" => drop(event.insert("type".to_owned(), json!("m.room.topic"))),
        "membership" => event["content"]["membership"] = json!("ban"),
        "sender of another server" => {
            event.insert("sender".to_owned(), json!(other));
            event.insert("state_key".to_owned(), json!(other));
        }
        "state_key of another user" => drop(event.insert("state_key".to_owned(), json!(other))),
        "no state_key" => drop(event.remove("state_key")),
        _ => {}
    }
}

/// What is wrong in a proposal.
fn proposal_defects() -> impl Iterator<Item = &'static str> {
    ["room_id", "sender", "state_key", "type", "membership"].into_iter()
}

/// Makes of a proposal another one.
fn distort(event: &mut Value, defect: &str, other: &str) {
    match defect {
        "room_id" => event["room_id"] = json!("!elsewhere:example.org"),
        "sender" => event["sender"] = json!(other),
        "state_key" => event["state_key"] = json!(other),
        "type" => event["type"] = json!("m.room.power_levels"),
        _ => event["content"]["membership"] = json!("ban"),
    }
}

/// Whether an event followed a distorted proposal.
fn is_distorted(event: &Value, defect: &str, room: &str, user: &str, membership: &str) -> bool {
    match defect {
        "room_id" => event["room_id"] != room,
        "sender" | "state_key" => event[defect] != user,
        "type" => event["type"] != "m.room.member",
        _ => event["content"]["membership"] != membership,
    }
}
