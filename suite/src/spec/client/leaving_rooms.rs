//! `client-server-api/#leaving-rooms`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    path,
    verdict::{Stop, Verdict},
};

const WITH_LEFT_ROOMS: &str = r#"{"room":{"include_leave":true}}"#;

/// A first `/sync` that shows a room as left.
async fn sync_with_left(user: &User, room: &str) -> Result<Sync, Stop> {
    let ask = || user.sync_request().query("filter", WITH_LEFT_ROOMS);
    user.sync_showing("the room under rooms.leave", ask, |sync| !sync.left(room).is_null()).await
}

/// A server says that rooms are forgotten when they are left, if it does so, and does not say so otherwise.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidleave",
    level = Must,
    severity = Usability,
    since = "v1.18",
    proves = ["client-server-api/post_matrixclientv3roomsroomidleave/1"]
)]
async fn forgetting_is_told(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let capabilities = bob.get("/_matrix/client/v3/capabilities").await?;
    let told = capabilities.at("/capabilities/m.forget_forced_upon_leave/enabled") == true;
    bob.leave(&room).await?;

    // A forgotten room is one whose history is no longer the user's, and which no sync tells of.
    let history = bob.messages(&room, "b").answer().await?;
    let forgotten = history.status().is_client_error();
    let words = |forgotten: bool| if forgotten { "a forgotten room" } else { "a room that was left" };
    history.must(forgotten == told, words(told), || words(forgotten).to_owned())?;
    if told {
        let ask = || bob.sync_request().query("filter", WITH_LEFT_ROOMS);
        return ask().await?.answer().must_not_mention(&room);
    }
    sync_with_left(&bob, &room).await.map(drop)
}

/// Somebody who leaves a room is no longer a member of it and cannot send to it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidleave",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroommember/1"]
)]
async fn membership_ends(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;

    bob.post(path!("/_matrix/client/v3/rooms/{}/leave", room), json!({"reason": "late"})).await?;

    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "leave")?;
    member.must_hold("/reason", "late")?;
    bob.has_joined(&[]).await?;
    bob.say(&room, "from outside").must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// Events that are sent after a user has left the room do not reach that user.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidleave",
    level = Must,
    severity = Security
)]
async fn later_events_are_not_seen(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;
    bob.leave(&room).await?;

    let secret = alice.say(&room, "among ourselves").await?;

    bob.must_never_see("an event after leaving", |sync| sync.mentions(&secret)).await?;
    bob.event(&room, &secret).must_be(404).await?;
    Ok(())
}

/// Whoever has left a room that requires an invite needs a new one to return.
#[conformance(spec = "client-server-api/#leaving-rooms", level = Must, severity = Security)]
async fn return_requires_a_new_invite(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.leave(&room).await?;

    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    alice.invite(&room, &bob).await?;
    bob.join(&room).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// Leaving a room that one is invited to rejects the invite, which is then gone.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidleave",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/mroommember/1"]
)]
async fn invite_is_rejected(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "private_chat", "invite": [bob.id()]})).await?;
    bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;

    bob.leave(&room).await?;

    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "leave")?;
    bob.sees("the rejection", |sync| !sync.left(&room).is_null() && sync.invited(&room).is_null()).await?;
    let gone = |sync: &Sync| sync.invited(&room).is_null();
    bob.sync_showing("no invite after its rejection", || bob.sync_request(), gone).await?;
    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// An invite can be rejected although everybody has left the room, and the room can be forgotten then.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidleave",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/mroommember/1"]
)]
async fn invite_to_an_empty_room_is_rejected(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "private_chat", "invite": [bob.id()]})).await?;
    bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    alice.leave(&room).await?;

    bob.leave(&room).await?;

    bob.sees("the rejection", |sync| !sync.left(&room).is_null() && sync.invited(&room).is_null()).await?;
    bob.forget(&room).await?;
    let ask = || bob.sync_request().query("filter", WITH_LEFT_ROOMS);
    bob.sync_showing("nothing of a forgotten room", ask, |sync| !sync.mentions(&room)).await.map(drop)
}

/// A room that was left is in `/sync` from the beginning only where the filter asks for it.
#[conformance(spec = "client-server-api/#leaving-rooms", level = Must, severity = Usability)]
async fn left_room_is_shown_on_request(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.leave(&room).await?;

    sync_with_left(&bob, &room).await?;
    bob.initial_sync().await?.answer().must_not_mention(&room)
}

/// What a room was like when it was left is told whole, and nothing later: its state from before the timeline, and that the
/// timeline has a gap.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Usability)]
async fn left_room_is_told_whole(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let topic = alice.set_state(&room, "m.room.topic", "", json!({"topic": "farewells"})).await?;
    let last = alice.say(&room, "farewell").await?;
    bob.sees_event(&room, &last).await?;
    bob.leave(&room).await?;
    let later = alice.say(&room, "now that you are gone").await?;
    alice.sees_event(&room, &later).await?;

    let filter = r#"{"room":{"include_leave":true,"timeline":{"limit":1}}}"#;
    let ask = || bob.sync_request().query("filter", filter);
    let sync = bob.sync_showing("the room as left", ask, |sync| !sync.left(&room).is_null()).await?;

    let place = format!("/rooms/leave/{room}");
    sync.answer().must_hold(&format!("{place}/timeline/limited"), true)?;
    let state = sync.answer().event_ids(&format!("{place}/state/events"));
    let whole = state.contains(&topic.as_str());
    sync.answer().must(whole, format!("the topic, {topic}, in its state"), || format!("{state:?}"))?;
    let timeline = sync.answer().must_have_list(&format!("{place}/timeline/events"))?;
    sync.answer().must(timeline.len() == 1, "the last event in its timeline", || format!("{timeline:?}"))?;
    sync.answer().must_not_mention(&later)
}

/// The state of a left room is told although nothing of its timeline is wanted, as it was when the room was left.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Usability)]
async fn state_of_a_left_room_needs_no_timeline(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let topic = alice.set_state(&room, "m.room.topic", "", json!({"topic": "farewells"})).await?;
    bob.leave(&room).await?;
    let later = alice.set_state(&room, "m.room.topic", "", json!({"topic": "those who stay"})).await?;
    alice.sees_event(&room, &later).await?;

    let filter = r#"{"room":{"include_leave":true,"timeline":{"types":[]}}}"#;
    let ask = || bob.sync_request().query("filter", filter);
    let sync = bob.sync_showing("the room as left", ask, |sync| !sync.left(&room).is_null()).await?;

    let place = format!("/rooms/leave/{room}");
    let timeline = sync.answer().event_ids(&format!("{place}/timeline/events"));
    sync.answer().must(timeline.is_empty(), "an empty timeline", || format!("{timeline:?}"))?;
    let state = sync.answer().event_ids(&format!("{place}/state/events"));
    let has_topic = state.contains(&topic.as_str());
    sync.answer().must(has_topic, format!("the topic, {topic}, in its state"), || format!("{state:?}"))?;
    sync.answer().must_not_mention(&later)
}

/// A room that was left since is told beside the full state of the others.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Usability)]
async fn leave_is_told_beside_the_full_state(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let since = bob.catches_up(&room).await?.next_batch().to_owned();
    bob.leave(&room).await?;

    let ask = || bob.sync_request().query("since", &since).query("full_state", "true");
    let left = |sync: &Sync| !sync.left(&room).is_null();
    let sync = bob.sync_showing("the left room", ask, left).await?;
    sync.answer().must(sync.joined(&room).is_null(), "no joined room", || sync.joined(&room).to_string())
}

/// Until it is forgotten, the history that a user could read before leaving stays readable.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidleave",
    level = Must,
    severity = Usability
)]
async fn earlier_history_stays_readable(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let before = alice.say(&room, "while you are here").await?;
    bob.leave(&room).await?;
    let after = alice.say(&room, "now that you are gone").await?;
    alice.sees_event(&room, &after).await?;
    let capabilities = bob.get("/_matrix/client/v3/capabilities").await?;
    if capabilities.at("/capabilities/m.forget_forced_upon_leave/enabled") == true {
        return Err(Stop::NotApplicable("the server forgets every room that is left".to_owned()));
    }

    let history = bob.messages(&room, "b").query("limit", "50").await?;
    let came = history.event_ids("/chunk");
    history
        .must(came.contains(&before.as_str()), format!("{before}, sent before"), || format!("{came:?}"))?;
    history.must(!came.contains(&after.as_str()), format!("no {after}, sent after"), || format!("{came:?}"))
}

/// A room cannot be forgotten by somebody who has not left it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidforget",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3roomsroomidforget/1"]
)]
async fn members_cannot_forget(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    alice.forget(&room).must_be(400).await?;
    alice.has_joined(&[&room]).await
}

/// A room that a user has left and forgotten is gone from `/sync`, and its history can no longer be read.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidforget",
    level = Must,
    severity = Usability
)]
async fn forgotten_room_is_gone(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let event = alice.say(&room, "to be forgotten").await?;
    bob.leave(&room).await?;
    sync_with_left(&bob, &room).await?;

    bob.forget(&room).await?;

    let ask = || bob.sync_request().query("filter", WITH_LEFT_ROOMS);
    bob.sync_showing("nothing of a forgotten room", ask, |sync| !sync.mentions(&room)).await?;
    bob.messages(&room, "b").must_refuse(403, "M_FORBIDDEN").await?;
    alice.event(&room, &event).await?.must_hold("/event_id", event)
}

/// A forgotten room comes back with its members and history when the user joins it again.
#[conformance(spec = "client-server-api/#leaving-rooms", level = Must, severity = Interop)]
async fn forgotten_room_returns_on_rejoin(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    bob.leave(&room).await?;
    bob.forget(&room).await?;
    let event = alice.say(&room, "while you were away").await?;

    bob.join(&room).await?;

    bob.sees_membership(&room, &bob, "join").await?;
    hs.page_with(&event, || bob.messages(&room, "b").query("limit", "50")).await.map(drop)
}

/// Kicking sets the membership to `leave` with the reason, and the user is free to rejoin a public room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidkick",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/mroommember/1"]
)]
async fn kicked_user_has_left(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;

    let body = json!({"user_id": bob.id(), "reason": "house rules"});
    alice.post(path!("/_matrix/client/v3/rooms/{}/kick", room), body).await?;

    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "leave")?;
    member.must_hold("/reason", "house rules")?;
    bob.sees("the kick", |sync| !sync.left(&room).is_null()).await?;
    bob.say(&room, "still here").must_refuse(403, "M_FORBIDDEN").await?;
    bob.join(&room).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// A member without the power level to kick, or with no more power than the other, cannot.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidkick",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/leaving-rooms/2",
        "client-server-api/post_matrixclientv3roomsroomidkick/1",
        "client-server-api/mroompower_levels/1",
    ]
)]
async fn kicking_requires_power(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.public_room_with(&[&bob, &carol]).await?;
    bob.kick(&room, &carol).must_refuse(403, "M_FORBIDDEN").await?;
    alice.empower(&room, 50, &[&bob, &carol]).await?;

    bob.kick(&room, &alice).must_refuse(403, "M_FORBIDDEN").await?;
    bob.kick(&room, &carol).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.member", carol.id()).await?.must_hold("/membership", "join")
}

/// Somebody who is not in the room cannot be kicked, and cannot kick.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidkick",
    level = Must,
    severity = Interop
)]
async fn only_members_kick_and_are_kicked(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;

    alice.kick(&room, &eve).must_refuse(403, "M_FORBIDDEN").await?;
    eve.kick(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;
    bob.leave(&room).await?;
    alice.kick(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// Somebody who was neither invited nor has joined cannot leave.
#[conformance(
    spec = "client-server-api/#leaving-rooms",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/leaving-rooms/1"]
)]
async fn strangers_cannot_leave(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;

    eve.leave(&room).must_be_refused().await?;

    alice.state(&room, "m.room.member", eve.id()).must_refuse(404, "M_NOT_FOUND").await.map(drop)
}
