//! `client-server-api/#events-on-change-of-profile-information`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::profiles::{AVATAR, fields, value_of};
use crate::{cast::Homeserver, verdict::Verdict};

/// A change of display name or avatar reaches the members of the user's rooms as a new membership event.
#[conformance(
    spec = "client-server-api/#events-on-change-of-profile-information",
    level = Should,
    severity = Usability,
    each = fields
)]
async fn changes_reach_the_rooms(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;

    alice.set_profile_field(field, value_of(field)).await?;

    let shown = |event: &Value| {
        event["state_key"] == alice.id()
            && event["content"]["membership"] == "join"
            && event["content"][field] == value_of(field)
    };
    bob.sees("alice's membership with the new value", |sync| {
        sync.state_events(&room, "m.room.member").any(shown)
    })
    .await?;
    bob.state(&room, "m.room.member", alice.id()).await?.must_hold(&format!("/{field}"), value_of(field))
}

/// The membership events that the server makes for its users carry their display name and avatar.
#[conformance(
    spec = "client-server-api/#events-on-change-of-profile-information",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/events-on-change-of-profile-information/2"]
)]
async fn new_memberships_carry_it(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    alice.set_profile_field("displayname", json!("Alice who joins")).await?;
    alice.set_profile_field("avatar_url", json!(AVATAR)).await?;
    let room = bob.public_room_with(&[&alice]).await?;

    let membership = bob.state(&room, "m.room.member", alice.id()).await?;
    membership.must_hold("/displayname", "Alice who joins")?;
    membership.must_hold("/avatar_url", AVATAR)
}
