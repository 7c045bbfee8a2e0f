//! Who is in a room: `client-server-api/#getting-events-for-a-room`, `client-server-api/#room-membership`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver},
    path,
    verdict::{Stop, Verdict},
};

/// The rooms that a user has joined are listed, without those that the user is invited to or has left.
#[conformance(spec = "client-server-api/#get_matrixclientv3joined_rooms", level = Must, severity = Interop)]
async fn joined_rooms_are_listed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let stays = alice.room_with(&[&bob]).await?;
    let left = alice.room_with(&[&bob]).await?;
    let _invited = alice.create_room(json!({"invite": [bob.id()]})).await?;
    bob.leave(&left).await?;

    bob.has_joined(&[&stays]).await
}

/// The membership events of a room are listed, one for each user.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmembers",
    level = Must,
    severity = Interop
)]
async fn members_are_listed_with_their_membership(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.invite(&room, &carol).await?;
    alice.sees_membership(&room, &carol, "invite").await?;

    let members = alice.members(&room).await?;
    must_list(&members, &[(alice.id(), "join"), (bob.id(), "join"), (carol.id(), "invite")])
}

/// The list of members can be narrowed to a membership, or to all but one.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmembers",
    level = Must,
    severity = Interop
)]
async fn members_are_filtered_by_membership(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.invite(&room, &carol).await?;
    bob.leave(&room).await?;
    alice.sees_membership(&room, &bob, "leave").await?;

    let joined = alice.members(&room).query("membership", "join").await?;
    must_list(&joined, &[(alice.id(), "join")])?;
    let not_joined = alice.members(&room).query("not_membership", "join").await?;
    must_list(&not_joined, &[(bob.id(), "leave"), (carol.id(), "invite")])
}

/// With a token of `/sync`, the members of that point in time are listed.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmembers",
    level = Must,
    severity = Interop
)]
async fn members_at_a_point_in_time_are_listed(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let before = alice.say(&room, "before").await?;
    let filter = r#"{"room":{"timeline":{"limit":1}}}"#;
    let ask = || alice.sync_request().query("filter", filter);
    let sync = alice.sync_showing("the last event", ask, |sync| sync.has_event(&room, &before)).await?;
    let token = sync.joined(&room)["timeline"]["prev_batch"].as_str().unwrap_or_default().to_owned();
    carol.join(&room).await?;
    alice.sees_membership(&room, &carol, "join").await?;

    let then = alice.members(&room).query("at", token).await?;
    must_list(&then, &[(alice.id(), "join"), (bob.id(), "join")])
}

/// Somebody who has left reads the members as they were then; somebody who never was in the room reads
/// nothing.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmembers",
    level = Must,
    severity = Security
)]
async fn members_are_frozen_for_those_who_left(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    bob.leave(&room).await?;

    carol.members(&room).must_refuse(403, "M_FORBIDDEN").await?;
    carol.join(&room).await?;
    alice.sees_membership(&room, &carol, "join").await?;
    let members = bob.members(&room).await?;
    members.must_not_mention(carol.id())?;
    must_list(&members, &[(alice.id(), "join"), (bob.id(), "leave")])
}

/// The joined members are mapped to their profiles, without those who are invited or have left.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidjoined_members",
    level = Must,
    severity = Interop
)]
async fn joined_members_are_mapped_to_profiles(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let named = json!({"displayname": "Bob the Builder"});
    bob.put(path!("/_matrix/client/v3/profile/{}/displayname", bob.id()), named).await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.invite(&room, &carol).await?;
    alice.sees_membership(&room, &carol, "invite").await?;

    let joined = alice.get(path!("/_matrix/client/v3/rooms/{}/joined_members", room)).await?;
    let members = joined.at("/joined").as_object();
    let mut ids: Vec<&str> =
        members.into_iter().flat_map(|members| members.keys().map(String::as_str)).collect();
    ids.sort_unstable();
    joined.must(ids == sorted([alice.id(), bob.id()]), "the joined members", || format!("{ids:?}"))?;
    let name = &joined.at("/joined")[bob.id()]["display_name"];
    joined.must(name == "Bob the Builder", "the display name of a member", || name.to_string())
}

/// The joined members are for members only.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidjoined_members",
    level = Must,
    severity = Security,
    proves = ["client-server-api/get_matrixclientv3roomsroomidjoined_members/1"]
)]
async fn joined_members_are_for_members_only(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.leave(&room).await?;
    let path = path!("/_matrix/client/v3/rooms/{}/joined_members", room);

    eve.get(&path).must_refuse(403, "M_FORBIDDEN").await?;
    bob.get(&path).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

fn must_list(members: &Answer, expected: &[(&str, &str)]) -> Verdict {
    let chunk = members.must_have_list("/chunk")?;
    let came: Result<Vec<(&str, &str)>, Stop> =
        chunk.iter().map(|event| membership(members, event)).collect();
    let came = sorted(came?);
    let expected = sorted(expected.to_vec());
    members.must(came == expected, format!("{expected:?}"), || format!("{came:?}"))
}

fn membership<'a>(members: &Answer, event: &'a Value) -> Result<(&'a str, &'a str), Stop> {
    let (user, membership) = (event["state_key"].as_str(), event["content"]["membership"].as_str());
    members.must(user.is_some() && membership.is_some(), "membership events", || event.to_string())?;
    Ok((user.unwrap_or_default(), membership.unwrap_or_default()))
}

fn sorted<T: Ord, L: AsMut<[T]>>(mut list: L) -> L {
    list.as_mut().sort_unstable();
    list
}
