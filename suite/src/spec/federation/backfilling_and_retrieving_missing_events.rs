//! `server-server-api/#backfilling-and-retrieving-missing-events`

use std::collections::BTreeSet;

use protocol::{RoomVersion, canonical_json::Form};
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::{event_formats, event_ids};
use crate::{
    cast::{
        Homeserver,
        remote::{Draft, Pdu, Question, Reply, Room},
    },
    path,
    verdict::{Stop, Verdict, must},
};

/// Backfilling gives the events that were asked for and those before them, as many as were asked for.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1backfillroomid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn history_is_given(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let id = alice.create_room(json!({"preset": "public_chat", "room_version": version.id})).await?;
    let remote = hs.remote().await?;
    remote.joins(&id, "dave").await?;
    let mut said = Vec::new();
    for number in 0..5 {
        said.push(alice.say(&id, &format!("message {number}")).await?);
    }
    let call = remote.get(path!("/_matrix/federation/v1/backfill/{}", id))?;

    let answer = call.query("v", &said[4]).query("limit", "3").await?;

    let given = event_ids(&answer, "/pdus", version)?;
    let expected: BTreeSet<String> = said[2..].iter().cloned().collect();
    answer.must(given == expected, format!("{expected:?}"), || format!("{given:?}"))
}

/// The endpoints that give history.
fn history_endpoints() -> impl Iterator<Item = &'static str> {
    ["backfill", "get_missing_events"].into_iter()
}

/// A server that is not in the room is not given its history.
#[conformance(
    spec = "server-server-api/#backfilling-and-retrieving-missing-events",
    level = May,
    severity = Security,
    each = history_endpoints
)]
async fn history_is_not_given_to_outsiders(hs: &Homeserver, endpoint: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let id = alice.room_with(&[]).await?;
    let said = alice.say(&id, "among us").await?;
    let outsider = hs.remote().await?;
    let path = format!("/_matrix/federation/v1/{endpoint}{}", path!("/{}", id));
    let answer = match endpoint {
        "backfill" => outsider.get(path)?.query("v", &said).query("limit", "3").answer().await?,
        _ => {
            let body = json!({"earliest_events": [], "latest_events": [said], "limit": 10});
            outsider.post(path, body)?.answer().await?
        }
    };
    let given = answer.status().is_success() && answer.body().windows(8).any(|window| window == b"among us");
    answer.must(!given, "no event of the room", || "the event".to_owned())
}

/// Missing events are those between the ones that the asking server has and the ones that it was told of.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1get_missing_eventsroomid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn missing_events_are_given(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let id = alice.create_room(json!({"preset": "public_chat", "room_version": version.id})).await?;
    let remote = hs.remote().await?;
    remote.joins(&id, "dave").await?;
    let mut said = Vec::new();
    for number in 0..5 {
        said.push(alice.say(&id, &format!("message {number}")).await?);
    }
    let path = path!("/_matrix/federation/v1/get_missing_events/{}", id);
    let ask = |limit: u64| {
        let body = json!({
            "earliest_events": [said[0]], "latest_events": [said[4]], "limit": limit, "min_depth": 0,
        });
        remote.post(path.clone(), body)
    };

    let answer = ask(10)?.await?;
    let given = event_ids(&answer, "/events", version)?;
    let expected: BTreeSet<String> = said[1..4].iter().cloned().collect();
    answer.must(given == expected, format!("{expected:?}"), || format!("{given:?}"))?;

    let answer = ask(2)?.await?;
    let given = event_ids(&answer, "/events", version)?;
    let expected: BTreeSet<String> = said[2..4].iter().cloned().collect();
    answer.must(given == expected, format!("the nearest two, {expected:?}"), || format!("{given:?}"))
}

/// Events that the server was never sent are fetched when a later one refers to them, and shown in order.
#[conformance(
    spec = "server-server-api/#backfilling-and-retrieving-missing-events",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn gap_is_filled(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let mut held_back = Vec::new();
    for number in 0..3 {
        held_back.push(room.add(room.message(&format!("held back {number}")))?);
    }

    let last = remote.send(room.message("sent at last")).await?;

    alice.sees_event(room.id(), last.id()).await?;
    let page = alice.messages(room.id(), "b").query("limit", "4").await?;
    let expected: Vec<&str> =
        [last.id()].into_iter().chain(held_back.iter().rev().map(|event| event.id())).collect();
    let shown = page.event_ids("/chunk");
    page.must(shown == expected, format!("{expected:?}"), || format!("{shown:?}"))
}

/// A bad event among the missing ones is dropped like any other.
#[conformance(
    spec = "server-server-api/#checks-performed-on-receipt-of-a-pdu",
    level = Must,
    severity = Security,
    each = defects
)]
async fn bad_event_in_a_gap_is_dropped(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(&protocol::room_version::V11, &alice).await?;
    let bad = match defect {
        "no signature" => room.message("bad").tampered(|event| event["signatures"] = json!({})).build()?,
        _ => {
            let content = json!({"msgtype": "m.text", "body": "bad", "number": 1.5});
            room.message("bad").with("content", content).build_as(Form::Lenient)?
        }
    };
    let genuine = room.add(room.message("genuine"))?;
    let bait = bad.value();
    remote.alters(Question::MissingEvents, move |body| {
        if let Some(events) = body["events"].as_array_mut() {
            events.insert(0, bait.clone());
        }
    });

    let last = remote.send(room.message("sent at last")).await?;

    alice.sees_event(room.id(), last.id()).await?;
    alice.event(room.id(), genuine.id()).await?;
    alice.event(room.id(), bad.id()).must_be(404).await.map(drop)
}

fn defects() -> impl Iterator<Item = &'static str> {
    ["no signature", "a number outside of canonical JSON"].into_iter()
}

/// Where nobody gives the missing events, the state at the gap is asked for, and the event is shown all the same.
#[conformance(
    spec = "server-server-api/#retrieving-events",
    level = May,
    severity = Interop
)]
async fn gap_that_cannot_be_filled_is_bridged(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let topic = room.add(room.state_event("m.room.topic", "", json!({"topic": "within the gap"})))?;
    room.add(room.message("held back"))?;
    remote.answers(Question::MissingEvents, Reply::json(json!({"events": []})));

    let last = remote.send(room.message("sent at last")).await?;

    alice.sees_event(room.id(), last.id()).await?;
    let asked = remote.asked(Question::StateIds).len() + remote.asked(Question::State).len();
    must(asked > 0, "a question for the state at the gap", || "none".to_owned())?;
    drop(topic);
    alice.state(room.id(), "m.room.topic", "").await?.must_hold("/topic", "within the gap")
}

/// Where the state at a gap has much in it that the server lacks, it comes to all of that state, in whichever form it asks for it.
#[conformance(
    spec = "server-server-api/#retrieving-events",
    level = May,
    severity = Interop
)]
async fn wide_gap_is_bridged(hs: &Homeserver) -> Verdict {
    const NOTES: usize = 60;
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    for number in 0..NOTES {
        let name = number.to_string();
        room.add(room.state_event("org.determinant.note", &name, json!({"note": name})))?;
    }
    room.add(room.message("held back"))?;
    remote.answers(Question::MissingEvents, Reply::json(json!({"events": []})));

    let last = remote.send(room.message("sent at last")).await?;

    alice.sees_event(room.id(), last.id()).await?;
    let state = alice.all_state(room.id()).await?;
    let events = state.json().as_array().into_iter().flatten();
    let notes = events.filter(|event| event["type"] == "org.determinant.note").count();
    must(notes == NOTES, format!("{NOTES} notes in the state"), || format!("{notes} of them"))?;
    for asked in remote.asked(Question::State).iter().chain(&remote.asked(Question::StateIds)) {
        must(asked.parameter("roomId") == room.id(), "a question about the room", || asked.target.clone())?;
    }
    Ok(())
}

/// The history before the server joined is fetched when a user reads back.
#[conformance(
    spec = "server-server-api/#backfilling-and-retrieving-missing-events",
    level = Must,
    severity = Interop
)]
async fn history_before_the_join_is_fetched(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let mut said = Vec::new();
    for number in 0..30 {
        said.push(room.add(room.message(&format!("message {number}")))?.id().to_owned());
    }
    remote.admit(&alice, &room).await?;
    let mut read: Vec<String> = Vec::new();
    let mut from: Option<String> = None;
    for _ in 0..20 {
        let call = alice.messages(room.id(), "b").query("limit", "10");
        let page = match &from {
            Some(from) => call.query("from", from).await?,
            None => call.await?,
        };
        let chunk = page.must_have_list("/chunk")?;
        let messages = chunk.iter().filter(|event| event["type"] == "m.room.message");
        read.extend(messages.filter_map(|event| event["event_id"].as_str().map(str::to_owned)));
        from = page.at("/end").as_str().map(str::to_owned);
        if from.is_none() {
            break;
        }
    }
    remote.is_asked(Question::Backfill).await?;
    said.reverse();
    must(read == said, format!("all {} messages, the newest first", said.len()), || {
        let absent = said.iter().filter(|id| !read.contains(id)).count();
        format!("{} messages; {absent} are absent, or the order is another", read.len())
    })?;
    let oldest = alice.event(room.id(), &said[29]).await?;
    oldest.must_hold("/content/body", Value::from("message 0"))
}

/// More than an event may refer to.
const TOO_MANY: usize = 21;

/// An event that refers to more others than it may, with those.
fn overfull(room: &Room) -> Result<(Vec<Pdu>, Draft), Stop> {
    let fork = room.add(room.message("where the branches part"))?;
    let branch = |number| room.add(room.message(&format!("branch {number}")).after(&[&fork]));
    let branches = (0..TOO_MANY).map(branch).collect::<Result<Vec<Pdu>, Stop>>()?;
    let draft = room.message("overfull").after(&branches.iter().collect::<Vec<_>>());
    Ok(([vec![fork], branches].concat(), draft))
}

/// An old event that refers to more others than one may by now is taken from the history of another server.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1backfillroomid",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/get_matrixfederationv1backfillroomid/1"]
)]
async fn overfull_event_is_backfilled(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let (_, draft) = overfull(&room)?;
    let overfull = room.add(draft)?;
    for number in 0..5 {
        room.add(room.message(&format!("in between {number}")))?;
    }
    remote.admit(&alice, &room).await?;
    let ask = || alice.messages(room.id(), "b").query("limit", "100");
    hs.page_with(overfull.id(), ask).await.map(drop)
}

/// A new event that refers to more others than one may is not taken.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1backfillroomid",
    level = Should,
    severity = Security,
    proves = ["server-server-api/get_matrixfederationv1backfillroomid/2"]
)]
async fn overfull_event_is_rejected(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let (before, draft) = overfull(&room)?;
    let overfull = draft.build()?;
    remote.transmit(&before.iter().collect::<Vec<_>>()).await?;
    remote.transmit(&[&overfull]).await?;
    let last: Vec<&Pdu> = before.iter().rev().take(2).collect();
    let later = remote.send(room.message("all is well").after(&last)).await?;
    alice.must_not_be_shown(&room, &overfull, &later).await
}
