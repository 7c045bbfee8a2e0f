//! `client-server-api/#banning-users-in-a-room`
//!
//! The text gives the status of the refusals that a ban brings; the code, which must be a "meaningful" one,
//! is left open.

use serde_json::json;
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

/// A banned user is out of the room, and can neither send to it nor rejoin.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidban",
    level = Must,
    severity = Security,
    proves = ["client-server-api/banning-users-in-a-room/3", "client-server-api/mroommember/6"]
)]
async fn banned_user_stays_out(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;

    let body = json!({"user_id": bob.id(), "reason": "enough"});
    alice.post(path!("/_matrix/client/v3/rooms/{}/ban", room), body).await?;

    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "ban")?;
    member.must_hold("/reason", "enough")?;
    bob.sees("the ban", |sync| !sync.left(&room).is_null()).await?;
    bob.say(&room, "still here").must_refuse(403, "M_FORBIDDEN").await?;
    bob.join(&room).must_be(403).await?;
    bob.has_joined(&[]).await
}

/// A user can be banned who was never in the room, and can then not join it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidban",
    level = Must,
    severity = Security
)]
async fn strangers_can_be_banned(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;

    alice.ban(&room, &eve).await?;

    alice.state(&room, "m.room.member", eve.id()).await?.must_hold("/membership", "ban")?;
    eve.join(&room).must_be(403).await?;
    Ok(())
}

/// A banned user cannot be invited.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/banning-users-in-a-room/3", "client-server-api/mroommember/5"]
)]
async fn banned_user_cannot_be_invited(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.ban(&room, &bob).await?;

    alice.invite(&room, &bob).must_be(403).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "ban")
}

/// Lifting a ban lets the user join again where the join rules allow it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidunban",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/mroommember/1"]
)]
async fn lifted_ban_opens_the_room(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    alice.ban(&room, &bob).await?;

    alice.unban(&room, &bob).await?;

    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "leave")?;
    bob.join(&room).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// A lifted ban does not open a room that requires an invite.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidunban",
    level = Must,
    severity = Security
)]
async fn lifted_ban_is_no_invite(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.ban(&room, &bob).await?;
    alice.unban(&room, &bob).await?;

    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "leave")
}

/// The ban of a user who is not banned cannot be lifted, and nothing changes.
#[conformance(
    spec = "client-server-api/#common-error-codes",
    level = Must,
    severity = Interop,
    each = other_memberships
)]
async fn nobody_else_is_unbanned(hs: &Homeserver, membership: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = match membership {
        "join" => alice.room_with(&[&bob]).await?,
        _ => alice.create_room(json!({"invite": [bob.id()]})).await?,
    };

    let answer = alice.unban(&room, &bob).answer().await?;

    // The status depends on the endpoint, where nothing is said of this case.
    let status = answer.status().as_u16();
    answer.must_refuse(status, "M_BAD_STATE")?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", membership)
}

fn other_memberships() -> [&'static str; 2] {
    ["join", "invite"]
}

/// A member without the power level to ban can neither ban nor lift a ban.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidban",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/banning-users-in-a-room/1",
        "client-server-api/post_matrixclientv3roomsroomidban/1",
        "client-server-api/post_matrixclientv3roomsroomidunban/1",
        "client-server-api/mroompower_levels/1",
    ]
)]
async fn banning_requires_power(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;

    bob.ban(&room, &carol).must_refuse(403, "M_FORBIDDEN").await?;
    alice.ban(&room, &carol).await?;
    bob.unban(&room, &carol).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.member", carol.id()).await?.must_hold("/membership", "ban")
}

/// Somebody who is not in the room cannot ban.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidban",
    level = Must,
    severity = Security
)]
async fn only_members_ban(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;

    eve.ban(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// Setting the membership to `ban` as state is the same as banning.
#[conformance(spec = "client-server-api/#banning-users-in-a-room", level = Must, severity = Interop)]
async fn membership_can_be_set_as_state(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;

    alice.set_state(&room, "m.room.member", bob.id(), json!({"membership": "ban"})).await?;

    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "ban")?;
    bob.join(&room).must_be(403).await?;
    Ok(())
}
