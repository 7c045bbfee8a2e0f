//! `client-server-api/#ignoring-users`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    verdict::Verdict,
};

/// An invite from an ignored user never reaches the client, and invites from others do.
#[conformance(
    spec = "client-server-api/#ignoring-users",
    level = Must,
    severity = Security,
    proves = ["client-server-api/server-behaviour-17/4"]
)]
async fn invites_do_not_arrive(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    ignore(&alice, &[&eve]).await?;

    let unwanted = eve.create_room(json!({})).await?;
    eve.invite(&unwanted, &alice).answer().await?;
    let wanted = bob.create_room(json!({"invite": [alice.id()]})).await?;

    let sync = alice.sees("the invite from bob", |sync| !sync.invited(&wanted).is_null()).await?;
    sync.answer().must_not_mention(&unwanted)?;
    alice.must_never_see("the invite from eve", |sync| sync.mentions(&unwanted)).await?;
    let invited = |sync: &Sync| !sync.invited(&wanted).is_null();
    let fresh = alice.sync_showing("the invite from bob", || alice.sync_request(), invited).await?;
    fresh.answer().must_not_mention(&unwanted)
}

/// Messages of an ignored user do not reach the client any more, and those of others do.
#[conformance(
    spec = "client-server-api/#ignoring-users",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-17/1"]
)]
async fn messages_do_not_arrive(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = bob.public_room_with(&[&alice, &eve]).await?;
    ignore(&alice, &[&eve]).await?;

    let unwanted = eve.say(&room, "from eve").await?;
    let wanted = bob.say(&room, "from bob").await?;

    let sync = alice.sees("the message of bob", |sync| sync.has_event(&room, &wanted)).await?;
    sync.answer().must_not_mention(&unwanted)?;
    alice.must_never_see("the message of eve", |sync| sync.has_event(&room, &unwanted)).await
}

/// State events of an ignored user reach the client all the same: the room looks to everybody as it is.
#[conformance(
    spec = "client-server-api/#ignoring-users",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/server-behaviour-17/3"]
)]
async fn state_arrives(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = eve.public_room_with(&[&alice]).await?;
    ignore(&alice, &[&eve]).await?;

    eve.set_state(&room, "m.room.name", "", json!({"name": "named by eve"})).await?;

    let named = |sync: &Sync| {
        sync.state_events(&room, "m.room.name").any(|event| event["content"]["name"] == "named by eve")
    };
    alice.sees("the name that eve set", named).await.map(drop)
}

/// A user who is not ignored any more is heard again.
#[conformance(
    spec = "client-server-api/#ignoring-users",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-17/1", "client-server-api/client-behaviour-24/3"]
)]
async fn can_be_taken_back(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = eve.public_room_with(&[&alice]).await?;
    ignore(&alice, &[&eve]).await?;
    let missed = eve.say(&room, "while ignored").await?;
    ignore(&alice, &[]).await?;

    let heard = eve.say(&room, "heard again").await?;

    let sync = alice.sees("the message of eve", |sync| sync.has_event(&room, &heard)).await?;
    sync.answer().must_not_mention(&missed)
}

/// Ignores these users and no others, and waits until the user's own `/sync` tells of it.
pub(super) async fn ignore(user: &User, ignored: &[&User]) -> Verdict {
    let ignored: serde_json::Map<_, _> =
        ignored.iter().map(|user| (user.id().to_owned(), json!({}))).collect();
    let content = json!({"ignored_users": ignored});
    user.set_account_data(None, "m.ignored_user_list", content.clone()).await?;
    let list = |event: &Value| event["type"] == "m.ignored_user_list" && event["content"] == content;
    user.sees("the list of ignored users", |sync| sync.account_data().iter().any(list)).await.map(drop)
}
