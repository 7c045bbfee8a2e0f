//! `server-server-api/#typing-notifications`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Remote, User, remote::Room},
    verdict::{Stop, Verdict},
};

async fn two_servers(hs: &Homeserver) -> Result<(User, Remote, Room), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    Ok((alice, remote, room))
}

fn notice(room: &Room, user: &str, typing: bool) -> Value {
    json!({"room_id": room.id(), "user_id": user, "typing": typing})
}

/// Users see who types on another server, and that they have stopped.
#[conformance(
    spec = "server-server-api/#typing-notifications",
    level = Must,
    severity = Usability
)]
async fn typing_on_another_server_is_seen(hs: &Homeserver) -> Verdict {
    let (alice, remote, room) = two_servers(hs).await?;
    let charlie = room.speaker();
    remote.transmit_edu("m.typing", notice(&room, charlie, true)).await?;
    alice.sees("charlie typing", |sync| sync.typing(room.id()) == Some(vec![charlie])).await?;
    remote.transmit_edu("m.typing", notice(&room, charlie, false)).await?;
    alice.sees("nobody typing", |sync| sync.typing(room.id()) == Some(vec![])).await.map(drop)
}

/// Other servers are told who types here.
#[conformance(
    spec = "server-server-api/#typing-notifications",
    level = Must,
    severity = Usability
)]
async fn typing_is_told_to_other_servers(hs: &Homeserver) -> Verdict {
    let (alice, remote, room) = two_servers(hs).await?;
    alice.typing(room.id(), true).await?;
    let alices = |content: &Value, typing: bool| {
        content["room_id"] == room.id() && content["user_id"] == alice.id() && content["typing"] == typing
    };
    remote.sees_edu("m.typing", |content| alices(content, true)).await?;
    alice.typing(room.id(), false).await?;
    remote.sees_edu("m.typing", |content| alices(content, false)).await.map(drop)
}

/// A server speaks for its own users only, and only for those in the room.
#[conformance(
    spec = "server-server-api/#typing-notifications",
    level = Should,
    severity = Security,
    each = impostors,
    proves = ["server-server-api/typing-notifications/1"]
)]
async fn typing_of_impostors_is_not_seen(hs: &Homeserver, impostor: &'static str) -> Verdict {
    let (alice, remote, room) = two_servers(hs).await?;
    let [bob] = hs.users().await?;
    bob.join(room.id()).await?;
    alice.sees("bob", |sync| sync.has_membership(room.id(), bob.id(), "join")).await?;
    let user = if impostor == "of another server" { bob.id().to_owned() } else { remote.user("outsider") };

    remote.transmit_edu("m.typing", notice(&room, &user, true)).await?;

    remote.transmit_edu("m.typing", notice(&room, room.speaker(), true)).await?;
    let shown = |sync: &crate::cast::Sync| sync.typing(room.id()).is_some_and(|users| !users.is_empty());
    let sync = alice.sees("somebody typing", shown).await?;
    let users = sync.typing(room.id()).unwrap_or_default();
    sync.answer().must(users == [room.speaker()], "charlie alone", || format!("{users:?}"))
}

/// Who cannot be said to type.
fn impostors() -> impl Iterator<Item = &'static str> {
    ["of another server", "not in the room"].into_iter()
}
