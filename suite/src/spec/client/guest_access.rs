//! `client-server-api/#guest-access`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// A guest joins a room that lets guests in, and can speak in it.
#[conformance(
    spec = "client-server-api/#guest-access",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-11/1"]
)]
async fn open_rooms_can_be_joined(hs: &Homeserver) -> Verdict {
    let guest = guest(hs).await?;
    let [alice] = hs.users().await?;
    let room = room_for_guests(&alice, "can_join").await?;

    guest.enter(&room).await?;
    let event_id = guest.say(&room, "a guest").await?;

    alice.event(&room, &event_id).await?.must_hold("/sender", guest.id())
}

/// A guest cannot join a room that does not let guests in, whether it says so or says nothing.
#[conformance(
    spec = "client-server-api/#guest-access",
    level = Must,
    severity = Security,
    each = closed,
    proves = ["client-server-api/server-behaviour-11/1", "client-server-api/mroomguest_access/1"]
)]
async fn other_rooms_cannot_be_joined(hs: &Homeserver, access: &'static str) -> Verdict {
    let guest = guest(hs).await?;
    let [alice] = hs.users().await?;
    let room = match access {
        // The preset brings no m.room.guest_access event.
        "absent" => alice.create_room(json!({"preset": "public_chat"})).await?,
        _ => room_for_guests(&alice, access).await?,
    };

    must_be_closed_to_guests(guest.enter(&room)).await?;

    let members = alice.get(crate::path!("/_matrix/client/v3/rooms/{}/joined_members", room)).await?;
    members.must_have(&format!("/joined/{}", alice.id()))?;
    members.must_not_mention(guest.id())
}

fn closed() -> [&'static str; 2] {
    ["forbidden", "absent"]
}

/// Guests leave a room as soon as it does not let guests in any more.
#[conformance(
    spec = "client-server-api/#guest-access",
    level = Must,
    severity = Security,
    proves = ["client-server-api/server-behaviour-11/2"]
)]
async fn guests_leave_when_access_ends(hs: &Homeserver) -> Verdict {
    let guest = guest(hs).await?;
    let [alice, bob] = hs.users().await?;
    let room = room_for_guests(&alice, "can_join").await?;
    guest.enter(&room).await?;
    bob.join(&room).await?;

    alice.set_state(&room, "m.room.guest_access", "", json!({"guest_access": "forbidden"})).await?;

    let state = || alice.state(&room, "m.room.member", guest.id());
    hs.eventually("that the guest has left", state, |answer| answer.at("/membership") == "leave").await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// A guest cannot use what is reserved for users: to create rooms, for one.
#[conformance(spec = "client-server-api/#guest-access", level = Should, severity = Security)]
async fn rooms_cannot_be_created(hs: &Homeserver) -> Verdict {
    let guest = guest(hs).await?;
    must_be_closed_to_guests(guest.create_room(json!({}))).await
}

/// A guest may have a display name and no other field in the profile.
#[conformance(spec = "client-server-api/#guest-access", level = Should, severity = Security)]
async fn display_name_alone_can_be_set(hs: &Homeserver) -> Verdict {
    let guest = guest(hs).await?;
    guest.set_profile_field("displayname", json!("a guest")).await?;
    guest.set_profile_field("avatar_url", json!("mxc://determinant.invalid/guest")).must_be_refused().await?;

    let [alice] = hs.users().await?;
    let room = room_for_guests(&alice, "can_join").await?;
    guest.enter(&room).await?;
    let profile = alice.profile(guest.id()).await?;
    profile.must_hold("/displayname", "a guest")?;
    profile.must_not_mention("mxc://determinant.invalid/guest")
}

/// Guests are refused as such, or like everybody else who may not: `client-server-api/#other-error-codes`.
async fn must_be_closed_to_guests<T: 'static>(call: Call<T>) -> Verdict {
    let codes = [(403, "M_GUEST_ACCESS_FORBIDDEN"), (403, "M_FORBIDDEN")];
    call.answer().await?.must_refuse_with_one_of(&codes).map(drop)
}

/// A guest account; the test does not apply where the server has none.
async fn guest(hs: &Homeserver) -> Result<User, Stop> {
    let answer = hs.post("/_matrix/client/v3/register", json!({})).query("kind", "guest").answer().await?;
    if answer.status() == 403 {
        return Err(Stop::NotApplicable("the server does not register guests".to_owned()));
    }
    hs.session(&answer.must_succeed()?, "")
}

async fn room_for_guests(user: &User, access: &str) -> Result<String, Stop> {
    let state =
        json!([{"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": access}}]);
    user.create_room(json!({"preset": "public_chat", "initial_state": state})).await
}
