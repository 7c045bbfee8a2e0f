//! `client-server-api/#tracking-the-device-list-for-a-user`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    verdict::{Stop, Verdict},
};

/// Whoever shares an encrypted room with a user learns of new keys of the user; whoever shares none does not.
#[conformance(
    spec = "client-server-api/#e2e-extensions-to-sync",
    level = Must,
    severity = Interop,
    each = changes,
    proves = ["client-server-api/e2e-extensions-to-sync/3"]
)]
async fn changed_keys_are_told(hs: &Homeserver, change: &'static str) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = encrypted_room(&alice, &[&bob]).await?;
    let phone = alice.logs_in().await?;
    phone.publishes_device_keys().await?;
    for other in [&bob, &eve] {
        other.initial_sync().await?;
    }
    bob.catches_up(&room).await?;

    match change {
        "device keys" => alice.publishes_device_keys().await.map(drop)?,
        "cross-signing keys" => alice.publishes_cross_signing_keys().await.map(drop)?,
        _ => phone.log_out().await.map(drop)?,
    }

    bob.sees("a change of alice's keys", |sync| sync.device_list_has("changed", alice.id())).await?;
    eve.must_never_see("a change of alice's keys", |sync| sync.device_list_has("changed", alice.id())).await
}

fn changes() -> [&'static str; 3] {
    ["device keys", "cross-signing keys", "removed device"]
}

/// Users who come into an encrypted room are told of each other's keys.
#[conformance(spec = "client-server-api/#e2e-extensions-to-sync", level = Must, severity = Interop)]
async fn newcomer_and_members_meet(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = encrypted_room(&alice, &[]).await?;
    alice.invite(&room, &bob).await?;
    for user in [&alice, &bob] {
        user.initial_sync().await?;
    }

    bob.join(&room).await?;

    alice.sees("bob among the changed", |sync| sync.device_list_has("changed", bob.id())).await?;
    bob.sees("alice among the changed", |sync| sync.device_list_has("changed", alice.id())).await.map(drop)
}

/// Users who share no encrypted room any more are told so, also to who loads members lazily, and again to a request that is repeated.
#[conformance(spec = "client-server-api/#e2e-extensions-to-sync", level = Must, severity = Interop, each = filters)]
async fn parting_is_told(hs: &Homeserver, filter: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = encrypted_room(&alice, &[&bob]).await?;
    let since = alice.catches_up(&room).await?.next_batch().to_owned();

    bob.leave(&room).await?;

    let filter = match filter {
        "lazily" => r#"{"room":{"state":{"lazy_load_members":true}}}"#,
        _ => "{}",
    };
    let ask = || alice.sync_request().query("since", &since).query("filter", filter);
    let parted = |sync: &Sync| sync.device_list_has("left", bob.id());
    alice.sync_showing("bob among those who left", ask, parted).await?;
    let again = ask().await?;
    again.answer().must(parted(&again), "bob once more among those who left", || {
        again.answer().at("/device_lists").to_string()
    })
}

fn filters() -> [&'static str; 2] {
    ["all members", "lazily"]
}

/// Whoever leaves the last shared room hears nothing of later keys, and is told of them when a room is shared again.
#[conformance(
    spec = "client-server-api/#tracking-the-device-list-for-a-user",
    level = Must,
    severity = Security
)]
async fn keys_of_strangers_are_told_on_return(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = encrypted_room(&alice, &[&bob]).await?;
    bob.catches_up(&room).await?;
    bob.leave(&room).await?;
    bob.sees("alice among those who left", |sync| sync.device_list_has("left", alice.id())).await?;

    alice.publishes_device_keys().await?;
    bob.must_never_see("a change of alice's keys", |sync| sync.device_list_has("changed", alice.id()))
        .await?;

    alice.invite(&room, &bob).await?;
    bob.join(&room).await?;
    bob.sees("alice among the changed", |sync| sync.device_list_has("changed", alice.id())).await.map(drop)
}

/// Users whose keys have changed between two sync tokens are listed between these, and not after them.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3keyschanges",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/get_matrixclientv3keyschanges/1"]
)]
async fn changes_are_listed_between_tokens(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = encrypted_room(&alice, &[&bob]).await?;
    let from = token(&bob.catches_up(&room).await?)?;

    eve.publishes_device_keys().await?;
    alice.publishes_device_keys().await?;
    let seen =
        bob.sees("a change of alice's keys", |sync| sync.device_list_has("changed", alice.id())).await?;
    let to = token(&seen)?;

    let between = bob.key_changes(&from, &to).await?;
    let listed = between.must_have_list("/changed")?;
    between.must(listed.contains(&json!(alice.id())), "alice among the changed", || format!("{listed:?}"))?;
    between.must_not_mention(eve.id())?;
    let later = token(&bob.catches_up(&room).await?)?;
    bob.key_changes(&to, &later).await?.must_not_mention(alice.id())
}

fn token(sync: &Sync) -> Result<String, Stop> {
    sync.answer().must_have_text("/next_batch")
}

/// A room for encrypted messages that the others have joined.
async fn encrypted_room(user: &User, others: &[&User]) -> Result<String, Stop> {
    let encryption = json!({
        "type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"},
    });
    let room = user.create_room(json!({"preset": "private_chat", "initial_state": [encryption]})).await?;
    for other in others {
        user.invite(&room, other).await?;
        other.join(&room).await?;
    }
    Ok(room)
}
