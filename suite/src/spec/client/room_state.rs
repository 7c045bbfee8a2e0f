//! `client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey` and its counterparts that read.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

const KIND: &str = "org.determinant.colour";

/// A state event overwrites an earlier one of the same type and state key, and no other.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Must,
    severity = Interop
)]
async fn overwrites_the_same_key_only(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    alice.set_state(&room, KIND, "", json!({"colour": "red"})).await?;
    alice.set_state(&room, KIND, "wall", json!({"colour": "green"})).await?;
    alice.set_state(&room, KIND, "wall", json!({"colour": "blue"})).await?;

    alice.state(&room, KIND, "").await?.must_hold("", json!({"colour": "red"}))?;
    alice.state(&room, KIND, "wall").await?.must_hold("", json!({"colour": "blue"}))
}

/// With an empty state key, the path may end in a slash or not, to write and to read.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Must,
    severity = Interop
)]
async fn trailing_slash_is_optional(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let plain = path!("/_matrix/client/v3/rooms/{}/state/{}", room, KIND);
    let slashed = format!("{plain}/");

    alice.put(&slashed, json!({"colour": "red"})).await?;
    alice.get(&plain).await?.must_hold("/colour", "red")?;
    alice.put(&plain, json!({"colour": "green"})).await?;
    alice.get(&slashed).await?.must_hold("/colour", "green")
}

/// `format=event` gives the whole state event instead of its content.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Must,
    severity = Interop,
    since = "v1.16"
)]
async fn whole_event_is_given_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.set_state(&room, KIND, "wall", json!({"colour": "blue"})).await?;

    let event = alice.state(&room, KIND, "wall").query("format", "event").await?;
    event.must_hold("/event_id", event_id.as_str())?;
    event.must_hold("/room_id", room.as_str())?;
    let alone = alice.event(&room, &event_id).await?;
    event.must_hold("/origin_server_ts", alone.at("/origin_server_ts").clone())?;
    event.must_hold("/type", KIND)?;
    event.must_hold("/state_key", "wall")?;
    event.must_hold("/sender", alice.id())?;
    event.must_hold("/content/colour", "blue")?;
    let content = alice.state(&room, KIND, "wall").query("format", "content").await?;
    content.must_hold("", json!({"colour": "blue"}))
}

/// State that was never set is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Must,
    severity = Interop
)]
async fn absent_state_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.set_state(&room, KIND, "wall", json!({"colour": "blue"})).await?;

    alice.state(&room, "org.determinant.absent", "").must_refuse(404, "M_NOT_FOUND").await?;
    alice.state(&room, KIND, "floor").must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// The current state of a room lists one event for each type and state key.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidstate",
    level = Must,
    severity = Interop
)]
async fn whole_state_has_each_key_once(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.set_state(&room, KIND, "wall", json!({"colour": "red"})).await?;
    alice.set_state(&room, KIND, "wall", json!({"colour": "blue"})).await?;

    let state = alice.all_state(&room).await?;
    let mut keys: Vec<(&str, &str)> = state.must_have_list("")?.iter().filter_map(key).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    state.must(keys.len() == count, "every type and state key once", || {
        format!("{count} events, {} keys", keys.len())
    })?;
    let colour = &state.state_content(KIND, "wall")["colour"];
    state.must(colour == "blue", "the latest content", || colour.to_string())?;
    for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules"] {
        state.must(!state.state_content(kind, "").is_null(), format!("{kind} in the state"), || {
            "none".to_owned()
        })?;
    }
    for user in [&alice, &bob] {
        let membership = &state.state_content("m.room.member", user.id())["membership"];
        state.must(membership == "join", format!("{} joined", user.id()), || membership.to_string())?;
    }
    Ok(())
}

fn key(event: &Value) -> Option<(&str, &str)> {
    Some((event["type"].as_str()?, event["state_key"].as_str()?))
}

/// Somebody who never was in the room cannot read its state.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidstate",
    level = Must,
    severity = Security
)]
async fn outsiders_cannot_read(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "private_chat", "name": "closed"})).await?;

    eve.state(&room, "m.room.name", "").must_refuse(403, "M_FORBIDDEN").await?;
    eve.all_state(&room).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// Somebody who has left reads the state as it was when they left.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Must,
    severity = Security
)]
async fn state_is_frozen_for_those_who_left(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.set_state(&room, "m.room.name", "", json!({"name": "before"})).await?;
    bob.leave(&room).await?;
    alice.set_state(&room, "m.room.name", "", json!({"name": "after"})).await?;

    bob.state(&room, "m.room.name", "").await?.must_hold("/name", "before")?;
    let state = bob.all_state(&room).await?;
    let name = &state.state_content("m.room.name", "")["name"];
    state.must(name == "before", "the name at the time of leaving", || name.to_string())
}

/// A member without the power level for a state event cannot set it.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroompower_levels/1", "client-server-api/mroompower_levels/2"]
)]
async fn power_level_is_required(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.set_state(&room, "m.room.name", "", json!({"name": "hers"})).await?;

    bob.set_state(&room, "m.room.name", "", json!({"name": "his"})).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.name", "").await?.must_hold("/name", "hers")
}

/// Somebody outside the room cannot set its state, even where anybody may join.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Must,
    severity = Security
)]
async fn outsiders_cannot_write(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let body = json!({"preset": "public_chat", "power_level_content_override": {"state_default": 0}});
    let room = alice.create_room(body).await?;

    eve.set_state(&room, KIND, "", json!({"colour": "black"})).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, KIND, "").must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// State whose key is the id of a user can be set by that user only, whatever power others have.
#[conformance(
    spec = "rooms/v11/#authorisation-rules",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/get_matrixclientv3roomsroomidstateeventtypestatekey/1",
        "client-server-api/definition-clientevent/1",
    ]
)]
async fn key_of_another_user_is_refused(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let body = json!({"invite": [bob.id()], "power_level_content_override": {"state_default": 0}});
    let room = alice.create_room(body).await?;
    bob.join(&room).await?;

    alice
        .set_state(&room, KIND, bob.id(), json!({"colour": "black"}))
        .must_refuse(403, "M_FORBIDDEN")
        .await?;
    bob.set_state(&room, KIND, bob.id(), json!({"colour": "white"})).await?;
    alice.state(&room, KIND, bob.id()).await?.must_hold("/colour", "white")
}

/// A state key that begins like a user id, and is that of nobody in the room or no user id at all, is refused as that of another
/// user.
#[conformance(spec = "rooms/v11/#authorisation-rules", level = Must, severity = Security, each = foreign_keys)]
async fn key_like_a_user_id_is_refused(hs: &Homeserver, key: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let key = match key {
        "a stranger" => format!("@{}-stranger:{}", alice.localpart(), hs.name()),
        "of a user and more" => format!("{}_state", alice.id()),
        _ => "@oops".to_owned(),
    };

    alice.set_state(&room, KIND, &key, json!({"colour": "red"})).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, KIND, &key).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

fn foreign_keys() -> [&'static str; 3] {
    ["a stranger", "of a user and more", "no user id"]
}

/// A change of state reaches the members through `/sync`, with its state key and sender.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Interop)]
async fn reaches_members(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;

    let event_id = alice.set_state(&room, KIND, "wall", json!({"colour": "blue"})).await?;

    let sync = bob.sees("the change of state", |sync| sync.has_event(&room, &event_id)).await?;
    let event = sync.timeline(&room).iter().find(|event| event["event_id"] == event_id.as_str());
    let as_sent = event.is_some_and(|event| {
        event["state_key"] == "wall" && event["sender"] == alice.id() && event["content"]["colour"] == "blue"
    });
    sync.answer().must(as_sent, "the state event as it was set", || format!("{event:?}"))
}

/// A state key or a type of more than 255 bytes is refused.
#[conformance(
    spec = "client-server-api/#size-limits",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/size-limits/4", "client-server-api/size-limits/5"]
)]
async fn long_keys_and_types_are_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    alice.set_state(&room, KIND, &"k".repeat(255), json!({})).await?;
    alice.set_state(&room, KIND, &"k".repeat(256), json!({})).must_be_refused().await?;
    alice.set_state(&room, &"t".repeat(256), "", json!({})).must_be_refused().await?;
    Ok(())
}

/// A state event of more than 65536 bytes is refused, and what stands there stays.
#[conformance(
    spec = "client-server-api/#size-limits",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/size-limits/1"]
)]
async fn large_state_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.set_state(&room, KIND, "", json!({"colour": "red"})).await?;

    let large = json!({"colour": "x".repeat(65_536)});
    let refused = alice.set_state(&room, KIND, "", large).must_be_refused().await?;

    // The code's definition fits; no text names a status: `client-server-api/#common-error-codes`.
    refused.must(refused.errcode() == Some("M_TOO_LARGE"), "the code M_TOO_LARGE", || {
        format!("{:?}", refused.errcode())
    })?;
    alice.state(&room, KIND, "").await?.must_hold("/colour", "red")
}

/// State that replaces other state tells the content that it replaces.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync_response-200_unsigneddata", level = Must, severity = Usability)]
async fn replaced_content_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.set_state(&room, KIND, "", json!({"colour": "red"})).await?;
    let blue = alice.set_state(&room, KIND, "", json!({"colour": "blue"})).await?;

    let sync = alice.sees_event(&room, &blue).await?;
    let event = sync.timeline(&room).iter().find(|event| event["event_id"] == blue.as_str()).cloned();
    let before = event.unwrap_or_default()["unsigned"]["prev_content"].clone();
    sync.answer().must(before == json!({"colour": "red"}), "the replaced content in prev_content", || {
        before.to_string()
    })
}
