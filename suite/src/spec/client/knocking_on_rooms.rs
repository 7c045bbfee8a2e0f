//! `client-server-api/#knocking-on-rooms`

use protocol::RoomVersion;
use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    path,
    verdict::{Stop, Verdict},
};

/// The room versions that know how to knock.
fn versions_with_knocking() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().filter(|version| version.knock)
}

pub(super) async fn room_to_knock_on(
    hs: &Homeserver,
    alice: &User,
    version: &RoomVersion,
) -> Result<String, Stop> {
    hs.must_offer(version)?;
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}});
    let body = json!({"room_version": version.id, "name": "closed door", "initial_state": [rule]});
    alice.create_room(body).await
}

/// A knock shows in the `/sync` of the user with the state that describes the room, and to the members as a
/// membership event with its reason.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3knockroomidoralias",
    level = Must,
    severity = Interop,
    each = versions_with_knocking,
    proves = ["client-server-api/post_matrixclientv3knockroomidoralias/2"]
)]
async fn knock_shows_on_both_sides(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_to_knock_on(hs, &alice, version).await?;

    let knock = bob.post(path!("/_matrix/client/v3/knock/{}", room), json!({"reason": "let me in"})).await?;

    knock.must_hold("/room_id", room.as_str())?;
    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "knock")?;
    member.must_hold("/reason", "let me in")?;
    let sync = bob.sees("the knock", |sync| !sync.knocked(&room).is_null()).await?;
    let name = sync.stripped_state(&room, "m.room.name", "");
    sync.answer().must(
        name["content"]["name"] == "closed door" && name["sender"] == alice.id(),
        "the name of the room in knock_state",
        || name.to_string(),
    )
}

/// Nobody can knock on a room whose join rules do not provide for it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3knockroomidoralias",
    level = Must,
    severity = Security
)]
async fn join_rules_must_allow_it(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "private_chat"})).await?;

    bob.knock(&room).must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&room, "m.room.member", bob.id()).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// A knock does not admit: the room cannot be joined before an invite accepts it.
#[conformance(
    spec = "client-server-api/#knocking-on-rooms",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroommember/8", "client-server-api/knocking-on-rooms/3"]
)]
async fn invite_accepts_a_knock(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_to_knock_on(hs, &alice, &protocol::room_version::V11).await?;
    bob.knock(&room).await?;

    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    alice.invite(&room, &bob).await?;
    // The server may join on the user's behalf.
    bob.join(&room).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// A knock is denied by kicking the user.
#[conformance(
    spec = "client-server-api/#knocking-on-rooms",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/mroommember/1"]
)]
async fn kick_denies_a_knock(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_to_knock_on(hs, &alice, &protocol::room_version::V11).await?;
    bob.knock(&room).await?;
    bob.sees("the knock", |sync| !sync.knocked(&room).is_null()).await?;

    alice.kick(&room, &bob).await?;

    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "leave")?;
    bob.sees("the end of the knock", |sync| !sync.left(&room).is_null()).await?;
    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// A knock is accepted only by one who may invite, and denied only by one who may kick or ban.
#[conformance(
    spec = "client-server-api/#knocking-on-rooms",
    level = Must,
    severity = Security,
    proves = ["client-server-api/knocking-on-rooms/1", "client-server-api/knocking-on-rooms/2"]
)]
async fn powerless_members_decide_no_knock(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = room_to_knock_on(hs, &alice, &protocol::room_version::V11).await?;
    alice.invite(&room, &carol).await?;
    carol.join(&room).await?;
    let mut levels = alice.state(&room, "m.room.power_levels", "").await?.json().clone();
    levels["invite"] = json!(50);
    alice.set_state(&room, "m.room.power_levels", "", levels).await?;
    bob.knock(&room).await?;

    carol.invite(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;
    carol.kick(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;
    carol.ban(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;

    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "knock")
}

/// A knock is retracted by leaving.
#[conformance(
    spec = "client-server-api/#knocking-on-rooms",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/mroommember/1"]
)]
async fn leaving_retracts_a_knock(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_to_knock_on(hs, &alice, &protocol::room_version::V11).await?;
    bob.knock(&room).await?;
    bob.sees("the knock", |sync| !sync.knocked(&room).is_null()).await?;

    bob.leave(&room).await?;

    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "leave")?;
    let retracted = |sync: &Sync| sync.knocked(&room).is_null();
    bob.sync_showing("no knock after it was retracted", || bob.sync_request(), retracted).await.map(drop)
}

/// Whoever has knocked can knock again, with another reason.
#[conformance(
    spec = "rooms/v11/#authorisation-rules",
    level = Must,
    severity = Usability,
    each = versions_with_knocking
)]
async fn knock_can_be_repeated(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_to_knock_on(hs, &alice, version).await?;
    bob.knock(&room).await?;

    bob.post(path!("/_matrix/client/v3/knock/{}", room), json!({"reason": "still here"})).await?;

    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "knock")?;
    member.must_hold("/reason", "still here")
}

/// Users who are in the room, invited to it or banned from it cannot knock.
#[conformance(
    spec = "client-server-api/#knocking-on-rooms",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroommember/4", "client-server-api/mroommember/7"]
)]
async fn related_users_cannot_knock(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = room_to_knock_on(hs, &alice, &protocol::room_version::V11).await?;
    alice.invite(&room, &bob).await?;
    alice.ban(&room, &eve).await?;

    alice.knock(&room).must_be(403).await?;
    bob.knock(&room).must_be(403).await?;
    eve.knock(&room).must_be(403).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "invite")
}

/// Knocking on a room that does not exist fails.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3knockroomidoralias",
    level = Must,
    severity = Interop
)]
async fn unknown_alias_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let alias = format!("#{}-nowhere:{}", alice.localpart(), hs.name());

    alice.knock(&alias).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}
