//! `client-server-api/#event-context`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User},
    verdict::{Stop, Verdict},
};

/// A room of alice with seven numbered messages, and their event ids.
async fn room_with_messages(alice: &User) -> Result<(String, Vec<String>), Stop> {
    let room = alice.create_room(json!({})).await?;
    let mut sent = Vec::new();
    for number in 0..7 {
        sent.push(alice.say(&room, &format!("message {number}")).await?);
    }
    alice.sees_event(&room, &sent[6]).await?;
    Ok((room, sent))
}

/// An event comes with the events just before it, latest first, and those just after it, earliest first.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidcontexteventid",
    level = Must,
    severity = Interop
)]
async fn neighbours_come_in_order(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, sent) = room_with_messages(&alice).await?;

    let context = alice.context(&room, &sent[3]).query("limit", "4").await?;
    context.must_hold("/event/event_id", sent[3].as_str())?;
    let (before, after) = (context.event_ids("/events_before"), context.event_ids("/events_after"));
    context.must(before.len() + after.len() <= 4, "four neighbours at most", || {
        format!("{before:?}, {after:?}")
    })?;
    let expected_before: Vec<&str> = sent[..3].iter().rev().map(String::as_str).take(before.len()).collect();
    context.must(before == expected_before, "the events before, latest first", || {
        format!("{before:?}, sent {sent:?}")
    })?;
    let expected_after: Vec<&str> = sent[4..].iter().map(String::as_str).take(after.len()).collect();
    context.must(after == expected_after, "the events after, earliest first", || {
        format!("{after:?}, sent {sent:?}")
    })?;
    context.must(!before.is_empty() && !after.is_empty(), "neighbours on both sides", || {
        format!("{before:?}, {after:?}")
    })
}

/// With a limit of 0, the event comes without neighbours.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidcontexteventid",
    level = Must,
    severity = Interop
)]
async fn event_comes_even_with_limit_zero(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, sent) = room_with_messages(&alice).await?;

    let context = alice.context(&room, &sent[3]).query("limit", "0").await?;
    context.must_hold("/event/event_id", sent[3].as_str())?;
    let neighbours = [context.event_ids("/events_before"), context.event_ids("/events_after")].concat();
    context.must(neighbours.is_empty(), "no neighbours", || format!("{neighbours:?}"))
}

/// The history continues from the tokens on either side, without a gap and without a repetition.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidcontexteventid",
    level = Must,
    severity = Interop
)]
async fn tokens_continue_the_history(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, sent) = room_with_messages(&alice).await?;

    let context = alice.context(&room, &sent[3]).query("limit", "2").await?;
    let (start, end) = (context.must_have_text("/start")?, context.must_have_text("/end")?);
    let before = alice.messages(&room, "b").query("from", start).query("limit", "50").await?;
    let after = alice.messages(&room, "f").query("from", end).query("limit", "50").await?;

    let mut came: Vec<&str> = before.event_ids("/chunk").into_iter().rev().collect();
    came.extend(context.event_ids("/events_before").iter().rev());
    came.push(&sent[3]);
    came.extend(context.event_ids("/events_after"));
    came.extend(after.event_ids("/chunk"));
    let whole = hs.page_with(&sent[6], || alice.messages(&room, "f").query("limit", "100")).await?;
    let expected = whole.event_ids("/chunk");
    after.must(came == expected, "the whole history, each event once", || {
        format!("{came:?}, at once {expected:?}")
    })
}

/// The state that comes with an event is that of the room at the last event given.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidcontexteventid",
    level = Must,
    severity = Interop
)]
async fn state_is_that_of_the_last_event(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "first name"})).await?;
    let event_id = alice.say(&room, "under the first name").await?;
    let renamed = alice.set_state(&room, "m.room.name", "", json!({"name": "second name"})).await?;
    alice.sees_event(&room, &renamed).await?;

    let context = alice.context(&room, &event_id).query("limit", "0").await?;
    let mut state = context.must_have_list("/state")?.iter();
    let name = state.find(|event| event["type"] == "m.room.name").map(|event| &event["content"]["name"]);
    context
        .must(name.is_some_and(|name| name == "first name"), "the name at that time", || format!("{name:?}"))
}

/// The filter is applied to the neighbours, but not to the event itself.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidcontexteventid",
    level = Must,
    severity = Interop
)]
async fn filter_spares_the_event_itself(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, sent) = room_with_messages(&alice).await?;

    let filter = json!({"not_types": ["m.room.message"]}).to_string();
    let context = alice.context(&room, &sent[3]).query("limit", "6").query("filter", filter).await?;
    context.must_hold("/event/event_id", sent[3].as_str())?;
    let neighbours = [context.event_ids("/events_before"), context.event_ids("/events_after")].concat();
    let message = neighbours.iter().find(|neighbour| sent.iter().any(|sent| sent == *neighbour));
    context.must(message.is_none(), "no messages beside the event", || format!("{message:?}"))
}

/// Somebody who may not see an event does not get its context.
#[conformance(
    spec = "client-server-api/#event-context",
    level = Must,
    severity = Security,
    proves = ["client-server-api/security-considerations-12/1"]
)]
async fn outsiders_get_nothing(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    let event_id = alice.say(&room, "not for outsiders").await?;
    alice.sees_event(&room, &event_id).await?;

    let refused = eve.context(&room, &event_id).must_be_refused().await?;
    refused.must_not_mention("not for outsiders")
}
