//! `client-server-api/#stripped-state`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    verdict::{Stop, Verdict},
};

/// An invite of bob to a room that has all there is to strip.
async fn invite(alice: &User, bob: &User) -> Result<(String, Sync), Stop> {
    let body = json!({
        "name": "the name",
        "topic": "the topic",
        "room_alias_name": format!("{}-stripped", alice.localpart()),
        "initial_state": [
            {"type": "m.room.avatar", "content": {"url": "mxc://example.org/avatar"}},
            {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
        ],
        "invite": [bob.id()],
    });
    let room = alice.create_room(body).await?;
    let sync = bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    Ok((room, sync))
}

/// Stripped state events have a sender, a type, a state key and a content, and nothing else.
#[conformance(spec = "client-server-api/#stripped-state", level = Must, severity = Interop)]
async fn events_have_four_properties(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let (room, sync) = invite(&alice, &bob).await?;

    let events = sync.invited(&room)["invite_state"]["events"].as_array().cloned().unwrap_or_default();
    sync.answer().must(!events.is_empty(), "stripped state with the invite", || "none".to_owned())?;
    for event in &events {
        let mut properties: Vec<&str> =
            event.as_object().into_iter().flat_map(|event| event.keys().map(String::as_str)).collect();
        properties.sort_unstable();
        let expected = ["content", "sender", "state_key", "type"];
        sync.answer().must(properties == expected, format!("{expected:?}"), || event.to_string())?;
    }
    Ok(())
}

/// The create event is among the stripped state of an invite.
#[conformance(
    spec = "client-server-api/#stripped-state",
    level = Must,
    severity = Security,
    since = "v1.16",
    proves = ["client-server-api/mroommember/14"]
)]
async fn create_event_is_there(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let (room, sync) = invite(&alice, &bob).await?;

    let create = sync.stripped_state(&room, "m.room.create", "");
    sync.answer().must(create["sender"] == alice.id(), "the create event", || create.to_string())
}

/// An invite describes the room by its name, avatar, topic, join rules, alias and encryption.
#[conformance(
    spec = "client-server-api/#stripped-state",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/stripped-state/4", "client-server-api/mroommember/13"]
)]
async fn room_is_described(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let (room, sync) = invite(&alice, &bob).await?;

    let current = alice.all_state(&room).await?;
    let differs =
        |kind: &&&str| sync.stripped_state(&room, kind, "")["content"] != *current.state_content(kind, "");
    let different: Vec<&&str> = DESCRIPTIONS.iter().filter(differs).collect();
    sync.answer().must(
        different.is_empty(),
        "the state that describes the room, as it stands in the room",
        || format!("none or other contents of {different:?}"),
    )
}

const DESCRIPTIONS: [&str; 6] = [
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.join_rules",
    "m.room.name",
    "m.room.topic",
];
