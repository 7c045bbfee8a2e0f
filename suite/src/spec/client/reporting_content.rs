//! `client-server-api/#reporting-content`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::Homeserver,
    path,
    verdict::{Stop, Verdict},
};

/// A member can report an event of the room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidreporteventid",
    level = Must,
    severity = Usability
)]
async fn member_reports_an_event(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let event_id = alice.say(&room, "something offensive").await?;

    let path = path!("/_matrix/client/v3/rooms/{}/report/{}", room, event_id);
    bob.post(path, json!({"reason": "offensive", "score": -100})).await?.must_hold("", json!({}))?;
    alice.event(&room, &event_id).await?.must_hold("/content/body", "something offensive")
}

/// Somebody outside the room cannot report its events, and learns nothing of them, unless the server answers
/// everybody alike.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidreporteventid",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/post_matrixclientv3roomsroomidreporteventid/1",
        "client-server-api/server-behaviour-19/2",
    ]
)]
async fn outsiders_learn_nothing_of_events(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "not for outsiders").await?;
    let report = |event_id: &str| {
        let path = path!("/_matrix/client/v3/rooms/{}/report/{}", room, event_id);
        eve.post(path, json!({"reason": "offensive"})).answer()
    };

    let real = report(&event_id).await?;
    let invented = report("$nothing-has-this-id").await?;
    for answer in [&real, &invented] {
        let permitted = matches!(answer.status().as_u16(), 200 | 404);
        answer.must(permitted, "404, or 200 to conceal it", || answer.status().to_string())?;
    }
    real.must(real.json() == invented.json(), "the same answer for a real and an invented event", || {
        format!("{} and {}", real.json(), invented.json())
    })
}

/// Anybody can report a room, without being in it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidreport",
    level = Must,
    severity = Usability,
    since = "v1.13",
    proves = ["client-server-api/server-behaviour-19/3"]
)]
async fn anybody_reports_a_room(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;

    let path = path!("/_matrix/client/v3/rooms/{}/report", room);
    bob.post(path, json!({"reason": "a den of thieves"})).await?.must_hold("", json!({}))
}

/// Anybody can report a user, without sharing a room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3usersuseridreport",
    level = Must,
    severity = Usability,
    since = "v1.14",
    proves = ["client-server-api/server-behaviour-19/4"]
)]
async fn anybody_reports_a_user(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;

    let path = path!("/_matrix/client/v3/users/{}/report", alice.id());
    bob.post(path, json!({"reason": "a thief"})).await?.must_hold("", json!({}))
}

/// What does not exist is not found by whoever reports it, unless the server conceals that.
#[conformance(
    spec = "client-server-api/#reporting-content",
    level = Must,
    severity = Usability,
    since = "v1.14",
    each = reported
)]
async fn unknown_is_not_found_or_concealed(hs: &Homeserver, reported: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let path = match reported {
        "event" => path!("/_matrix/client/v3/rooms/{}/report/{}", room, "$nothing-has-this-id"),
        "room" => path!("/_matrix/client/v3/rooms/{}/report", format!("!nothing:{}", hs.name())),
        _ => path!("/_matrix/client/v3/users/{}/report", format!("@{}:{}", hs.unused_localpart(), hs.name())),
    };
    let answer = alice.post(path, json!({"reason": "offensive"})).answer().await?;
    if answer.status().is_success() {
        return Err(Stop::Observed(format!("the server conceals that there is no such {reported}")));
    }
    answer.must_refuse(404, "M_NOT_FOUND").map(drop)
}

fn reported() -> [&'static str; 3] {
    ["event", "room", "user"]
}
