//! What `/sync` has replaced, and servers still owe: `client-server-api/#get_matrixclientv3initialsync`,
//! `client-server-api/#get_matrixclientv3events`.

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    path,
    verdict::Verdict,
};

/// The rooms of a user are given with their membership, state and latest events.
#[conformance(spec = "client-server-api/#get_matrixclientv3initialsync", level = Must, severity = Usability)]
async fn initial_state_of_rooms_is_given(hs: &Homeserver) -> Verdict {
    const KIND: &str = "org.determinant.note";
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "old style"})).await?;
    alice.set_account_data(None, KIND, json!({"note": "mine"})).await?;
    let event_id = alice.say(&room, "hello").await?;

    let ask = || alice.get("/_matrix/client/v3/initialSync").query("limit", "1");
    let latest = |view: &Answer| view.at("/rooms/0/messages/chunk/0/event_id") == event_id.as_str();
    let view = hs.eventually("the latest event", ask, latest).await?;
    view.must_hold("/rooms/0/room_id", room)?;
    view.must_hold("/rooms/0/membership", "join")?;
    let kept = json!({"type": KIND, "content": {"note": "mine"}});
    let data = view.must_have_list("/account_data")?;
    view.must(data.contains(&kept), format!("{kept} in the account data"), || json!(data).to_string())?;
    let named = |event: &serde_json::Value| event["content"]["name"] == "old style";
    let state = view.must_have_list("/rooms/0/state")?;
    view.must(state.iter().any(named), "the name in the state", || format!("{} events", state.len()))
}

/// The messages of a room are a piece of its history, which goes on from their tokens on either side.
#[conformance(spec = "client-server-api/#get_matrixclientv3initialsync", level = Must, severity = Usability)]
async fn messages_lead_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    must_lead_on(&alice, &room, "/_matrix/client/v3/initialSync", "/rooms/0/messages").await
}

/// The messages that a single room is given with are a piece of its history, which goes on from their tokens on either side.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidinitialsync",
    level = Must,
    severity = Usability
)]
async fn messages_of_a_room_lead_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    must_lead_on(&alice, &room, &path!("/_matrix/client/v3/rooms/{}/initialSync", room), "/messages").await
}

/// Requires that what comes before the messages in an answer, they, and what comes after them are the history of the room.
async fn must_lead_on(alice: &User, room: &str, path: &str, messages: &str) -> Verdict {
    // More than a server gives at once, where that is its own to choose.
    let mut sent = Vec::new();
    for number in 0..24 {
        sent.push(alice.say(room, &format!("number {number}")).await?);
    }
    let hs = alice.homeserver();
    let chunk = format!("{messages}/chunk");
    let shown = |view: &Answer| view.event_ids(&chunk).contains(&sent[23].as_str());
    let view = hs.eventually("the messages", || alice.get(path).query("limit", "2"), shown).await?;
    let last = alice.say(room, "the last word").await?;
    alice.sees_event(room, &last).await?;

    let page =
        |direction, from: &str| alice.messages(room, direction).query("from", from).query("limit", "100");
    let mut came: Vec<String> = Vec::new();
    // Without a start, nothing is earlier.
    if let Some(start) = view.at(&format!("{messages}/start")).as_str() {
        let earlier = page("b", start).await?;
        came.extend(earlier.event_ids("/chunk").into_iter().rev().map(str::to_owned));
    }
    came.extend(view.event_ids(&chunk).into_iter().map(str::to_owned));
    let later = page("f", &view.must_have_text(&format!("{messages}/end"))?).await?;
    came.extend(later.event_ids("/chunk").into_iter().map(str::to_owned));
    let whole = hs.page_with(&last, || alice.messages(room, "f").query("limit", "100")).await?;
    let expected = whole.event_ids("/chunk");
    later.must(came == expected, "the whole history, each event once", || {
        format!("{came:?}, at once {expected:?}")
    })
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
