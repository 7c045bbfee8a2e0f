//! `client-server-api/#room-history-visibility`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User},
    verdict::{Stop, Verdict},
};

fn settings() -> [&'static str; 4] {
    ["world_readable", "shared", "invited", "joined"]
}

async fn room_with_visibility(alice: &User, setting: &str) -> Result<String, Stop> {
    let visibility = json!({"type": "m.room.history_visibility", "content": {"history_visibility": setting}});
    alice.create_room(json!({"preset": "private_chat", "initial_state": [visibility]})).await
}

/// Requires that exactly these events can be read, one by one and in the history.
async fn must_read(reader: &User, room: &str, readable: &[&String], hidden: &[&String]) -> Verdict {
    for event_id in readable {
        reader.event(room, event_id).await?.must_hold("/event_id", event_id.as_str())?;
    }
    for event_id in hidden {
        reader.event(room, event_id).must_be(404).await?;
    }
    let history = reader.messages(room, "b").query("limit", "100").await?;
    let came = history.event_ids("/chunk");
    for event_id in readable {
        history.must(came.contains(&event_id.as_str()), format!("{event_id} in the history"), || {
            format!("{came:?}")
        })?;
    }
    for event_id in hidden {
        history.must(!came.contains(&event_id.as_str()), format!("no {event_id} in the history"), || {
            format!("{came:?}")
        })?;
    }
    Ok(())
}

/// What a new member reads of the time before depends on the setting under which it was sent.
#[conformance(
    spec = "client-server-api/#room-history-visibility",
    level = Must,
    severity = Security,
    each = settings
)]
async fn new_member_reads_what_the_setting_allows(hs: &Homeserver, setting: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_with_visibility(&alice, setting).await?;
    let before = alice.say(&room, "before the invite").await?;
    alice.invite(&room, &bob).await?;
    let invited = alice.say(&room, "after the invite").await?;
    bob.join(&room).await?;
    let joined = alice.say(&room, "after the join").await?;
    alice.sees_event(&room, &joined).await?;

    match setting {
        "joined" => must_read(&bob, &room, &[&joined], &[&before, &invited]).await,
        "invited" => must_read(&bob, &room, &[&invited, &joined], &[&before]).await,
        _ => must_read(&bob, &room, &[&before, &invited, &joined], &[]).await,
    }
}

/// Whoever has left reads what was sent before, and nothing of what was sent after, unless all the world may.
#[conformance(
    spec = "client-server-api/#room-history-visibility",
    level = Must,
    severity = Security,
    each = settings
)]
async fn departed_member_reads_no_news(hs: &Homeserver, setting: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_with_visibility(&alice, setting).await?;
    alice.invite(&room, &bob).await?;
    bob.join(&room).await?;
    let before = alice.say(&room, "before the leave").await?;
    bob.leave(&room).await?;
    let after = alice.say(&room, "after the leave").await?;
    alice.sees_event(&room, &after).await?;

    if setting == "world_readable" {
        return bob.event(&room, &after).await?.must_hold("/event_id", after);
    }
    must_read(&bob, &room, &[&before], &[&after]).await?;
    bob.messages(&room, "f").query("limit", "50").await?.must_not_mention(&after)
}

/// Somebody who was never in the room reads its history only if all the world may.
#[conformance(
    spec = "client-server-api/#room-history-visibility",
    level = Must,
    severity = Security,
    each = settings,
    proves = ["client-server-api/get_matrixclientv3roomsroomideventeventid/1"]
)]
async fn outsider_reads_with_the_world(hs: &Homeserver, setting: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = room_with_visibility(&alice, setting).await?;
    let event_id = alice.say(&room, "for whoever may").await?;
    alice.sees_event(&room, &event_id).await?;

    if setting == "world_readable" {
        must_read(&eve, &room, &[&event_id], &[]).await?;
        return eve.context(&room, &event_id).await?.must_hold("/event/event_id", event_id);
    }
    eve.event(&room, &event_id).must_be(404).await?;
    eve.messages(&room, "b").must_refuse(403, "M_FORBIDDEN").await?;
    eve.context(&room, &event_id).must_be_refused().await?.must_not_mention("for whoever may")
}

/// An invited user who has not joined reads no history, unless all the world may.
#[conformance(
    spec = "client-server-api/#room-history-visibility",
    level = Must,
    severity = Security,
    proves = ["client-server-api/get_matrixclientv3roomsroomideventeventid/1"]
)]
async fn invite_alone_opens_nothing_sent_before(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_with_visibility(&alice, "shared").await?;
    let event_id = alice.say(&room, "before the invite").await?;
    alice.invite(&room, &bob).await?;
    alice.sees_membership(&room, &bob, "invite").await?;

    bob.event(&room, &event_id).must_be(404).await?;
    bob.messages(&room, "b").must_be_refused().await?.must_not_mention("before the invite")
}

/// A change of the setting does not uncover what was sent before.
#[conformance(
    spec = "client-server-api/#room-history-visibility",
    level = Must,
    severity = Security,
    proves = ["client-server-api/server-behaviour-8/1"]
)]
async fn setting_does_not_act_backwards(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_with_visibility(&alice, "joined").await?;
    let closed = alice.say(&room, "for those who are here").await?;
    let setting = json!({"history_visibility": "shared"});
    let change = alice.set_state(&room, "m.room.history_visibility", "", setting).await?;
    let open = alice.say(&room, "for those who will come").await?;
    alice.invite(&room, &bob).await?;
    bob.join(&room).await?;
    alice.sees_membership(&room, &bob, "join").await?;

    // The change itself is seen by whoever may read before or after it.
    must_read(&bob, &room, &[&change, &open], &[&closed]).await
}

/// The neighbours of an event that the reader may not see are left out of its context.
#[conformance(
    spec = "client-server-api/#event-context",
    level = Must,
    severity = Security,
    proves = ["client-server-api/security-considerations-12/1"]
)]
async fn context_hides_what_is_hidden(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_with_visibility(&alice, "joined").await?;
    let hidden = alice.say(&room, "before the join").await?;
    alice.invite(&room, &bob).await?;
    bob.join(&room).await?;
    let seen = alice.say(&room, "after the join").await?;
    alice.sees_event(&room, &seen).await?;

    let context = bob.context(&room, &seen).query("limit", "20").await?;
    context.must_hold("/event/event_id", seen)?;
    context.must_not_mention(&hidden)
}

/// A value that the server does not understand counts as `shared`.
#[conformance(spec = "client-server-api/#room-history-visibility", level = Must, severity = Interop)]
async fn unknown_setting_means_shared(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = room_with_visibility(&alice, "org.determinant.none").await?;
    let event_id = alice.say(&room, "before the invite").await?;
    alice.invite(&room, &bob).await?;
    bob.join(&room).await?;

    bob.event(&room, &event_id).await?.must_hold("/event_id", event_id.as_str())?;
    eve.event(&room, &event_id).must_be(404).await?;
    Ok(())
}
