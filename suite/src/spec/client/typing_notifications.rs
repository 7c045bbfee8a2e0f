//! `client-server-api/#typing-notifications`

use serde_json::json;
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

/// A typing notice reaches the other members of the room, and nobody else.
#[conformance(spec = "client-server-api/#typing-notifications", level = Must, severity = Usability)]
async fn reaches_members_only(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;

    alice.typing(&room, true).await?;

    bob.sees("alice typing", |sync| sync.typing(&room) == Some(vec![alice.id()])).await?;
    eve.must_never_see("the room or who types in it", |sync| {
        sync.mentions(&room) || sync.mentions(alice.id())
    })
    .await
}

/// Somebody who says so no longer types, while others go on.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidtypinguserid",
    level = Must,
    severity = Usability
)]
async fn stops_when_told(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob, &carol]).await?;
    alice.typing(&room, true).await?;
    bob.typing(&room, true).await?;
    let both =
        |typing: Vec<&str>| typing.len() == 2 && typing.contains(&alice.id()) && typing.contains(&bob.id());
    carol.sees("two users typing", |sync| sync.typing(&room).is_some_and(both)).await?;

    alice.typing(&room, false).await?;

    let sync = carol.sees("one user typing", |sync| sync.typing(&room) == Some(vec![bob.id()])).await?;
    let event = sync.ephemeral(&room).iter().find(|event| event["type"] == "m.typing");
    sync.answer().must(
        event.is_some_and(|event| event.get("room_id").is_none()),
        "m.typing without room_id",
        || format!("{event:?}"),
    )
}

/// Somebody who says nothing more no longer types when the timeout is over.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidtypinguserid",
    level = Must,
    severity = Usability
)]
async fn ends_with_the_timeout(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.sync().await?;

    let path = path!("/_matrix/client/v3/rooms/{}/typing/{}", room, alice.id());
    alice.put(path, json!({"typing": true, "timeout": 1_000})).await?;

    bob.sees("alice typing", |sync| sync.typing(&room) == Some(vec![alice.id()])).await?;
    bob.sees("nobody typing", |sync| sync.typing(&room).is_some_and(|typing| typing.is_empty())).await?;
    Ok(())
}

/// Nobody can say that somebody else types.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidtypinguserid",
    level = Must,
    severity = Security
)]
async fn speaks_for_oneself_only(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;

    let path = path!("/_matrix/client/v3/rooms/{}/typing/{}", room, bob.id());
    alice.put(path, json!({"typing": true, "timeout": 30_000})).must_be_refused().await?;
    alice
        .must_never_see("bob typing", |sync| {
            sync.typing(&room).is_some_and(|typing| typing.contains(&bob.id()))
        })
        .await
}
