//! `client-server-api/#permissions`: who may change power levels, and what they are worth.

use protocol::{RoomVersion, room_version::PowerLevelForm};
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User},
    verdict::{Stop, Verdict},
};

/// The room versions whose power levels are integers and nothing else.
fn integer_versions() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().filter(|version| version.power_levels == PowerLevelForm::Integer)
}

/// A room of alice in which bob has the power to change power levels, though not all of them.
async fn room_with_moderator(alice: &User, bob: &User, others: &[&User]) -> Result<String, Stop> {
    let members: Vec<&User> = [bob].into_iter().chain(others.iter().copied()).collect();
    let room = alice.public_room_with(&members).await?;
    let mut levels = alice.state(&room, "m.room.power_levels", "").await?.json().clone();
    levels["events"]["m.room.power_levels"] = json!(50);
    levels["users"][bob.id()] = json!(50);
    alice.set_state(&room, "m.room.power_levels", "", levels).await?;
    Ok(room)
}

/// The power levels of a room, with a change.
async fn changed(user: &User, room: &str, change: impl FnOnce(&mut Value)) -> Result<Value, Stop> {
    let mut levels = user.state(room, "m.room.power_levels", "").await?.json().clone();
    change(&mut levels);
    Ok(levels)
}

/// A user grants others as much power as they have themselves, and no more.
#[conformance(spec = "client-server-api/#permissions", level = Must, severity = Security)]
async fn own_level_is_the_most_to_grant(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = room_with_moderator(&alice, &bob, &[&carol]).await?;

    let too_much = changed(&bob, &room, |levels| levels["users"][carol.id()] = json!(51)).await?;
    bob.set_state(&room, "m.room.power_levels", "", too_much).must_refuse(403, "M_FORBIDDEN").await?;
    bob.empower(&room, 50, &[&carol]).await?;
    let levels = alice.state(&room, "m.room.power_levels", "").await?;
    levels.must(levels.at("/users")[carol.id()] == 50, "the level that was granted", || {
        levels.at("/users").to_string()
    })
}

/// A user cannot take power from somebody who has as much, but can lower their own.
#[conformance(spec = "rooms/v11/#authorisation-rules", level = Must, severity = Security)]
async fn equals_cannot_be_demoted(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = room_with_moderator(&alice, &bob, &[&carol]).await?;
    alice.empower(&room, 50, &[&carol]).await?;

    let demoted = changed(&bob, &room, |levels| levels["users"][carol.id()] = json!(0)).await?;
    bob.set_state(&room, "m.room.power_levels", "", demoted).must_refuse(403, "M_FORBIDDEN").await?;
    bob.empower(&room, 10, &[&bob]).await?;
    let levels = alice.state(&room, "m.room.power_levels", "").await?;
    let users = levels.at("/users");
    levels.must(users[carol.id()] == 50 && users[bob.id()] == 10, "carol at 50 and bob at 10", || {
        users.to_string()
    })
}

/// A user can neither change a required level that is above their own, nor set one above it.
#[conformance(spec = "rooms/v11/#authorisation-rules", level = Must, severity = Security)]
async fn required_levels_out_of_reach_stay(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = room_with_moderator(&alice, &bob, &[]).await?;
    let announcement =
        changed(&alice, &room, |levels| levels["events"]["org.determinant.high"] = json!(60)).await?;
    alice.set_state(&room, "m.room.power_levels", "", announcement).await?;

    let lowered = changed(&bob, &room, |levels| levels["events"]["org.determinant.high"] = json!(0)).await?;
    bob.set_state(&room, "m.room.power_levels", "", lowered).must_refuse(403, "M_FORBIDDEN").await?;
    for key in ["ban", "events_default", "invite", "kick", "redact", "state_default", "users_default"] {
        let raised = changed(&bob, &room, |levels| levels[key] = json!(51)).await?;
        bob.set_state(&room, "m.room.power_levels", "", raised).must_refuse(403, "M_FORBIDDEN").await?;
    }
    let allowed = changed(&bob, &room, |levels| levels["invite"] = json!(50)).await?;
    bob.set_state(&room, "m.room.power_levels", "", allowed).await?;
    let levels = alice.state(&room, "m.room.power_levels", "").await?;
    levels.must_hold("/invite", 50)?;
    levels.must_hold("/events/org.determinant.high", 60)
}

/// Power levels that are not integers are refused.
#[conformance(
    spec = "rooms/v10/#values-in-mroompower_levels-events-must-be-integers",
    level = Must,
    severity = Security,
    each = integer_versions,
    proves = ["rooms/v10/values-in-mroompower_levels-events-must-be-integers/1"]
)]
async fn levels_are_integers(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice, bob] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[]).await?;

    for level in [json!("50"), json!(null), json!([50])] {
        let by_key = changed(&alice, &room, |levels| levels["ban"] = level.clone()).await?;
        alice.set_state(&room, "m.room.power_levels", "", by_key).must_be_refused().await?;
        let by_user = changed(&alice, &room, |levels| levels["users"][bob.id()] = level.clone()).await?;
        alice.set_state(&room, "m.room.power_levels", "", by_user).must_be_refused().await?;
    }
    let kept = alice.state(&room, "m.room.power_levels", "").await?;
    kept.must(
        kept.at("/ban").is_i64() && kept.at("/users").get(bob.id()).is_none(),
        "unchanged levels",
        || kept.json().to_string(),
    )
}

/// Levels that the event leaves out have their defaults: 0 for messages, 50 for state and to kick.
#[conformance(
    spec = "client-server-api/#mroompower_levels",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroompower_levels/1", "client-server-api/mroompower_levels/2"]
)]
async fn defaults_hold_where_levels_are_left_out(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let users = alice.state(&room, "m.room.power_levels", "").await?.at("/users").clone();
    alice.set_state(&room, "m.room.power_levels", "", json!({"users": users})).await?;

    let said = bob.say(&room, "messages need level 0").await?;
    alice.event(&room, &said).await?.must_hold("/sender", bob.id())?;
    bob.set_state(&room, "m.room.name", "", json!({"name": "his"})).must_refuse(403, "M_FORBIDDEN").await?;
    bob.kick(&room, &alice).must_refuse(403, "M_FORBIDDEN").await?;
    alice.set_state(&room, "m.room.name", "", json!({"name": "hers"})).await?;
    alice.state(&room, "m.room.name", "").await?.must_hold("/name", "hers")
}

/// Levels of which nothing is said have their defaults for whoever set them, too: from there on they are out of reach.
#[conformance(
    spec = "client-server-api/#mroompower_levels",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroompower_levels/1"]
)]
async fn empty_levels_bind_whoever_set_them(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some("11"), &[]).await?;
    let emptied = alice.set_state(&room, "m.room.power_levels", "", json!({})).answer().await?;
    // The rules want `users` to be an object, and do not say that it may be absent.
    if emptied.status().is_client_error() {
        return Err(Stop::NotApplicable("the server wants power levels to list users".to_owned()));
    }
    emptied.must_succeed()?;

    let own = json!({"users": {alice.id(): 100}});
    alice.set_state(&room, "m.room.power_levels", "", own).must_refuse(403, "M_FORBIDDEN").await?;
    let kept = alice.state(&room, "m.room.power_levels", "").await?;
    kept.must(*kept.json() == json!({}), "no levels", || kept.json().to_string())
}

/// Whoever has their level by the default of all users can lower that default, and has less from there on.
#[conformance(spec = "rooms/v11/#authorisation-rules", level = Must, severity = Security)]
async fn own_default_level_can_be_lowered(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some("11"), &[]).await?;
    let equal = changed(&alice, &room, |levels| {
        levels["users"] = json!({});
        levels["users_default"] = json!(100);
    });
    alice.set_state(&room, "m.room.power_levels", "", equal.await?).await?;

    let lower = changed(&alice, &room, |levels| levels["users_default"] = json!(40)).await?;
    alice.set_state(&room, "m.room.power_levels", "", lower).await?;

    alice.state(&room, "m.room.power_levels", "").await?.must_hold("/users_default", 40)?;
    alice
        .set_state(&room, "m.room.name", "", json!({"name": "hers"}))
        .must_refuse(403, "M_FORBIDDEN")
        .await?;
    Ok(())
}

/// The creator of a room of version 12 stays above every power level.
#[conformance(spec = "rooms/v12/#authorisation-rules", level = Must, severity = Security)]
async fn version_12_puts_creators_above_all(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V12)?;
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "public_chat", "room_version": "12"})).await?;
    bob.join(&room).await?;
    alice.empower(&room, 9_007_199_254_740_991, &[&bob]).await?;

    bob.kick(&room, &alice).must_refuse(403, "M_FORBIDDEN").await?;
    bob.ban(&room, &alice).must_refuse(403, "M_FORBIDDEN").await?;
    alice.kick(&room, &bob).await?;
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "leave")
}
