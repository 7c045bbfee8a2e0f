//! What a remote answers about rooms: `server-server-api/#joining-rooms` and what follows there.

use protocol::{Object, RoomVersion, event};
use serde_json::{Value, json};

use super::{
    draft::{Pdu, now_ms},
    house::House,
    question::{Asked, Question},
    reply::Reply,
    room::Room,
};

/// How many events one answer carries at most, whatever is asked for.
const MOST_EVENTS: usize = 100;

/// `server-server-api/#transactions`: keeps what it can place, and finds nothing wrong.
pub(super) fn transaction(house: &House, asked: &Asked) -> Reply {
    for pdu in asked.pdus() {
        let known = pdu["room_id"].as_str().and_then(|room| house.room(room));
        if let (Some(room), Some(pdu)) = (known, pdu.as_object())
            && let Ok(pdu) = room.read(pdu.clone())
        {
            room.keep_any(&pdu);
        }
    }
    Reply::json(json!({"pdus": {}}))
}

/// `make_join`, `make_leave` and `make_knock`.
pub(super) fn make(house: &House, asked: &Asked, membership: &str) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let version = room.version();
    if membership != "leave" && !asked.parameters("ver").iter().any(|offered| offered == version.id) {
        let refusal = Reply::error(400, "M_INCOMPATIBLE_ROOM_VERSION");
        return refusal.altered(|body| body["room_version"] = json!(version.id));
    }
    let user = asked.parameter("userId");
    let mut draft = room.member(user, membership);
    if membership == "join" && is_admitted_by_rule(house, &room, user) {
        let authoriser = json!({"membership": "join", "join_authorised_via_users_server": room.speaker()});
        draft = draft.with("content", authoriser);
        return template(&room, draft.template());
    }
    match draft.template() {
        Ok(event) if !room.held().permits(&event) => Reply::error(403, "M_FORBIDDEN"),
        event => template(&room, event),
    }
}

fn template(room: &Room, event: Result<Object, crate::verdict::Stop>) -> Reply {
    match event {
        Ok(event) => Reply::json(json!({"room_version": room.version().id, "event": event})),
        Err(_) => Reply::error(500, "M_UNKNOWN"),
    }
}

/// `server-server-api/#restricted-rooms`: a user who is not invited, and is a member of a room that the rule names.
fn is_admitted_by_rule(house: &House, room: &Room, user: &str) -> bool {
    let membership =
        room.state("m.room.member", user).map(|event| event.json()["content"]["membership"].clone());
    let rules = room.state("m.room.join_rules", "").map(|event| event.json()["content"].clone());
    let rules = rules.unwrap_or_default();
    if !matches!(rules["join_rule"].as_str(), Some("restricted" | "knock_restricted"))
        || membership.is_some_and(|membership| matches!(membership.as_str(), Some("invite" | "join")))
    {
        return false;
    }
    let named = rules["allow"].as_array().into_iter().flatten().filter_map(|rule| rule["room_id"].as_str());
    let joined = |room: Room| {
        room.state("m.room.member", user).is_some_and(|event| event.json()["content"]["membership"] == "join")
    };
    named.filter_map(|id| house.room(id)).any(joined)
}

/// `send_join`, `send_leave` and `send_knock`.
pub(super) fn send(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let Some(mut json) = asked.json.as_object().cloned() else { return Reply::error(400, "M_BAD_JSON") };
    if asked.question == Some(Question::SendJoin) {
        let _ = event::sign(&mut json, &house.identity.name, &house.identity.key, room.version());
    }
    let Ok(pdu) = room.read(json) else { return Reply::error(400, "M_INVALID_PARAM") };
    let before = {
        let held = room.held();
        let state = held.read(pdu.id(), pdu.json().clone()).and_then(|event| held.state_before(&event));
        state.map(|state| state.into_values().collect::<Vec<String>>()).unwrap_or_default()
    };
    if !matches!(room.keep_any(&pdu), Some(oracle::Receipt::Accepted)) {
        return Reply::error(403, "M_FORBIDDEN");
    }
    match asked.question {
        Some(Question::SendJoin) => {
            let held = room.held();
            let auth_chain = held.auth_chain(before.iter().chain([&pdu.id().to_owned()]));
            Reply::json(json!({
                "origin": house.identity.name,
                "event": pdu.json(),
                "state": events(&held, &before),
                "auth_chain": events(&held, &auth_chain),
                "members_omitted": false,
            }))
        }
        Some(Question::SendKnock) => Reply::json(json!({"knock_room_state": invitation_state(&room)})),
        _ => Reply::json(json!({})),
    }
}

/// What somebody outside of a room is shown of it: `client-server-api/#stripped-state`.
pub(super) fn invitation_state(room: &Room) -> Vec<Value> {
    const KINDS: [&str; 7] = [
        "m.room.create",
        "m.room.name",
        "m.room.avatar",
        "m.room.topic",
        "m.room.join_rules",
        "m.room.canonical_alias",
        "m.room.encryption",
    ];
    KINDS.iter().filter_map(|kind| room.state(kind, "")).map(|event| event.value()).collect()
}

/// `server-server-api/#put_matrixfederationv2inviteroomideventid`: signs it.
pub(super) fn invite(house: &House, asked: &Asked) -> Reply {
    let is_v1 = asked.question == Some(Question::InviteV1);
    let version = asked.json["room_version"].as_str().unwrap_or("1");
    let Some(version) = RoomVersion::find(version) else {
        return Reply::error(400, "M_INCOMPATIBLE_ROOM_VERSION");
    };
    let invite = if is_v1 { &asked.json } else { &asked.json["event"] };
    let Some(mut invite) = invite.as_object().cloned() else { return Reply::error(400, "M_BAD_JSON") };
    if event::sign(&mut invite, &house.identity.name, &house.identity.key, version).is_err() {
        return Reply::error(400, "M_BAD_JSON");
    }
    let answer = json!({"event": invite});
    Reply::json(if is_v1 { json!([200, answer]) } else { answer })
}

/// `server-server-api/#get_matrixfederationv1stateroomid`
pub(super) fn state(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let held = room.held();
    let Some(state) = held.state_ids_before(asked.parameter("event_id")) else {
        return Reply::error(404, "M_NOT_FOUND");
    };
    let auth_chain = held.auth_chain(&state);
    Reply::json(json!({"pdus": events(&held, &state), "auth_chain": events(&held, &auth_chain)}))
}

/// `server-server-api/#get_matrixfederationv1state_idsroomid`
pub(super) fn state_ids(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let held = room.held();
    match held.state_ids_before(asked.parameter("event_id")) {
        Some(state) => Reply::json(json!({"pdu_ids": state, "auth_chain_ids": held.auth_chain(&state)})),
        None => Reply::error(404, "M_NOT_FOUND"),
    }
}

/// `server-server-api/#get_matrixfederationv1eventeventid`
pub(super) fn event(house: &House, asked: &Asked) -> Reply {
    let rooms: Vec<Room> = house.belongings().rooms.values().cloned().collect();
    let id = asked.parameter("eventId");
    match rooms.iter().find_map(|room| room.held().get(id).cloned()) {
        Some(event) => Reply::json(wrapped(house, json!([event]))),
        None => Reply::error(404, "M_NOT_FOUND"),
    }
}

/// `server-server-api/#get_matrixfederationv1event_authroomideventid`
pub(super) fn event_auth(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let held = room.held();
    let auth_chain = held.auth_chain([&asked.parameter("eventId").to_owned()]);
    Reply::json(json!({"auth_chain": events(&held, &auth_chain)}))
}

/// `server-server-api/#get_matrixfederationv1backfillroomid`
pub(super) fn backfill(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let limit = asked.parameter("limit").parse().unwrap_or(MOST_EVENTS).min(MOST_EVENTS);
    let held = room.held();
    let found = held.backwards(&asked.parameters("v"), limit);
    Reply::json(wrapped(house, events(&held, &found)))
}

/// `server-server-api/#post_matrixfederationv1get_missing_eventsroomid`
pub(super) fn missing_events(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let ids = |name: &str| -> Vec<String> {
        let listed = asked.json[name].as_array().into_iter().flatten();
        listed.filter_map(|id| id.as_str().map(str::to_owned)).collect()
    };
    let limit = asked.json["limit"].as_u64().unwrap_or(10).min(MOST_EVENTS as u64);
    let held = room.held();
    let found = held.between(&ids("earliest_events"), &ids("latest_events"), limit as usize);
    Reply::json(json!({"events": events(&held, &found)}))
}

/// `server-server-api/#get_matrixfederationv1timestamp_to_eventroomid`
pub(super) fn event_by_timestamp(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let Ok(wanted) = asked.parameter("ts").parse::<i64>() else {
        return Reply::error(400, "M_INVALID_PARAM");
    };
    let forwards = asked.parameter("dir") == "f";
    let held = room.held();
    let time = |event: &Object| event.get("origin_server_ts").and_then(Value::as_i64).unwrap_or_default();
    let candidates = held.all().map(|(id, event)| (time(event), id));
    let found = if forwards {
        candidates.filter(|(time, _)| *time >= wanted).min()
    } else {
        candidates.filter(|(time, _)| *time <= wanted).max()
    };
    match found {
        Some((time, id)) => Reply::json(json!({"event_id": id, "origin_server_ts": time})),
        None => Reply::error(404, "M_NOT_FOUND"),
    }
}

/// `server-server-api/#get_matrixfederationv1hierarchyroomid`
pub(super) fn hierarchy(house: &House, asked: &Asked) -> Reply {
    let Some(room) = house.room(asked.parameter("roomId")) else { return Reply::error(404, "M_NOT_FOUND") };
    let state = room.current_state().unwrap_or_default();
    let links = state.iter().filter(|event| event.json()["type"] == "m.space.child");
    let ids = links.filter_map(|event| event.json()["state_key"].as_str().map(str::to_owned));
    let children: Vec<Value> = ids.filter_map(|id| house.room(&id)).map(|room| summary(&room)).collect();
    Reply::json(json!({"room": summary(&room), "children": children, "inaccessible_children": []}))
}

/// `server-server-api/#published-room-directory`
pub(super) fn public_rooms(house: &House) -> Reply {
    let published = house.belongings().published.clone();
    let chunk: Vec<Value> =
        published.iter().filter_map(|id| house.room(id)).map(|room| summary(&room)).collect();
    Reply::json(json!({"total_room_count_estimate": chunk.len(), "chunk": chunk}))
}

/// A room as directories and hierarchies describe it.
fn summary(room: &Room) -> Value {
    let state = room.current_state().unwrap_or_default();
    let joined = state.iter().filter(|event| event.json()["content"]["membership"] == "join").count();
    let content =
        |kind: &str, name: &str| room.state(kind, "").map(|event| event.json()["content"][name].clone());
    let strip = |event: &Pdu| {
        let json = event.json();
        json!({
            "type": json["type"], "state_key": json["state_key"], "content": json["content"],
            "sender": json["sender"], "origin_server_ts": json["origin_server_ts"],
        })
    };
    let links = state.iter().filter(|event| event.json()["type"] == "m.space.child").map(strip);
    let conditions = content("m.room.join_rules", "allow").unwrap_or_default();
    let allowed = conditions.as_array().into_iter().flatten().filter_map(|rule| rule["room_id"].as_str());
    let mut summary = json!({
        "room_id": room.id(),
        "num_joined_members": joined,
        "world_readable": content("m.room.history_visibility", "history_visibility") == Some(json!("world_readable")),
        "guest_can_join": false,
        "join_rule": content("m.room.join_rules", "join_rule"),
        "room_version": room.version().id,
        "children_state": links.collect::<Vec<_>>(),
        "allowed_room_ids": allowed.collect::<Vec<_>>(),
    });
    for (key, kind, name) in [
        ("name", "m.room.name", "name"),
        ("topic", "m.room.topic", "topic"),
        ("room_type", "m.room.create", "type"),
        ("canonical_alias", "m.room.canonical_alias", "alias"),
    ] {
        if let Some(value) = content(kind, name).filter(Value::is_string) {
            summary[key] = value;
        }
    }
    summary
}

fn wrapped(house: &House, pdus: Value) -> Value {
    json!({"origin": house.identity.name, "origin_server_ts": now_ms(), "pdus": pdus})
}

fn events<'a>(held: &super::held::Held, ids: impl IntoIterator<Item = &'a String>) -> Value {
    ids.into_iter().filter_map(|id| held.get(id)).map(|event| Value::Object(event.clone())).collect()
}
