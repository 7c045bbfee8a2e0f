//! `server-server-api/#pdus`: what events rest on, and events that a later state lets in.

use protocol::{
    RoomVersion,
    room_version::{StateResolution, V12},
};
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::{event_formats, room_versions};
use crate::{
    cast::{
        Homeserver, Remote, User,
        remote::{Pdu, Room},
    },
    path,
    verdict::{Stop, Verdict, must},
};

/// What a user does in a room.
fn acts() -> impl Iterator<Item = &'static str> {
    ["says something", "sets the topic", "invites", "kicks"].into_iter()
}

/// The server's own events refer, as what they rest on, to just the state that the text selects for them.
#[conformance(
    spec = "server-server-api/#auth-events-selection",
    level = Should,
    severity = Interop,
    each = acts,
    proves = ["server-server-api/auth-events-selection/1"]
)]
async fn auth_events_are_those_selected(hs: &Homeserver, act: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let id = alice.create_room(json!({"preset": "public_chat"})).await?;
    let remote = hs.remote().await?;
    let room = remote.joins(&id, "dave").await?;
    let dave = room.speaker().to_owned();
    alice.sees("dave", |sync| sync.has_membership(&id, &dave, "join")).await?;
    let like: fn(&Value) -> bool = match act {
        "says something" => {
            alice.say(&id, "resting on what?").await?;
            |event| event["type"] == "m.room.message"
        }
        "sets the topic" => {
            alice.set_state(&id, "m.room.topic", "", json!({"topic": "auth events"})).await?;
            |event| event["type"] == "m.room.topic"
        }
        "invites" => {
            let [bob] = hs.users().await?;
            alice.invite(&id, &bob).await?;
            |event| event["content"]["membership"] == "invite"
        }
        _ => {
            let body = json!({"user_id": dave});
            alice.post(path!("/_matrix/client/v3/rooms/{}/kick", id), body).await?;
            |event| event["content"]["membership"] == "leave"
        }
    };
    let event = remote.sees_event("the event", like).await?;
    let (named, selected) = room.auth_events_of(&event)?;
    must(named == selected, format!("the auth events {selected:?}"), || format!("{named:?}"))
}

/// In version 12, no event of the server rests on the create event, which the room id names.
#[conformance(
    spec = "rooms/v12/#authorisation-rules",
    level = Must,
    severity = Interop,
    since = "v1.16",
    proves = ["rooms/v12/authorisation-rules/4"]
)]
async fn version_12_rests_on_no_create_event(hs: &Homeserver) -> Verdict {
    hs.must_offer(&V12)?;
    let [alice] = hs.users().await?;
    let id = alice.create_room(json!({"preset": "public_chat", "room_version": "12"})).await?;
    let remote = hs.remote().await?;
    let join = remote.make_join(&id, &remote.user("dave"))?.await?.build()?;
    let answer = remote.hand_in("send_join", &id, &join)?.await?;
    alice.say(&id, "resting on what?").await?;
    let said = remote.sees_event("the message", |event| event["type"] == "m.room.message").await?;

    let create = json!(id.replacen('!', "$", 1));
    let rests_on_it =
        |event: &&Value| event["auth_events"].as_array().is_some_and(|ids| ids.contains(&create));
    let mut events: Vec<&Value> = vec![&said];
    events.extend(answer.must_have_list("/state")?);
    events.extend(answer.must_have_list("/auth_chain")?);
    let wrong = events.into_iter().find(rests_on_it);
    must(wrong.is_none(), format!("no event that rests on {create}"), || format!("{wrong:?}"))
}

/// The levels that a new room begins with are numbers, in the room versions too that take texts.
#[conformance(
    spec = "server-server-api/#definitions",
    level = Must,
    severity = Interop,
    each = room_versions,
    proves = ["server-server-api/definitions/1"]
)]
async fn first_levels_are_numbers(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"room_version": version.id})).await?;
    let levels = alice.state(&room, "m.room.power_levels", "").await?;
    let text = first_text(levels.json());
    levels.must(text.is_none(), "levels without texts", || format!("{text:?}"))
}

fn first_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.values().find_map(first_text),
        _ => None,
    }
}

/// The room versions that resolve state by the levels of senders.
fn later_versions() -> impl Iterator<Item = &'static RoomVersion> {
    event_formats().filter(|version| version.state_resolution != StateResolution::V1)
}

/// A room in which dave, who had lost his level, set the topic as if he had not, was soft-failed for it, and then got his level
/// back; and the event after both.
async fn restored(hs: &Homeserver, version: &'static RoomVersion) -> Result<(User, Remote, Room, Pdu), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let dave = remote.user("dave");
    remote.send(room.member(&dave, "join")).await?;
    let levels = room.state("m.room.power_levels", "").map(|event| event.json()["content"].clone());
    let mut levels = levels.unwrap_or_default();
    levels["users"][&dave] = json!(50);
    let fork = remote.send(room.state_event("m.room.power_levels", "", levels.clone())).await?;
    let topic = room.state_event("m.room.topic", "", json!({"topic": "by dave"})).by(&dave).after(&[&fork]);
    let topic = topic.build()?;
    let mut without = levels.clone();
    without["users"][&dave] = json!(0);
    let lost = remote.send(room.state_event("m.room.power_levels", "", without)).await?;
    alice.sees_event(room.id(), lost.id()).await?;
    remote.transmit(&[&topic]).await?;
    let regained = remote.send(room.state_event("m.room.power_levels", "", levels).after(&[&lost])).await?;
    room.keep_any(&topic);
    let merge = remote.send(room.message("all together").after(&[&topic, &regained])).await?;
    alice.sees_event(room.id(), merge.id()).await?;
    let resolved = room.state("m.room.topic", "").map(|event| event.id().to_owned());
    if resolved.as_deref() != Some(topic.id()) {
        return Err(Stop::Fault(format!("the topic should be {}, not {resolved:?}", topic.id())));
    }
    Ok((alice, remote, room, topic))
}

/// An event that was soft-failed takes part in the state, once events refer to it and the levels are as it needs them.
#[conformance(
    spec = "server-server-api/#soft-failure",
    level = Must,
    severity = Interop,
    each = later_versions,
    proves = ["server-server-api/soft-failure/1"]
)]
async fn soft_failed_event_takes_part(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, _remote, room, _) = restored(hs, version).await?;
    alice.state(room.id(), "m.room.topic", "").await?.must_hold("/topic", "by dave")
}

/// An event that was soft-failed is told to clients when it becomes part of the state.
#[conformance(
    spec = "server-server-api/#soft-failure",
    level = Should,
    severity = Usability,
    proves = ["server-server-api/soft-failure/5"]
)]
async fn soft_failed_event_is_told_when_it_counts(hs: &Homeserver) -> Verdict {
    let (alice, _remote, room, topic) = restored(hs, &protocol::room_version::V11).await?;
    let sync = alice.initial_sync().await?;
    let is_topic = |event: &Value| event["event_id"] == topic.id();
    let told = sync.state(room.id()).iter().any(is_topic) || sync.timeline(room.id()).iter().any(is_topic);
    sync.answer().must(told, format!("{} in a sync", topic.id()), || "none".to_owned())
}
