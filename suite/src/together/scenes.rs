//! The scenes: what users of two servers do with each other.

mod apart;
mod away;

use std::{collections::BTreeSet, pin::Pin};

use serde_json::json;

use self::{
    apart::{apart, converge},
    away::{asleep, restarted},
};
use super::Pair;
use crate::{
    cast::{Answer, Homeserver, Sync, User},
    path,
    verdict::{Stop, Verdict},
};

/// A scene.
pub(super) struct Scene {
    /// Its name.
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) says: &'static str,
    /// Where the text says so.
    pub(super) spec: &'static str,
    /// Plays it.
    pub(super) play: for<'a> fn(&'a Pair<'a>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>,
}

macro_rules! scene {
    ($play:ident, $spec:literal, $says:literal) => {
        Scene { name: stringify!($play), says: $says, spec: $spec, play: |pair| Box::pin($play(pair)) }
    };
}

/// Every scene.
pub(super) const SCENES: &[Scene] = &[
    scene!(
        join,
        "server-server-api/#joining-rooms",
        "A guest joins a public room of the host, and both see it."
    ),
    scene!(
        invite,
        "server-server-api/#inviting-to-a-room",
        "A guest is invited to a private room, is shown its name, and joins."
    ),
    scene!(message, "server-server-api/#transactions", "Messages arrive in both directions, in their order."),
    scene!(
        backfill,
        "server-server-api/#backfilling-and-retrieving-missing-events",
        "A guest reads what was said before they came."
    ),
    scene!(
        restricted,
        "server-server-api/#restricted-rooms",
        "A member of a room joins another that lets those in."
    ),
    scene!(knock, "server-server-api/#knocking-rooms", "A guest knocks, is let in, and joins."),
    scene!(
        leave,
        "server-server-api/#leaving-rooms-rejecting-invites",
        "A guest who is removed is shown so; one who leaves is gone."
    ),
    scene!(
        redaction,
        "client-server-api/#redactions",
        "What is redacted at one server is redacted at the other."
    ),
    scene!(
        ephemeral,
        "server-server-api/#receipts",
        "Typing and receipts are shown to users of the other server."
    ),
    scene!(
        keys,
        "server-server-api/#end-to-end-encryption",
        "Device keys are found, and one-time keys claimed, from the other server."
    ),
    scene!(
        to_device,
        "server-server-api/#send-to-device-messaging",
        "An encrypted message reaches a device of the other server once."
    ),
    scene!(
        media,
        "server-server-api/#content-repository",
        "A file of the other server is downloaded as it was uploaded."
    ),
    scene!(profile, "server-server-api/#querying-for-information", "A profile of the other server is found."),
    scene!(
        apart,
        "server-server-api/#transactions",
        "What is sent while the servers are cut off arrives later, in its order."
    ),
    scene!(
        asleep,
        "server-server-api/#transactions",
        "What is sent while the guest answers nobody arrives when it goes on, in its order."
    ),
    scene!(
        restarted,
        "server-server-api/#transactions",
        "What is sent while the guest is stopped arrives when it is started, in its order, and nothing from before is lost."
    ),
    scene!(
        converge,
        "server-server-api/#room-state-resolution",
        "Changes of state that were made at the same time, and apart, come to the same state and the same timeline at both."
    ),
];

async fn users(pair: &Pair<'_>) -> Result<(User, User), Stop> {
    let ([alice], [bob]) = (pair.host.users().await?, pair.guest.users().await?);
    Ok((alice, bob))
}

/// A user joins a room by way of a server that is in it, and is shown it.
async fn come(user: &User, room: &str, via: &Homeserver) -> Verdict {
    user.join(room).query("via", via.name()).query("server_name", via.name()).await?;
    user.sees("the room that was joined", |sync| !sync.joined(room).is_null()).await.map(drop)
}

/// A public room with a guest in it.
async fn room(pair: &Pair<'_>) -> Result<(User, User, String), Stop> {
    let (alice, bob) = users(pair).await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    come(&bob, &room, &pair.host).await?;
    alice.sees_membership(&room, &bob, "join").await?;
    Ok((alice, bob, room))
}

async fn join(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    let members = |answer: &Answer| -> BTreeSet<String> {
        let joined = answer.at("/joined").as_object().into_iter().flatten();
        joined.map(|(user, _)| user.clone()).collect()
    };
    for user in [&alice, &bob] {
        let answer = user.get(path!("/_matrix/client/v3/rooms/{}/joined_members", room)).await?;
        let (came, both) = (members(&answer), BTreeSet::from([alice.id().to_owned(), bob.id().to_owned()]));
        answer.must(came == both, "both members", || format!("{came:?}"))?;
    }
    Ok(())
}

async fn invite(pair: &Pair<'_>) -> Verdict {
    let (alice, bob) = users(pair).await?;
    let room = alice.create_room(json!({"preset": "private_chat", "name": "Between us"})).await?;
    alice.invite(&room, &bob).await?;
    let shown = bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    let name = shown.stripped_state(&room, "m.room.name", "")["content"]["name"].clone();
    shown.answer().must(name == "Between us", "the name of the room with the invite", || name.to_string())?;
    come(&bob, &room, &pair.host).await?;
    alice.sees_membership(&room, &bob, "join").await.map(drop)
}

async fn message(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        let mut said = Vec::new();
        for number in 0..5 {
            said.push(from.say(&room, &number.to_string()).await?);
        }
        sees_in_order(to, &room, &said).await?;
    }
    Ok(())
}

/// Waits until a user is shown events, one after the other.
async fn sees_in_order(user: &User, room: &str, ids: &[String]) -> Verdict {
    let seen = std::sync::Mutex::new(Vec::<String>::new());
    user.sees("all of them", |sync| {
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.extend(
            sync.event_ids(room)
                .into_iter()
                .filter(|id| ids.iter().any(|wanted| wanted == id))
                .map(str::to_owned),
        );
        seen.len() >= ids.len()
    })
    .await?;
    let seen = seen.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    crate::verdict::must(seen == ids, format!("{ids:?}, in this order"), || format!("{seen:?}"))
}

async fn backfill(pair: &Pair<'_>) -> Verdict {
    let (alice, bob) = users(pair).await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    let mut said = Vec::new();
    for number in 0..25 {
        said.push(alice.say(&room, &number.to_string()).await?);
    }
    come(&bob, &room, &pair.host).await?;
    // A server may answer with what it has, and fetch the rest meanwhile.
    let page = || bob.messages(&room, "b").query("limit", "100");
    let shown = |answer: &Answer| {
        let ids = answer.event_ids("/chunk");
        said.iter().all(|id| ids.contains(&id.as_str()))
    };
    bob.homeserver().eventually("everything that was said before", page, shown).await.map(drop)
}

async fn restricted(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, lobby) = room(pair).await?;
    let version = ["12", "11", "10", "9", "8"].into_iter().find(|id| {
        protocol::RoomVersion::find(id).is_some_and(|version| {
            pair.host.offers_room_version(version) && pair.guest.offers_room_version(version)
        })
    });
    let version = version
        .ok_or_else(|| Stop::NotApplicable("no common room version has restricted joins".to_owned()))?;
    let rule = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": lobby}]});
    let inner = alice
        .create_room(json!({
            "preset": "private_chat", "room_version": version,
            "initial_state": [{"type": "m.room.join_rules", "state_key": "", "content": rule}],
        }))
        .await?;
    come(&bob, &inner, &pair.host).await?;
    alice.sees_membership(&inner, &bob, "join").await?;
    let [stranger] = pair.guest.users().await?;
    let refused = stranger.join(&inner).query("via", pair.host.name()).query("server_name", pair.host.name());
    refused.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

async fn knock(pair: &Pair<'_>) -> Verdict {
    let (alice, bob) = users(pair).await?;
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}});
    let room = alice.create_room(json!({"preset": "private_chat", "initial_state": [rule]})).await?;
    bob.knock(&room).query("via", pair.host.name()).query("server_name", pair.host.name()).await?;
    alice.sees_membership(&room, &bob, "knock").await?;
    alice.invite(&room, &bob).await?;
    bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    come(&bob, &room, &pair.host).await?;
    alice.sees_membership(&room, &bob, "join").await.map(drop)
}

async fn leave(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    alice.kick(&room, &bob).await?;
    bob.sees("the departure", |sync| !sync.left(&room).is_null()).await?;
    come(&bob, &room, &pair.host).await?;
    alice.sees_membership(&room, &bob, "join").await?;
    bob.leave(&room).await?;
    alice.sees_membership(&room, &bob, "leave").await.map(drop)
}

async fn redaction(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        let said = from.say(&room, "not meant so").await?;
        to.sees_event(&room, &said).await?;
        let redaction = from.redact(&room, &said).await?;
        to.sees_event(&room, &redaction).await?;
        let event = to.event(&room, &said).await?;
        event.must(event.at("/content/body").is_null(), "no body", || event.at("/content").to_string())?;
    }
    Ok(())
}

async fn ephemeral(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    alice.typing(&room, true).await?;
    let types = |sync: &Sync| sync.typing(&room).is_some_and(|users| users.contains(&alice.id()));
    bob.sees("that the other is typing", types).await?;
    let said = alice.say(&room, "read this").await?;
    bob.sees_event(&room, &said).await?;
    bob.receipt(&room, "m.read", &said).await?;
    let read = |sync: &Sync| {
        let receipts = sync.ephemeral_content(&room, "m.receipt");
        receipts.is_some_and(|content| !content[&said]["m.read"][bob.id()].is_null())
    };
    alice.sees("the receipt", read).await.map(drop)
}

async fn keys(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, _) = room(pair).await?;
    let key = bob.publishes_device_keys().await?;
    let one_time = bob.signed_curve25519(&key, false)?;
    bob.upload_keys(json!({"one_time_keys": {"signed_curve25519:AAAA": one_time}})).await?;
    let pointer = format!("/device_keys/{}/{}", bob.id(), bob.device_id());
    let found = |answer: &Answer| !answer.at(&pointer).is_null();
    alice.homeserver().eventually("the device keys", || alice.query_keys(&bob), found).await?;
    let (answer, claimed) = alice.claim_key(&bob).await?;
    let key = &claimed["signed_curve25519:AAAA"]["key"];
    answer.must(*key == one_time["key"], "the one-time key", || claimed.to_string())
}

async fn to_device(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, _) = room(pair).await?;
    let content = json!({"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": "k", "ciphertext": {"k": {"type": 0, "body": "c"}}});
    let path =
        path!("/_matrix/client/v3/sendToDevice/{}/{}", "m.room.encrypted", alice.homeserver().unique());
    alice.put(path, json!({"messages": {(bob.id()): {(bob.device_id()): content}}})).await?;
    let sync = bob.sees("the message", |sync| !sync.to_device().is_empty()).await?;
    let [event] = sync.to_device() else {
        return Err(Stop::unmet("one message", format!("{} messages", sync.to_device().len())));
    };
    sync.answer().must(
        event["sender"] == alice.id() && event["content"] == content,
        "the message as it was sent",
        || event.to_string(),
    )?;
    bob.must_never_see("the message again", |sync| !sync.to_device().is_empty()).await
}

async fn media(pair: &Pair<'_>) -> Verdict {
    let (alice, bob) = users(pair).await?;
    let bytes = b"what one server holds, the other fetches".to_vec();
    let upload = alice.request(http::Method::POST, "/_matrix/media/v3/upload");
    let upload = upload.header("content-type", "text/plain").bytes(bytes.clone()).await?;
    let uri = upload.must_have_text("/content_uri")?;
    let id = uri.rsplit('/').next().unwrap_or_default();
    let file = bob.get(path!("/_matrix/client/v1/media/download/{}/{}", pair.host.name(), id)).await?;
    file.must(file.body() == bytes, "the bytes that were uploaded", || format!("{} bytes", file.body().len()))
}

async fn profile(pair: &Pair<'_>) -> Verdict {
    let (alice, bob) = users(pair).await?;
    alice
        .put(
            path!("/_matrix/client/v3/profile/{}/displayname", alice.id()),
            json!({"displayname": "Alice of afar"}),
        )
        .await?;
    let profile = bob.get(path!("/_matrix/client/v3/profile/{}/displayname", alice.id())).await?;
    profile.must_hold("/displayname", "Alice of afar")
}
