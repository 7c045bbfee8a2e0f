//! `client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

fn closest(user: &User, room: &str, timestamp_ms: i64, direction: &str) -> Call {
    user.get(path!("/_matrix/client/v1/rooms/{}/timestamp_to_event", room))
        .query("ts", timestamp_ms.to_string())
        .query("dir", direction)
}

async fn time_of(user: &User, room: &str, event_id: &str) -> Result<i64, Stop> {
    let event = user.event(room, event_id).await?;
    let timestamp_ms = event.at("/origin_server_ts").as_i64();
    event.must(timestamp_ms.is_some(), "a time", || event.at("/origin_server_ts").to_string())?;
    Ok(timestamp_ms.unwrap_or_default())
}

/// The event closest to a time is found, in the direction asked for.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event",
    level = Must,
    severity = Usability,
    since = "v1.6"
)]
async fn closest_event_is_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let last = alice.say(&room, "last").await?;
    let whole = hs.page_with(&last, || alice.messages(&room, "f").query("limit", "100")).await?;
    let first = whole.must_have_text("/chunk/0/event_id")?;
    let (earliest_ms, latest_ms) =
        (time_of(&alice, &room, &first).await?, time_of(&alice, &room, &last).await?);

    let forwards = closest(&alice, &room, earliest_ms - 1_000, "f").await?;
    // Several events may bear the same time.
    forwards.must_hold("/origin_server_ts", earliest_ms)?;
    alice
        .event(&room, &forwards.must_have_text("/event_id")?)
        .await?
        .must_hold("/origin_server_ts", earliest_ms)?;
    let backwards = closest(&alice, &room, latest_ms + 1_000, "b").await?;
    backwards.must_hold("/origin_server_ts", latest_ms)?;
    alice
        .event(&room, &backwards.must_have_text("/event_id")?)
        .await?
        .must_hold("/origin_server_ts", latest_ms)
}

/// Before the first event and after the last one, nothing is found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event",
    level = Must,
    severity = Usability,
    since = "v1.6"
)]
async fn nothing_is_found_outside_the_history(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let last = alice.say(&room, "last").await?;
    let latest_ms = time_of(&alice, &room, &last).await?;

    closest(&alice, &room, latest_ms + 60_000, "f").must_refuse(404, "M_NOT_FOUND").await?;
    closest(&alice, &room, 1_000, "b").must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// Somebody outside the room learns nothing of its events.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event",
    level = May,
    severity = Security,
    since = "v1.6"
)]
async fn outsiders_find_nothing(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    closest(&eve, &room, 1_000, "f").must_be_refused().await?.must_lack("/event_id")
}
