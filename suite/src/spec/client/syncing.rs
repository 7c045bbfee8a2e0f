//! `client-server-api/#syncing`: where a `/sync` begins, where it continues, and what it leaves out.

use std::time::Duration;

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    verdict::{Stop, Verdict},
};

const LAST_EVENT: &str = r#"{"room":{"timeline":{"limit":1}}}"#;
const LAST_TWO_EVENTS: &str = r#"{"room":{"timeline":{"limit":2}}}"#;

/// A first `/sync` that reaches to this event, in answer to one request.
async fn first_sync(user: &User, filter: &str, room: &str, last: &str) -> Result<Sync, Stop> {
    let ask = || user.sync_request().query("filter", filter);
    user.sync_showing(last, ask, |sync| sync.has_event(room, last)).await
}

/// A `/sync` from a place up to this event, in answer to one request.
async fn sync_since(user: &User, since: &str, filter: &str, room: &str, last: &str) -> Result<Sync, Stop> {
    let ask = || user.sync_request().query("since", since).query("filter", filter);
    user.sync_showing(last, ask, |sync| sync.has_event(room, last)).await
}

/// A place in the stream behind everything that has happened in the room.
async fn place(user: &User, room: &str) -> Result<String, Stop> {
    Ok(user.catches_up(room).await?.next_batch().to_owned())
}

/// The first `/sync` gives the latest events of a joined room, and the complete state before them.
#[conformance(
    spec = "client-server-api/#syncing",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/get_matrixclientv3sync/5"]
)]
async fn first_response_gives_the_state_before_the_timeline(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "before"})).await?;
    let said = alice.say(&room, "under the first name").await?;
    let renamed = alice.set_state(&room, "m.room.name", "", json!({"name": "after"})).await?;

    let sync = first_sync(&alice, LAST_TWO_EVENTS, &room, &renamed).await?;
    let timeline = sync.event_ids(&room);
    sync.answer().must(timeline == [&said, &renamed], "the last two events", || format!("{timeline:?}"))?;
    must_be_named(&sync, &room, "before")?;
    for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.member"] {
        let count = sync.state_events(&room, kind).count();
        sync.answer().must(count == 1, format!("{kind} once"), || format!("{count} times"))?;
    }
    Ok(())
}

/// The state before the timeline is complete even where the timeline begins with a change of state.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Usability)]
async fn timeline_may_begin_with_a_change_of_state(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "before"})).await?;
    let renamed = alice.set_state(&room, "m.room.name", "", json!({"name": "after"})).await?;

    let sync = first_sync(&alice, LAST_EVENT, &room, &renamed).await?;
    let timeline = sync.event_ids(&room);
    sync.answer().must(timeline == [&renamed], "the last event", || format!("{timeline:?}"))?;
    must_be_named(&sync, &room, "before")
}

fn must_be_named(sync: &Sync, room: &str, name: &str) -> Verdict {
    let names: Vec<_> = sync.state(room).iter().filter(|event| event["type"] == "m.room.name").collect();
    let named = matches!(names[..], [event] if event["content"]["name"] == name);
    sync.answer().must(named, format!("the name {name:?} in the state"), || format!("{names:?}"))
}

/// A `/sync` that continues gives what is new and nothing else, once.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Interop)]
async fn news_come_once(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let (room, quiet) = (alice.room_with(&[&bob]).await?, alice.room_with(&[&bob]).await?);
    bob.catches_up(&room).await?;

    let event_id = alice.say(&room, "news").await?;

    let sync = bob.sees("the news", |sync| sync.has_event(&room, &event_id)).await?;
    let timeline = sync.event_ids(&room);
    sync.answer().must(timeline == [&event_id], "the new event only", || format!("{timeline:?}"))?;
    sync.answer().must(sync.state(&room).is_empty(), "no state, as none changed", || {
        format!("{:?}", sync.state(&room))
    })?;
    sync.answer().must_not_mention(&quiet)?;
    bob.must_never_see("the same event again", |sync| sync.mentions(&event_id)).await
}

/// A `/sync` with a timeout waits for an event, and returns as soon as there is one.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Usability)]
async fn waiting_response_returns_with_the_event(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let since = place(&bob, &room).await?;

    let wait = async { bob.sync_request().query("since", since).query("timeout", "30000").await };
    let speak = async {
        // Round trips give the waiting request time to arrive first.
        for _ in 0..3 {
            alice.get("/_matrix/client/v3/joined_rooms").await?;
        }
        alice.say(&room, "wake up").await
    };
    let (sync, event_id) = tokio::try_join!(wait, speak)?;
    sync.answer().must(sync.has_event(&room, &event_id), "the event that came while waiting", || {
        "a response without it".to_owned()
    })?;
    // Far from both ends, so that a slow machine is no slow server.
    let waited = sync.answer().exchange().duration;
    sync.answer().must(waited < Duration::from_secs(20), "a response long before its time is over", || {
        format!("one after {} s", waited.as_secs())
    })
}

/// A `/sync` that waits for nothing returns when its timeout is over, with a token to continue.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Usability)]
async fn waiting_ends_with_the_timeout(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let since = place(&alice, &room).await?;

    let sync = alice.sync_request().query("since", since).query("timeout", "300").await?;
    sync.answer().must_have_text("/next_batch")?;
    sync.answer().must(sync.joined(&room).is_null(), "nothing of the room", || sync.joined(&room).to_string())
}

/// The same token leads to the same events again, so that a client can ask anew after a lost response.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Interop)]
async fn token_can_be_used_again(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let since = place(&alice, &room).await?;
    let first = alice.say(&room, "first").await?;

    let once = sync_since(&alice, &since, "{}", &room, &first).await?;
    once.answer()
        .must(once.event_ids(&room) == [&first], "the event", || format!("{:?}", once.event_ids(&room)))?;
    let second = alice.say(&room, "second").await?;
    let again = sync_since(&alice, &since, LAST_TWO_EVENTS, &room, &second).await?;
    again.answer().must(again.event_ids(&room) == [&first, &second], "both events", || {
        format!("{:?}", again.event_ids(&room))
    })
}

/// A timeline that leaves events out says so, and its token leads to them without loss or repetition.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Interop)]
async fn gap_can_be_filled(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let since = place(&bob, &room).await?;
    let mut sent = Vec::new();
    for number in 0..6 {
        sent.push(alice.say(&room, &format!("message {number}")).await?);
    }

    let sync = sync_since(&bob, &since, LAST_TWO_EVENTS, &room, &sent[5]).await?;
    let timeline = sync.event_ids(&room);
    sync.answer()
        .must(timeline == sent[4..], "the last two events", || format!("{timeline:?}, sent {sent:?}"))?;
    let section = &sync.joined(&room)["timeline"];
    sync.answer().must(section["limited"] == true, "limited: true", || section["limited"].to_string())?;
    let token = section["prev_batch"].as_str().unwrap_or_default();
    let gap = bob.messages(&room, "b").query("from", token).query("to", &since).query("limit", "50").await?;
    let mut came = gap.event_ids("/chunk");
    came.reverse();
    gap.must(came == sent[..4], "the four events that were left out", || format!("{came:?}, sent {sent:?}"))
}

/// A timeline that leaves nothing out is not called limited.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Interop)]
async fn whole_timeline_is_not_limited(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let since = place(&alice, &room).await?;
    let sent = [alice.say(&room, "first").await?, alice.say(&room, "second").await?];

    let sync = sync_since(&alice, &since, LAST_TWO_EVENTS, &room, &sent[1]).await?;
    sync.answer()
        .must(sync.event_ids(&room) == sent, "both events", || format!("{:?}", sync.event_ids(&room)))?;
    let limited = &sync.joined(&room)["timeline"]["limited"];
    sync.answer().must(limited != true, "a timeline that is not limited", || limited.to_string())
}

/// State that changed in a gap of the timeline is given beside the timeline.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Interop)]
async fn state_changed_in_the_gap_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "before"})).await?;
    let since = place(&alice, &room).await?;
    alice.set_state(&room, "m.room.name", "", json!({"name": "between"})).await?;
    let changed = alice.set_state(&room, "m.room.name", "", json!({"name": "after"})).await?;
    alice.say(&room, "one").await?;
    let last = alice.say(&room, "two").await?;

    let sync = sync_since(&alice, &since, LAST_EVENT, &room, &last).await?;
    let came: Vec<&str> = sync.state(&room).iter().filter_map(|event| event["event_id"].as_str()).collect();
    sync.answer().must(came == [&changed], "the changed name, and no other state", || format!("{came:?}"))
}

/// With `full_state`, the whole state is given although nothing has changed.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Interop)]
async fn full_state_is_given_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "unchanged"})).await?;
    let since = place(&alice, &room).await?;

    let request =
        alice.sync_request().query("since", since).query("full_state", "true").query("timeout", "10000");
    let sync = request.await?;
    for kind in ["m.room.create", "m.room.name", "m.room.power_levels", "m.room.member"] {
        let count = sync.state_events(&room, kind).count();
        sync.answer().must(count == 1, format!("{kind} in the full state"), || format!("{count} of them"))?;
    }
    Ok(())
}

/// With `use_state_after`, the state after the timeline stands in `state_after`, and `state` is left out.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync",
    level = Must,
    severity = Interop,
    since = "v1.16",
    proves = [
        "client-server-api/get_matrixclientv3sync/4",
        "client-server-api/get_matrixclientv3sync/8",
        "client-server-api/get_matrixclientv3sync/11",
    ]
)]
async fn state_after_the_timeline_is_given_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "before"})).await?;
    let changed = alice.set_state(&room, "m.room.name", "", json!({"name": "after"})).await?;

    let with_state_after = || alice.sync_request().query("use_state_after", "true");
    let ask = || with_state_after().query("filter", LAST_EVENT);
    let first = alice.sync_showing(&changed, ask, |sync| sync.has_event(&room, &changed)).await?;
    let joined = first.joined(&room);
    first.answer().must(joined.get("state").is_none(), "no state", || joined["state"].to_string())?;
    let events = joined["state_after"]["events"].as_array().cloned().unwrap_or_default();
    let names: Vec<_> = events.iter().filter(|event| event["type"] == "m.room.name").collect();
    let after = matches!(names[..], [name] if name["event_id"] == changed.as_str());
    first.answer().must(after, "the name after the timeline in state_after", || format!("{names:?}"))?;

    let said = alice.say(&room, "no change of state").await?;
    let ask = || with_state_after().query("since", first.next_batch());
    let next = alice.sync_showing(&said, ask, |sync| sync.has_event(&room, &said)).await?;
    let joined = next.joined(&room);
    let empty = joined["state_after"].is_object()
        && joined["state_after"]["events"].as_array().is_none_or(Vec::is_empty);
    next.answer()
        .must(empty, "an empty state_after, where nothing changed", || joined["state_after"].to_string())
}
