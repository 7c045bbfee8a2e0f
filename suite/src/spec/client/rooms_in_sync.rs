//! The sections of a `/sync` response: `client-server-api/#get_matrixclientv3sync_response-200_rooms`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync},
    verdict::Verdict,
};

/// A room that was joined, left and joined again between two responses is a joined room, and no left one.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_rooms",
    level = Must,
    severity = Interop
)]
async fn last_membership_decides_the_section(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    let since = bob.initial_sync().await?.next_batch().to_owned();
    bob.join(&room).await?;
    bob.leave(&room).await?;
    bob.join(&room).await?;

    let event_id = alice.say(&room, "welcome back").await?;

    let ask = || bob.sync_request().query("since", &since);
    let sync = bob.sync_showing("the message", ask, |sync| sync.has_event(&room, &event_id)).await?;
    sync.answer().must(sync.left(&room).is_null(), "the room among the joined ones only", || {
        sync.left(&room).to_string()
    })?;
    let creates = sync.state_events(&room, "m.room.create").count();
    sync.answer().must(creates == 1, "the whole state of the room", || format!("{creates} create events"))
}

/// A user's own leave is in the timeline of the left room, even where only members read the history.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_left-room",
    level = Must,
    severity = Usability
)]
async fn own_leave_is_shown(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let visibility =
        json!({"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}});
    let room = alice.create_room(json!({"preset": "public_chat", "initial_state": [visibility]})).await?;
    bob.join(&room).await?;
    let since = bob.catches_up(&room).await?.next_batch().to_owned();
    let before = alice.say(&room, "before the leave").await?;
    bob.leave(&room).await?;
    let after = alice.say(&room, "after the leave").await?;

    let left = |sync: &Sync| !sync.left(&room).is_null();
    let ask = || bob.sync_request().query("since", &since);
    let sync = bob.sync_showing("the left room", ask, left).await?;
    let timeline = sync.left(&room)["timeline"]["events"].as_array().cloned().unwrap_or_default();
    let leaves = |event: &Value| event["state_key"] == bob.id() && event["content"]["membership"] == "leave";
    sync.answer().must(timeline.iter().any(leaves), "the own leave", || format!("{timeline:?}"))?;
    sync.answer().must(
        timeline.iter().any(|event| event["event_id"] == before.as_str()),
        "the event before it",
        || format!("{timeline:?}"),
    )?;
    sync.answer().must_not_mention(&after)?;
    bob.sees("the left room", left).await?;
    bob.must_never_see("the left room once more", |sync| sync.mentions(&room)).await
}

/// A room that was left during a gap is told of by the next `/sync`, however many events followed.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_left-room",
    level = Must,
    severity = Usability
)]
async fn leave_is_told_after_a_gap(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let since = bob.catches_up(&room).await?.next_batch().to_owned();
    for number in 0..3 {
        alice.say(&room, &format!("message {number}")).await?;
    }
    alice.kick(&room, &bob).await?;

    let filter = r#"{"room":{"timeline":{"limit":1}}}"#;
    let ask = || bob.sync_request().query("since", &since).query("filter", filter);
    let sync = bob.sync_showing("the left room", ask, |sync| !sync.left(&room).is_null()).await?;
    let timeline = sync.left(&room)["timeline"]["events"].as_array().cloned().unwrap_or_default();
    let kicked = |event: &Value| event["state_key"] == bob.id() && event["sender"] == alice.id();
    sync.answer().must(timeline.iter().any(kicked), "the kick in the left room", || format!("{timeline:?}"))
}

/// With `use_state_after`, a left room has its state in `state_after`, which stands there even when it is empty, and none in
/// `state`.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_left-room",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = changes,
    proves = ["client-server-api/get_matrixclientv3sync/18", "client-server-api/get_matrixclientv3sync/21"]
)]
async fn state_after_the_timeline_of_a_left_room(hs: &Homeserver, change: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let since = bob.catches_up(&room).await?.next_batch().to_owned();
    if change == "of state" {
        alice.set_state(&room, "m.room.name", "", json!({"name": "before the leave"})).await?;
    }
    bob.leave(&room).await?;

    let filter = match change {
        "of nothing that is wanted" => r#"{"room":{"state":{"not_types":["*"]}}}"#,
        _ => "{}",
    };
    let ask = || {
        let request = bob.sync_request().query("since", &since).query("filter", filter);
        request.query("use_state_after", "true")
    };
    let sync = bob.sync_showing("the left room", ask, |sync| !sync.left(&room).is_null()).await?;
    let left = sync.left(&room);
    sync.answer().must(left.get("state").is_none(), "no state", || left["state"].to_string())?;
    let after = &left["state_after"];
    sync.answer().must(after.is_object(), "state_after, even when it is empty", || left.to_string())?;
    if change == "of state" {
        let named = |event: &Value| event["content"]["name"] == "before the leave";
        let told = after["events"].as_array().is_some_and(|events| events.iter().any(named));
        sync.answer().must(told, "the new name in state_after", || after.to_string())?;
    }
    Ok(())
}

fn changes() -> [&'static str; 2] {
    ["of state", "of nothing that is wanted"]
}

/// A room whose invite was rejected is told whole when it is joined after all.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Interop)]
async fn room_is_whole_after_a_rejected_invite(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "private_chat", "invite": [bob.id()]})).await?;
    bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    bob.leave(&room).await?;
    let since = bob.sees("the rejection", |sync| !sync.left(&room).is_null()).await?.next_batch().to_owned();
    let public = json!({"join_rule": "public"});
    alice.set_state(&room, "m.room.join_rules", "", public).await?;
    bob.join(&room).await?;

    let ask = || bob.sync_request().query("since", &since).query("full_state", "true");
    let joined = |sync: &Sync| sync.has_membership(&room, bob.id(), "join");
    let sync = bob.sync_showing("the joined room", ask, joined).await?;

    for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules"] {
        let told = sync.state(&room).iter().chain(sync.timeline(&room)).any(|event| event["type"] == kind);
        sync.answer().must(told, format!("{kind} in the state or the timeline"), || "neither".to_owned())?;
    }
    Ok(())
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
    let sync = bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    sync.answer()
        .must(sync.joined(&room).is_null(), "no joined room yet", || sync.joined(&room).to_string())?;

    bob.join(&room).await?;

    let sync = bob.sees("the joined room", |sync| !sync.joined(&room).is_null()).await?;
    sync.answer()
        .must(sync.invited(&room).is_null(), "no invite any more", || sync.invited(&room).to_string())
}
