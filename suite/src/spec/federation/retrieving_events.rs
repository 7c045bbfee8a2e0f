//! `server-server-api/#retrieving-events` and `server-server-api/#retrieving-event-authorisation-information`

use std::collections::BTreeSet;

use protocol::RoomVersion;
use serde_json::json;
use suite_attribute::conformance;

use super::{event_formats, event_ids, texts};
use crate::{
    cast::{
        Homeserver, Remote, User,
        remote::{Pdu, Question, Room},
    },
    path,
    verdict::{Stop, Verdict},
};

/// A room of the server under test that a user of a remote has joined, and an event in it.
async fn shared_room(
    hs: &Homeserver,
    version: &'static RoomVersion,
) -> Result<(User, Remote, Room, Pdu), Stop> {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let id = alice.create_room(json!({"preset": "public_chat", "room_version": version.id})).await?;
    alice.set_state(&id, "m.room.topic", "", json!({"topic": "what is retrieved"})).await?;
    let remote = hs.remote().await?;
    let room = remote.joins(&id, "dave").await?;
    let event = remote.send(room.message("an event")).await?;
    alice.sees_event(&id, event.id()).await?;
    Ok((alice, remote, room, event))
}

/// An auth chain without the create event, where the room id implies it: whether it is given all the same is left open
/// (`rooms/v12/#event-format`).
fn without_implied(chain: BTreeSet<String>, room: &Room) -> BTreeSet<String> {
    let implied = room.id().replacen('!', "$", 1);
    chain.into_iter().filter(|id| room.version().create_in_auth_events || *id != implied).collect()
}

/// What the remote holds as the state before its own event, and as its auth chain.
fn expected(room: &Room, event: &Pdu) -> Result<(BTreeSet<String>, BTreeSet<String>), Stop> {
    let (state, chain) = room.state_and_auth_chain_before(event)?;
    Ok((state.into_iter().collect(), without_implied(chain, room)))
}

/// The state before an event is given with the whole auth chain of its events.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1stateroomid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn state_is_given(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (_, remote, room, event) = shared_room(hs, version).await?;
    let call = remote.get(path!("/_matrix/federation/v1/state/{}", room.id()))?;
    let answer = call.query("event_id", event.id()).await?;
    let (state, chain) = expected(&room, &event)?;
    let given = event_ids(&answer, "/pdus", version)?;
    answer.must(given == state, format!("the state {state:?}"), || format!("{given:?}"))?;
    let given = without_implied(event_ids(&answer, "/auth_chain", version)?, &room);
    answer.must(given == chain, format!("the auth chain {chain:?}"), || format!("{given:?}"))
}

/// The ids of the state before an event are given with those of the whole auth chain of its events.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1state_idsroomid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn state_ids_are_given(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (_, remote, room, event) = shared_room(hs, version).await?;
    let call = remote.get(path!("/_matrix/federation/v1/state_ids/{}", room.id()))?;
    let answer = call.query("event_id", event.id()).await?;
    let (state, chain) = expected(&room, &event)?;
    let given = texts(&answer, "/pdu_ids")?;
    answer.must(given == state, format!("the state {state:?}"), || format!("{given:?}"))?;
    let given = without_implied(texts(&answer, "/auth_chain_ids")?, &room);
    answer.must(given == chain, format!("the auth chain {chain:?}"), || format!("{given:?}"))
}

/// The state before a state event does not hold the event itself.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1state_idsroomid",
    level = Must,
    severity = Interop
)]
async fn state_is_that_before_the_event(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, _) = shared_room(hs, hs.usual_room_version()).await?;
    let topic = alice.set_state(room.id(), "m.room.topic", "", json!({"topic": "new"})).await?;
    remote.sees_event(&topic, |event| event["content"]["topic"] == "new").await?;
    let call = remote.get(path!("/_matrix/federation/v1/state_ids/{}", room.id()))?;
    let answer = call.query("event_id", &topic).await?;
    let given = texts(&answer, "/pdu_ids")?;
    answer.must(!given.contains(&topic), "a state without the event", || "one with it".to_owned())
}

/// The endpoints that give a state.
fn state_endpoints() -> impl Iterator<Item = &'static str> {
    ["state", "state_ids"].into_iter()
}

/// A server that is not in the room is not given its state.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1state_idsroomid",
    level = Must,
    severity = Security,
    each = state_endpoints
)]
async fn state_is_not_given_to_outsiders(hs: &Homeserver, endpoint: &'static str) -> Verdict {
    let (_, _, room, event) = shared_room(hs, hs.usual_room_version()).await?;
    let outsider = hs.remote().await?;
    let call = outsider.get(format!("/_matrix/federation/v1/{endpoint}{}", path!("/{}", room.id())))?;
    call.query("event_id", event.id()).must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// The state at an unknown event is not found.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1state_idsroomid",
    level = Must,
    severity = Interop
)]
async fn state_at_an_unknown_event_is_not_found(hs: &Homeserver) -> Verdict {
    let (_, remote, room, _) = shared_room(hs, hs.usual_room_version()).await?;
    let unknown = room.message("never sent").build()?;
    let call = remote.get(path!("/_matrix/federation/v1/state_ids/{}", room.id()))?;
    call.query("event_id", unknown.id()).must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A single event is given as it was signed.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1eventeventid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn event_is_given(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, remote, room, _) = shared_room(hs, version).await?;
    let said = alice.say(room.id(), "retrieved").await?;
    let answer = remote.get(path!("/_matrix/federation/v1/event/{}", said))?.await?;
    answer.must_hold("/origin", hs.name())?;
    answer.must_hold("/pdus/0/content/body", "retrieved")?;
    let ids = event_ids(&answer, "/pdus", version)?;
    answer.must(ids == BTreeSet::from([said.clone()]), format!("the event {said}"), || format!("{ids:?}"))?;
    let event = answer.at("/pdus/0").as_object().cloned().unwrap_or_default();
    let keys = hs.signing_keys().await?;
    let verified = protocol::event::verify(&event, version, &keys.ring);
    answer.must(verified.is_ok(), "an event that verifies", || format!("{verified:?}"))
}

/// A server that is not in the room is not given its events.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1eventeventid",
    level = May,
    severity = Security
)]
async fn event_is_not_given_to_outsiders(hs: &Homeserver) -> Verdict {
    let (_, _, _, event) = shared_room(hs, hs.usual_room_version()).await?;
    let outsider = hs.remote().await?;
    let answer = outsider.get(path!("/_matrix/federation/v1/event/{}", event.id()))?.answer().await?;
    answer.must(!answer.status().is_success(), "a refusal", || answer.exchange().response.in_short())
}

/// The auth chain of an event is given whole, and holds nothing else.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1event_authroomideventid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn auth_chain_is_given(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (_, remote, room, event) = shared_room(hs, version).await?;
    let path = path!("/_matrix/federation/v1/event_auth/{}/{}", room.id(), event.id());
    let answer = remote.get(path)?.await?;
    let chain = without_implied(room.auth_chain_of(&event), &room);
    let given = without_implied(event_ids(&answer, "/auth_chain", version)?, &room);
    answer.must(given == chain, format!("the auth chain {chain:?}"), || format!("{given:?}"))
}

/// The event nearest to a time is found, in both directions.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1timestamp_to_eventroomid",
    level = Must,
    severity = Interop,
    since = "v1.6"
)]
async fn event_is_found_by_time(hs: &Homeserver) -> Verdict {
    let (_, remote, room, event) = shared_room(hs, hs.usual_room_version()).await?;
    let time = event.json()["origin_server_ts"].as_i64().unwrap_or_default();
    let path = path!("/_matrix/federation/v1/timestamp_to_event/{}", room.id());
    let ask = |time: i64, direction: &str| -> Result<_, Stop> {
        Ok(remote.get(path.clone())?.query("ts", time.to_string()).query("dir", direction))
    };
    let back = ask(time, "b")?.await?;
    back.must_hold("/event_id", event.id())?;
    back.must_hold("/origin_server_ts", time)?;
    ask(time + 3_600_000, "f")?.must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A user who looks for a time before the server joined is given an event that another server knows.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event",
    level = Should,
    severity = Usability,
    since = "v1.6",
    each = directions,
    proves = [
        "server-server-api/get_matrixfederationv1timestamp_to_eventroomid/1",
        "server-server-api/get_matrixfederationv1timestamp_to_eventroomid/2"
    ]
)]
async fn other_servers_are_asked_for_a_time(hs: &Homeserver, direction: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let long_ago = Room::now_ms() - 86_400_000;
    let early = room.add(room.message("long ago").with("origin_server_ts", json!(long_ago)))?;
    for number in 0..25 {
        room.add(room.message(&format!("in between {number}")))?;
    }
    remote.admit(&alice, &room).await?;
    let path = path!("/_matrix/client/v1/rooms/{}/timestamp_to_event", room.id());

    let ts = if direction == "f" { long_ago - 1000 } else { long_ago + 1000 };
    let answer = alice.get(path).query("ts", ts.to_string()).query("dir", direction).await?;

    remote.is_asked(Question::EventByTimestamp).await?;
    answer.must_hold("/event_id", early.id())?;
    // The event has been fetched, so that its surroundings can be looked at.
    alice.context(room.id(), early.id()).await?.must_hold("/event/content/body", "long ago")
}

fn directions() -> impl Iterator<Item = &'static str> {
    ["f", "b"].into_iter()
}
