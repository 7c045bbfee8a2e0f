//! `client-server-api/#restricted-rooms`

use protocol::RoomVersion;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User},
    verdict::{Stop, Verdict},
};

/// The room versions that know restricted rooms.
fn versions_with_restriction() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().filter(|version| version.restricted)
}

async fn room_for_members_of(
    hs: &Homeserver,
    alice: &User,
    version: &RoomVersion,
    join_rule: &str,
    other: &str,
) -> Result<String, Stop> {
    hs.must_offer(version)?;
    let content = json!({"join_rule": join_rule, "allow": [{"type": "m.room_membership", "room_id": other}]});
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": content});
    alice.create_room(json!({"room_version": version.id, "initial_state": [rule]})).await
}

/// A restricted room admits the members of the room that its rules name, and nobody else without an invite.
#[conformance(
    spec = "client-server-api/#restricted-rooms",
    level = Must,
    severity = Security,
    each = versions_with_restriction,
    proves = ["client-server-api/restricted-rooms/2"]
)]
async fn membership_elsewhere_admits(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let club = alice.room_with(&[&bob]).await?;
    let room = room_for_members_of(hs, &alice, version, "restricted", &club).await?;

    eve.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    bob.join(&room).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// Somebody who is only invited to the other room, or has left it, does not satisfy the condition.
#[conformance(
    spec = "client-server-api/#conditions",
    level = Must,
    severity = Security,
    proves = ["client-server-api/restricted-rooms/2"]
)]
async fn only_joined_members_satisfy_the_condition(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let club = alice.room_with(&[&bob]).await?;
    alice.invite(&club, &carol).await?;
    bob.leave(&club).await?;
    let room = room_for_members_of(hs, &alice, &protocol::room_version::V11, "restricted", &club).await?;

    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    carol.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    carol.join(&club).await?;
    carol.join(&room).await?;
    alice.state(&room, "m.room.member", carol.id()).await?.must_hold("/membership", "join")
}

/// An invite admits to a restricted room, whatever its conditions.
#[conformance(
    spec = "client-server-api/#restricted-rooms",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/restricted-rooms/1"]
)]
async fn invite_admits_as_well(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let club = alice.room_with(&[]).await?;
    let room = room_for_members_of(hs, &alice, &protocol::room_version::V11, "restricted", &club).await?;
    alice.invite(&room, &bob).await?;

    bob.join(&room).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}

/// Conditions that are malformed let nobody in, and those beside them count.
#[conformance(
    spec = "client-server-api/#mroomjoin_rules",
    level = Must,
    severity = Security,
    each = malformed_conditions
)]
async fn malformed_conditions_admit_nobody(hs: &Homeserver, defect: &'static str) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice, bob] = hs.users().await?;
    let club = alice.room_with(&[&bob]).await?;
    let allow = match defect {
        "no list" => json!("m.room_membership"),
        "no objects" => json!(["not an object", 7]),
        "no type" => json!([{"room_id": club}]),
        "unknown type" => json!([{"type": "org.determinant.condition", "room_id": club}]),
        _ => {
            json!([{"type": "m.room_membership", "room_id": "not a room id"}, {"type": "m.room_membership"}])
        }
    };
    let room = alice.room_of_version_with(Some("11"), &[]).await?;
    let rules = |allow: Value| json!({"join_rule": "restricted", "allow": allow});
    // A server may as well refuse to set them.
    alice.set_state(&room, "m.room.join_rules", "", rules(allow.clone())).answer().await?;

    bob.join(&room).must_be_refused().await?;
    let mut mixed = allow.as_array().cloned().unwrap_or_default();
    mixed.push(json!({"type": "m.room_membership", "room_id": club}));
    if alice
        .set_state(&room, "m.room.join_rules", "", rules(json!(mixed)))
        .answer()
        .await?
        .status()
        .is_success()
    {
        bob.join(&room).await?;
    }
    Ok(())
}

fn malformed_conditions() -> [&'static str; 5] {
    ["no list", "no objects", "no type", "unknown type", "no room"]
}

/// The condition is checked when joining only: a member stays after leaving the other room.
#[conformance(spec = "client-server-api/#restricted-rooms", level = Must, severity = Interop)]
async fn condition_need_not_last(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let club = alice.room_with(&[&bob]).await?;
    let room = room_for_members_of(hs, &alice, &protocol::room_version::V11, "restricted", &club).await?;
    bob.join(&room).await?;
    bob.leave(&club).await?;

    let said = bob.say(&room, "still here").await?;
    alice.event(&room, &said).await?.must_hold("/sender", bob.id())
}

/// The rule `knock_restricted` lets members of the other room join, and others knock.
#[conformance(spec = "client-server-api/#knocking-on-rooms", level = Must, severity = Interop)]
async fn knock_restricted_does_both(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let club = alice.room_with(&[&bob]).await?;
    let room =
        room_for_members_of(hs, &alice, &protocol::room_version::V11, "knock_restricted", &club).await?;

    bob.join(&room).await?;
    carol.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    carol.knock(&room).await?;
    alice.state(&room, "m.room.member", carol.id()).await?.must_hold("/membership", "knock")
}

/// With `knock_restricted`, whoever left the other room cannot join any more, and an invite admits.
#[conformance(
    spec = "client-server-api/#restricted-rooms",
    level = Must,
    severity = Security,
    proves = ["client-server-api/restricted-rooms/1", "client-server-api/restricted-rooms/2"]
)]
async fn knock_restricted_restricts(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let club = alice.room_with(&[&bob]).await?;
    let room =
        room_for_members_of(hs, &alice, &protocol::room_version::V11, "knock_restricted", &club).await?;
    bob.join(&room).await?;
    bob.leave(&room).await?;
    bob.leave(&club).await?;

    bob.join(&room).must_refuse(403, "M_FORBIDDEN").await?;
    alice.invite(&room, &bob).await?;
    bob.join(&room).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join")
}
