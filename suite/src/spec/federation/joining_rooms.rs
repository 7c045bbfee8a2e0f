//! `server-server-api/#joining-rooms`

use protocol::RoomVersion;
use serde_json::json;
use suite_attribute::conformance;

use super::room_versions;
use crate::{cast::Homeserver, verdict::Verdict};

/// A user joins a room of another server through that server, and both sides see what the other says.
#[conformance(
    spec = "server-server-api/#joining-rooms",
    level = Must,
    severity = Interop,
    each = room_versions,
    proves = ["server-server-api/joining-rooms/1", "server-server-api/tls/1"]
)]
async fn room_of_another_server_can_be_joined(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;

    let heard = remote.send(room.message("from the other server")).await?;
    alice.sees_event(room.id(), heard.id()).await?;
    let said = alice.say(room.id(), "to the other server").await?;
    remote
        .sees_event(&said, |event| {
            event["content"]["body"] == "to the other server" && event["sender"] == alice.id()
        })
        .await
        .map(drop)
}

/// A user of another server joins a room, and both sides see what the other says.
#[conformance(spec = "server-server-api/#joining-rooms", level = Must, severity = Interop, each = room_versions)]
async fn user_of_another_server_can_join(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let id = alice.create_room(json!({"preset": "public_chat", "room_version": version.id})).await?;
    let remote = hs.remote().await?;

    let room = remote.joins(&id, "dave").await?;

    alice.sees("the join", |sync| sync.has_membership(&id, room.speaker(), "join")).await?;
    let heard = remote.send(room.message("from the other server")).await?;
    alice.sees_event(&id, heard.id()).await?;
    alice.say(&id, "to the other server").await?;
    remote
        .sees_event("the message", |event| event["content"]["body"] == "to the other server")
        .await
        .map(drop)
}
