//! `client-server-api/#lazy-loading-room-members`, in `/sync`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    verdict::{Stop, Verdict},
};

const LAZILY: &str = r#"{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}}"#;

fn members<'a>(sync: &'a Sync, room: &'a str) -> Vec<&'a str> {
    sync.state_events(room, "m.room.member").filter_map(|event| event["state_key"].as_str()).collect()
}

/// A first `/sync` whose timeline is this event.
async fn lazy_sync(user: &User, room: &str, last: &str) -> Result<Sync, Stop> {
    let ask = || user.sync_request().query("filter", LAZILY);
    user.sync_showing(last, ask, |sync| sync.has_event(room, last)).await
}

/// The state has the membership of those who sent the events of the timeline, and the user's own.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/get_matrixclientv3sync/1"]
)]
async fn senders_and_oneself_are_there(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    // A room without a name would have heroes, whose membership is there for another reason.
    alice.set_state(&room, "m.room.name", "", json!({"name": "named"})).await?;
    let last = bob.say(&room, "the last event").await?;

    let sync = lazy_sync(&alice, &room, &last).await?;
    let members = members(&sync, &room);
    for user in [&alice, &bob] {
        sync.answer().must(
            members.contains(&user.id()),
            format!("the membership of {}", user.id()),
            || format!("{members:?}"),
        )?;
    }
    Ok(())
}

/// With `use_state_after`, the membership of senders stands in `state_after`, also where it changes in the timeline itself.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync",
    level = Must,
    severity = Interop,
    since = "v1.16"
)]
async fn state_after_holds_memberships_of_the_timeline(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "public_chat", "name": "named"})).await?;
    bob.join(&room).await?;
    let last = bob.say(&room, "the last event").await?;

    // The join and the message are all of the timeline.
    let filter = LAZILY.replace(r#""limit":1"#, r#""limit":2"#);
    let ask = || bob.sync_request().query("use_state_after", "true").query("filter", &filter);
    let sync = bob.sync_showing(&last, ask, |sync| sync.has_event(&room, &last)).await?;
    let after = &sync.joined(&room)["state_after"]["events"];
    let joined = |event: &Value| {
        event["type"] == "m.room.member"
            && event["state_key"] == bob.id()
            && event["content"]["membership"] == "join"
    };
    let told = after.as_array().is_some_and(|events| events.iter().any(joined));
    sync.answer().must(told, format!("the membership of {} in state_after", bob.id()), || after.to_string())
}

/// Members who sent nothing of the timeline are left out, where the room has a name and needs no heroes.
#[conformance(
    spec = "client-server-api/#lazy-loading-room-members",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/lazy-loading-room-members/1"]
)]
async fn silent_members_are_left_out(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob, &carol]).await?;
    alice.set_state(&room, "m.room.name", "", json!({"name": "named"})).await?;
    let last = bob.say(&room, "the last event").await?;

    let sync = lazy_sync(&alice, &room, &last).await?;
    let members = members(&sync, &room);
    sync.answer()
        .must(!members.contains(&carol.id()), "no membership of a silent member", || format!("{members:?}"))
}

/// The membership of the heroes of a nameless room is there, although they are silent.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/get_matrixclientv3sync/17"]
)]
async fn heroes_are_there(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let last = alice.say(&room, "the last event").await?;

    let sync = lazy_sync(&alice, &room, &last).await?;
    let members = members(&sync, &room);
    sync.answer().must(members.contains(&bob.id()), "the membership of the hero", || format!("{members:?}"))
}

/// Changes of membership in a gap of the timeline are there, redundant or not.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/get_matrixclientv3sync/2"]
)]
async fn changes_in_a_gap_are_there(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let before = alice.say(&room, "before the gap").await?;
    let since = lazy_sync(&alice, &room, &before).await?.next_batch().to_owned();
    carol.join(&room).await?;
    bob.leave(&room).await?;
    alice.say(&room, "one").await?;
    let last = alice.say(&room, "two").await?;

    let ask = || alice.sync_request().query("filter", LAZILY).query("since", &since);
    let sync = alice.sync_showing(&last, ask, |sync| sync.has_event(&room, &last)).await?;
    let members = members(&sync, &room);
    for user in [&bob, &carol] {
        sync.answer().must(
            members.contains(&user.id()),
            format!("the changed membership of {}", user.id()),
            || format!("{members:?}"),
        )?;
    }
    Ok(())
}

/// A client that asks for redundant members is told again of those whom it knows.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_roomeventfilter",
    level = Must,
    severity = Usability
)]
async fn redundant_members_are_told_on_request(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.set_state(&room, "m.room.name", "", json!({"name": "named"})).await?;
    let first = bob.say(&room, "the first event").await?;
    let filter = LAZILY.replace(
        "\"lazy_load_members\":true",
        "\"lazy_load_members\":true,\"include_redundant_members\":true",
    );
    let ask = || alice.sync_request().query("filter", &filter);
    let known = alice.sync_showing(&first, ask, |sync| sync.has_event(&room, &first)).await?;
    let second = bob.say(&room, "the second event").await?;

    let since = || ask().query("since", known.next_batch());
    let sync = alice.sync_showing(&second, since, |sync| sync.has_event(&room, &second)).await?;
    let members = members(&sync, &room);
    sync.answer()
        .must(members.contains(&bob.id()), "the membership of the sender again", || format!("{members:?}"))
}
