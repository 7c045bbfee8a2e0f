//! `client-server-api/#joining-rooms`

use serde_json::json;
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

/// A room that is public can be joined by its id, and the answer names the room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidjoin",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3roomsroomidjoin/2"]
)]
async fn public_room_is_joined_by_id(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;

    let answer = bob.post(path!("/_matrix/client/v3/rooms/{}/join", room), json!({})).await?;
    answer.must_hold("/room_id", room.as_str())?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// A room can be joined by an alias, and the answer names the room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3joinroomidoralias",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3joinroomidoralias/3"]
)]
async fn public_room_is_joined_by_alias(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let localpart = format!("{}-door", alice.localpart());
    let room = alice.create_room(json!({"preset": "public_chat", "room_alias_name": localpart})).await?;

    let joined = bob.join(&format!("#{localpart}:{}", hs.name())).await?;
    joined.must_hold("/room_id", room.as_str())?;
    bob.has_joined(&[&room]).await
}

/// A stranger cannot join a room that requires an invite; an invited user can.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3joinroomidoralias",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/mroomjoin_rules/1",
        "client-server-api/room-membership/1",
        "client-server-api/post_matrixclientv3joinroomidoralias/3",
        "client-server-api/mroommember/2",
    ]
)]
async fn invite_is_required_where_the_rules_say_so(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "private_chat"})).await?;

    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    bob.enter(&room).must_refuse(403, "M_FORBIDDEN").await?;
    alice.invite(&room, &bob).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "invite")?;
    bob.join(&room).await?.must_hold("/room_id", room.as_str())?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// The reason given with a join stands in the membership event.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3joinroomidoralias",
    level = Must,
    severity = Usability
)]
async fn reason_is_passed_on(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;

    bob.post(path!("/_matrix/client/v3/join/{}", room), json!({"reason": "to look around"})).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/reason", "to look around")
}

/// An invite reaches the invited user through `/sync`, as does its sender.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Interop
)]
async fn invite_reaches_the_invited_user(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let body = json!({"user_id": bob.id(), "reason": "for tea"});

    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), body).await?;

    let sync = bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    let event = sync.stripped_state(&room, "m.room.member", bob.id());
    let invited = event["content"]["membership"] == "invite";
    sync.answer().must(invited, "the invite as stripped state", || event.to_string())?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/reason", "for tea")?;
    eve.must_never_see("an invite to somebody else", |sync| sync.mentions(&room)).await
}

/// Inviting somebody who is invited already succeeds.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Usability
)]
async fn second_invite_succeeds(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"invite": [bob.id()]})).await?;

    alice.invite(&room, &bob).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "invite")
}

/// Somebody who is not in the room cannot invite to it, and is not told more than that.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Security
)]
async fn only_members_invite(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.create_room(json!({"invite": [bob.id()]})).await?;

    eve.invite(&room, &eve).must_refuse(403, "M_FORBIDDEN").await?;
    bob.invite(&room, &eve).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.member", eve.id()).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// A member without the power level to invite cannot.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroompower_levels/1"]
)]
async fn inviting_requires_power(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let body = json!({"invite": [bob.id()], "power_level_content_override": {"invite": 50}});
    let room = alice.create_room(body).await?;
    bob.join(&room).await?;

    bob.invite(&room, &carol).must_refuse(403, "M_FORBIDDEN").await?;
    alice.invite(&room, &carol).await?;
    alice.state(&room, "m.room.member", carol.id()).await?.must_hold("/membership", "invite")
}

/// A member of the room cannot be invited to it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/mroommember/3"]
)]
async fn members_cannot_be_invited(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;

    alice.invite(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;
    alice.invite(&room, &alice).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.member", alice.id()).await?.must_hold("/membership", "join")?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// Whoever made a room and has left it can be invited back by a member, and joins again.
#[conformance(spec = "client-server-api/#room-membership", level = Must, severity = Usability)]
async fn departed_creator_is_invited_back(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let body = json!({"preset": "private_chat", "invite": [bob.id()], "power_level_content_override": {"invite": 0}});
    let room = alice.create_room(body).await?;
    bob.join(&room).await?;
    alice.leave(&room).await?;
    alice.join(&room).must_refuse(403, "M_FORBIDDEN").await?;

    bob.invite(&room, &alice).await?;

    alice.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    alice.join(&room).await?;
    bob.state(&room, "m.room.member", alice.id()).await?.must_hold("/membership", "join")
}

/// A joined room appears in the `/sync` of the new member, and the join in that of the others.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3joinroomidoralias",
    level = Must,
    severity = Interop
)]
async fn join_shows_on_both_sides(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    alice.catches_up(&room).await?;
    bob.sync().await?;

    bob.join(&room).await?;

    alice.sees_membership(&room, &bob, "join").await?;
    let sync = bob.sees_membership(&room, &bob, "join").await?;
    let create = sync.state_events(&room, "m.room.create").count();
    sync.answer().must(create == 1, "the whole state of a room that is new to the user", || {
        format!("{create} create events")
    })
}
