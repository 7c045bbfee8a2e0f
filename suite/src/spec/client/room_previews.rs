//! `client-server-api/#room-previews`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

async fn shop_window(alice: &User) -> Result<String, Stop> {
    let visibility =
        json!({"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}});
    alice.create_room(json!({"name": "shop window", "initial_state": [visibility]})).await
}

fn look(user: &User, room: &str) -> Call {
    user.get(path!("/_matrix/client/v3/rooms/{}/initialSync", room))
}

/// A view of the room whose latest events hold this one.
async fn view_with(user: &User, room: &str, event_id: &str) -> Result<Answer, Stop> {
    let shown = |view: &Answer| view.event_ids("/messages/chunk").contains(&event_id);
    user.homeserver().eventually(event_id, || look(user, room), shown).await
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

    let view = view_with(&bob, &room, &event_id).await?;
    view.must_hold("/room_id", room)?;
    let named = |event: &serde_json::Value| event["content"]["name"] == "shop window";
    let state = view.must_have_list("/state")?;
    view.must(state.iter().any(named), "the name in the state", || format!("{} events", state.len()))
}

/// A room that the world may not read can be looked at by those who are or were in it, and by nobody else.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidinitialsync",
    level = Must,
    severity = Security,
    proves = ["client-server-api/server-behaviour-12/1"]
)]
async fn other_rooms_cannot(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    let event_id = alice.say(&room, "not for outsiders").await?;

    look(&eve, &room).must_refuse(403, "M_FORBIDDEN").await?;
    view_with(&alice, &room, &event_id).await?.must_hold("/membership", "join")
}

/// Anybody can follow the events of a room that the world may read.
#[conformance(spec = "client-server-api/#room-previews", level = Must, severity = Usability)]
async fn world_readable_room_can_be_followed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = shop_window(&alice).await?;
    let known = alice.say(&room, "known already").await?;
    let view = view_with(&bob, &room, &known).await?;
    let from = view.must_have_text("/messages/end")?;
    let event_id = alice.say(&room, "something new").await?;

    let follow = || {
        let request = bob.get("/_matrix/client/v3/events").query("room_id", &room).query("from", &from);
        request.query("timeout", "10000")
    };
    hs.page_with(&event_id, follow).await?.must_have_text("/end").map(drop)
}
