//! `client-server-api/#room-previews`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

async fn shop_window(alice: &User) -> Result<String, Stop> {
    let visibility =
        json!({"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}});
    alice.create_room(json!({"name": "shop window", "initial_state": [visibility]})).await
}

fn has_event(answer: &Answer, pointer: &str, event_id: &str) -> Verdict {
    let came = answer.event_ids(pointer);
    answer.must(came.contains(&event_id), format!("{event_id} at {pointer}"), || format!("{came:?}"))
}

/// Anybody can look at the state and the latest events of a room that the world may read.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidinitialsync",
    level = Must,
    severity = Usability
)]
async fn world_readable_room_can_be_looked_at(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = shop_window(&alice).await?;
    let event_id = alice.say(&room, "look here").await?;

    let view = bob.get(path!("/_matrix/client/v3/rooms/{}/initialSync", room)).await?;
    view.must_hold("/room_id", room)?;
    has_event(&view, "/messages/chunk", &event_id)?;
    let named = |event: &serde_json::Value| event["content"]["name"] == "shop window";
    let state = view.must_have_list("/state")?;
    view.must(state.iter().any(named), "the name in the state", || format!("{} events", state.len()))
}

/// A room that the world may not read can be looked at by those who are or were in it, and by nobody else.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidinitialsync",
    level = Must,
    severity = Security
)]
async fn other_rooms_cannot(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    let event_id = alice.say(&room, "not for outsiders").await?;

    let path = path!("/_matrix/client/v3/rooms/{}/initialSync", room);
    eve.get(&path).must_refuse(403, "M_FORBIDDEN").await?;
    let view = alice.get(&path).await?;
    view.must_hold("/membership", "join")?;
    has_event(&view, "/messages/chunk", &event_id)
}

/// Anybody can follow the events of a room that the world may read.
#[conformance(spec = "client-server-api/#room-previews", level = Must, severity = Usability)]
async fn world_readable_room_can_be_followed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = shop_window(&alice).await?;
    let view = bob.get(path!("/_matrix/client/v3/rooms/{}/initialSync", room)).await?;
    let from = view.must_have_text("/messages/end")?;
    let event_id = alice.say(&room, "something new").await?;

    let request = bob.get("/_matrix/client/v3/events").query("room_id", &room).query("from", from);
    let events = request.query("timeout", "10000").await?;
    events.must_have_text("/end")?;
    has_event(&events, "/chunk", &event_id)
}
