//! `client-server-api/#threading`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, User},
    path,
    verdict::Verdict,
};

fn reply(user: &User, room: &str, root: &str, text: &str) -> Call<String> {
    let relation = json!({"rel_type": "m.thread", "event_id": root});
    user.send(room, "m.room.message", json!({"msgtype": "m.text", "body": text, "m.relates_to": relation}))
}

fn threads(user: &User, room: &str) -> Call {
    user.get(path!("/_matrix/client/v1/rooms/{}/threads", room))
}

/// The root of a thread is given with how many replies there are, the latest of them, and whether the reader
/// takes part.
#[conformance(
    spec = "client-server-api/#server-side-aggregation-of-mthread-relationships",
    level = Should,
    severity = Usability,
    since = "v1.4",
    proves = ["client-server-api/server-side-aggregation-of-mthread-relationships/1"]
)]
async fn thread_is_bundled_with_its_root(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob, &carol]).await?;
    let root = alice.say(&room, "root").await?;
    reply(&bob, &room, &root, "first").await?;
    let latest = reply(&bob, &room, &root, "second").await?;

    for (reader, takes_part) in [(&alice, true), (&bob, true), (&carol, false)] {
        let event = reader.event(&room, &root).await?;
        event.must_hold("/unsigned/m.relations/m.thread/count", 2)?;
        event.must_hold("/unsigned/m.relations/m.thread/latest_event/event_id", latest.as_str())?;
        event.must_hold("/unsigned/m.relations/m.thread/latest_event/content/body", "second")?;
        event.must_hold("/unsigned/m.relations/m.thread/current_user_participated", takes_part)?;
    }
    Ok(())
}

/// The latest event of a thread is shown as the event is, and with what relates to it in turn.
#[conformance(
    spec = "client-server-api/#server-side-aggregation-of-mthread-relationships",
    level = Should,
    severity = Usability,
    since = "v1.4",
    proves = [
        "client-server-api/server-side-aggregation-of-mthread-relationships/2",
        "client-server-api/server-side-aggregation-of-mthread-relationships/3",
    ]
)]
async fn latest_event_is_whole(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let root = alice.say(&room, "root").await?;
    let latest = reply(&alice, &room, &root, "latest").await?;
    let content = json!({
        "msgtype": "m.text", "body": "* edited", "m.new_content": {"msgtype": "m.text", "body": "edited"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": latest},
    });
    let edit = alice.send(&room, "m.room.message", content).await?;

    let event = alice.event(&room, &latest).await?;
    let shown = alice.event(&room, &root).await?;
    let bundled = shown.at("/unsigned/m.relations/m.thread/latest_event");
    for field in ["content", "event_id", "origin_server_ts", "sender", "type"] {
        let expected = &event.json()[field];
        shown.must(bundled[field] == *expected, format!("{field}: {expected}"), || bundled.to_string())?;
    }
    let replaced = &bundled["unsigned"]["m.relations"]["m.replace"]["event_id"];
    shown.must(*replaced == edit.as_str(), "the replacement of the latest event", || bundled.to_string())
}

/// A redacted reply no longer counts.
#[conformance(
    spec = "client-server-api/#aggregations-of-child-events",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn redacted_reply_does_not_count(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let root = alice.say(&room, "root").await?;
    let first = reply(&alice, &room, &root, "first").await?;
    let second = reply(&alice, &room, &root, "second").await?;

    alice.redact(&room, &second).await?;

    let event = alice.event(&room, &root).await?;
    event.must_hold("/unsigned/m.relations/m.thread/count", 1)?;
    event.must_hold("/unsigned/m.relations/m.thread/latest_event/event_id", first)
}

/// No thread can start at an event that relates to another.
#[conformance(
    spec = "client-server-api/#validation-of-mthread-relationships",
    level = Should,
    severity = Interop,
    since = "v1.4",
    proves = [
        "client-server-api/validation-of-mthread-relationships/1",
        "client-server-api/validation-of-mthread-relationships/2",
        "client-server-api/validation-of-mthread-relationships/3",
    ]
)]
async fn thread_cannot_start_at_a_reply(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let root = alice.say(&room, "root").await?;
    let inner = reply(&alice, &room, &root, "in the thread").await?;

    reply(&alice, &room, &inner, "a thread in a thread").must_refuse(400, "M_UNKNOWN").await?;
    Ok(())
}

/// The roots of the threads of a room are listed, the one with the latest reply first.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidthreads",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn threads_are_listed_by_activity(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let (one, two) = (alice.say(&room, "one").await?, alice.say(&room, "two").await?);
    alice.say(&room, "no thread").await?;
    reply(&alice, &room, &one, "in one").await?;
    let last = reply(&alice, &room, &two, "in two").await?;
    alice.sees_event(&room, &last).await?;

    let listed = threads(&alice, &room).await?;
    let came = listed.event_ids("/chunk");
    listed.must(came == [&two, &one], "the thread with the latest reply first", || format!("{came:?}"))?;
    let last = reply(&alice, &room, &one, "in one again").await?;
    alice.sees_event(&room, &last).await?;
    let listed = threads(&alice, &room).await?;
    let came = listed.event_ids("/chunk");
    listed
        .must(came == [&one, &two], "the other thread first, after a reply in it", || format!("{came:?}"))?;
    let count: &Value = listed.at("/chunk/0/unsigned/m.relations/m.thread/count");
    listed.must(count == 2, "the bundled thread", || count.to_string())
}

/// Pages of threads show each of them once.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidthreads",
    level = Must,
    severity = Interop,
    since = "v1.4"
)]
async fn pages_of_threads_lose_nothing(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let (one, two) = (alice.say(&room, "one").await?, alice.say(&room, "two").await?);
    reply(&alice, &room, &one, "in one").await?;
    let last = reply(&alice, &room, &two, "in two").await?;
    alice.sees_event(&room, &last).await?;

    let first = threads(&alice, &room).query("limit", "1").await?;
    let came = first.event_ids("/chunk");
    first.must(came == [&two], "one thread", || format!("{came:?}"))?;
    let next = first.must_have_text("/next_batch")?;
    let second = threads(&alice, &room).query("limit", "1").query("from", next).await?;
    let came = second.event_ids("/chunk");
    second.must(came == [&one], "the other thread", || format!("{came:?}"))
}

/// The list can be narrowed to the threads that the user takes part in.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidthreads",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn own_threads_are_listed_on_request(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let (one, two) = (alice.say(&room, "one").await?, alice.say(&room, "two").await?);
    reply(&bob, &room, &one, "in one").await?;
    let last = reply(&alice, &room, &two, "in two").await?;
    bob.sees_event(&room, &last).await?;

    let own = threads(&bob, &room).query("include", "participated").await?;
    let came = own.event_ids("/chunk");
    own.must(came == [&one], "the thread that bob took part in", || format!("{came:?}"))?;
    let all = threads(&bob, &room).query("include", "all").await?;
    let came = all.event_ids("/chunk");
    all.must(came == [&two, &one], "both threads", || format!("{came:?}"))
}

/// Somebody who may not read the room gets no list of its threads.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidthreads",
    level = Must,
    severity = Security,
    since = "v1.4"
)]
async fn outsiders_get_no_threads(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    threads(&eve, &room).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}
