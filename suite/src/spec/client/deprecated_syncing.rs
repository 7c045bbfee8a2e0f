//! What `/sync` has replaced, and servers still owe: `client-server-api/#get_matrixclientv3initialsync`,
//! `client-server-api/#get_matrixclientv3events`.

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver},
    path,
    verdict::Verdict,
};

/// The rooms of a user are given with their membership, state and latest events.
#[conformance(spec = "client-server-api/#get_matrixclientv3initialsync", level = Must, severity = Usability)]
async fn initial_state_of_rooms_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "old style"})).await?;
    let event_id = alice.say(&room, "hello").await?;

    let ask = || alice.get("/_matrix/client/v3/initialSync").query("limit", "1");
    let latest = |view: &Answer| view.at("/rooms/0/messages/chunk/0/event_id") == event_id.as_str();
    let view = hs.eventually("the latest event", ask, latest).await?;
    view.must_hold("/rooms/0/room_id", room)?;
    view.must_hold("/rooms/0/membership", "join")?;
    let named = |event: &serde_json::Value| event["content"]["name"] == "old style";
    let state = view.must_have_list("/rooms/0/state")?;
    view.must(state.iter().any(named), "the name in the state", || format!("{} events", state.len()))
}

/// The event stream continues where the initial state ends, and waits for events.
#[conformance(spec = "client-server-api/#get_matrixclientv3events", level = Must, severity = Usability)]
async fn event_stream_continues(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;
    let from = bob.get("/_matrix/client/v3/initialSync").await?.must_have_text("/end")?;
    let event_id = alice.say(&room, "hello").await?;

    let ask = || bob.get("/_matrix/client/v3/events").query("from", &from).query("timeout", "10000");
    hs.page_with(&event_id, ask).await.map(drop)
}

/// A single event is found by its id alone, by those who may see it.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3eventseventid",
    level = Must,
    severity = Security,
    proves = ["client-server-api/get_matrixclientv3eventseventid/1"]
)]
async fn event_is_found_by_its_id(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "not for outsiders").await?;

    let path = path!("/_matrix/client/v3/events/{}", event_id);
    alice.get(&path).await?.must_hold("/content/body", "not for outsiders")?;
    eve.get(&path).must_be_refused().await?.must_not_mention("not for outsiders")
}
