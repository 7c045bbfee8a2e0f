//! The sections of a `/sync` response: `client-server-api/#get_matrixclientv3sync_response-200_rooms`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync},
    verdict::Verdict,
};

/// A room that was joined, left and joined again between two responses is a joined room, and no left one.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync_response-200_rooms", level = Must, severity = Interop)]
async fn last_membership_decides_the_section(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    bob.initial_sync().await?;
    bob.join(&room).await?;
    bob.leave(&room).await?;
    bob.join(&room).await?;

    let event_id = alice.say(&room, "welcome back").await?;

    let sync = bob.sees("the room", |sync| sync.has_event(&room, &event_id)).await?;
    sync.answer().must(sync.left(&room).is_null(), "the room among the joined ones only", || sync.left(&room).to_string())?;
    let creates = sync.state_events(&room, "m.room.create").count();
    sync.answer().must(creates == 1, "the whole state of the room", || format!("{creates} create events"))
}

/// A user's own leave is in the timeline of the left room, even where only members read the history.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync_response-200_left-room", level = Must, severity = Usability)]
async fn own_leave_is_shown(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let visibility = json!({"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}});
    let room = alice.create_room(json!({"preset": "public_chat", "initial_state": [visibility]})).await?;
    bob.join(&room).await?;
    bob.initial_sync().await?;
    let before = alice.say(&room, "before the leave").await?;
    bob.leave(&room).await?;
    let after = alice.say(&room, "after the leave").await?;

    let sync = bob.sees("the left room", |sync| !sync.left(&room).is_null()).await?;
    let timeline = sync.left(&room)["timeline"]["events"].as_array().cloned().unwrap_or_default();
    let leaves = |event: &Value| event["state_key"] == bob.id() && event["content"]["membership"] == "leave";
    sync.answer().must(timeline.iter().any(leaves), "the own leave", || format!("{timeline:?}"))?;
    sync.answer().must(timeline.iter().any(|event| event["event_id"] == before.as_str()), "the event before it", || {
        format!("{timeline:?}")
    })?;
    sync.answer().must_not_mention(&after)?;
    bob.must_never_see("the left room once more", |sync| sync.mentions(&room)).await
}

/// A room that was left during a gap is told of by the next `/sync`, however many events followed.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync_response-200_left-room", level = Must, severity = Usability)]
async fn leave_is_told_after_a_gap(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let since = bob.initial_sync().await?.next_batch().to_owned();
    for number in 0..3 {
        alice.say(&room, &format!("message {number}")).await?;
    }
    alice.kick(&room, &bob).await?;

    let filter = r#"{"room":{"timeline":{"limit":1}}}"#;
    let sync = bob.sync_request().query("since", since).query("filter", filter).await?;
    let timeline = sync.left(&room)["timeline"]["events"].as_array().cloned().unwrap_or_default();
    let kicked = |event: &Value| event["state_key"] == bob.id() && event["sender"] == alice.id();
    sync.answer().must(timeline.iter().any(kicked), "the kick in the left room", || format!("{timeline:?}"))
}

/// A room without a name is summed up by its heroes, who are other members, and by how many members it has.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Must,
    severity = Usability
)]
async fn nameless_room_has_heroes_and_counts(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.invite(&room, &carol).await?;

    let sync = alice.initial_sync().await?;
    let summary = &sync.joined(&room)["summary"];
    let count = |name: &str| summary[name].as_u64();
    sync.answer().must(count("m.joined_member_count") == Some(2), "two joined members", || summary.to_string())?;
    sync.answer().must(count("m.invited_member_count") == Some(1), "one invited member", || summary.to_string())?;
    let mut heroes: Vec<&str> =
        summary["m.heroes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    heroes.sort_unstable();
    let mut others = [bob.id(), carol.id()];
    others.sort_unstable();
    sync.answer().must(heroes == others, "the other members as heroes", || format!("{heroes:?}"))
}

/// The counts of members are told again when they change.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Must,
    severity = Usability
)]
async fn changed_counts_are_told(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"invite": [bob.id()]})).await?;
    alice.initial_sync().await?;

    bob.join(&room).await?;

    let joined = |sync: &Sync| sync.state_events(&room, "m.room.member").any(|event| event["state_key"] == bob.id());
    let sync = alice.sees("the join", joined).await?;
    let summary = &sync.joined(&room)["summary"];
    sync.answer().must(summary["m.joined_member_count"] == 2, "two joined members", || summary.to_string())?;
    // Zero may be told by leaving it out only where it was zero before.
    sync.answer().must(summary["m.invited_member_count"] == 0, "no invited member any more", || summary.to_string())
}

/// When all others have left, the heroes of a nameless room are those who were there.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Should,
    severity = Usability
)]
async fn departed_members_become_heroes(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.leave(&room).await?;

    let sync = alice.initial_sync().await?;
    let heroes = &sync.joined(&room)["summary"]["m.heroes"];
    sync.answer().must(*heroes == json!([bob.id()]), "the user who has left as hero", || heroes.to_string())
}

/// An invite is taken out of the section for invites when it is accepted.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_invited-room",
    level = Must,
    severity = Interop
)]
async fn accepted_invite_becomes_a_joined_room(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"invite": [bob.id()]})).await?;
    let sync = bob.initial_sync().await?;
    sync.answer().must(!sync.invited(&room).is_null(), "the invite", || "nothing of it".to_owned())?;
    sync.answer().must(sync.joined(&room).is_null(), "no joined room yet", || sync.joined(&room).to_string())?;

    bob.join(&room).await?;

    let sync = bob.sees("the joined room", |sync| !sync.joined(&room).is_null()).await?;
    sync.answer().must(sync.invited(&room).is_null(), "no invite any more", || sync.invited(&room).to_string())
}
