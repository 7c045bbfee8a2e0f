//! `client-server-api/#read-and-unread-markers`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    path,
    verdict::Verdict,
};

fn marker<'a>(sync: &'a Sync, room: &str) -> Option<&'a Value> {
    let mut events = sync.room_account_data(room).iter();
    events.find(|event| event["type"] == "m.fully_read").map(|event| &event["content"]["event_id"])
}

fn marker_path(user: &User, room: &str) -> String {
    user.own_path(&path!("/rooms/{}/account_data/m.fully_read", room))
}

/// The fully read marker is set through its endpoint, and told to the user through `/sync`.
#[conformance(
    spec = "client-server-api/#fully-read-markers",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-5/3"]
)]
async fn marker_is_set_and_told(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let (first, second) = (alice.say(&room, "first").await?, alice.say(&room, "second").await?);
    let path = path!("/_matrix/client/v3/rooms/{}/read_markers", room);

    for event_id in [&first, &second] {
        bob.post(&path, json!({"m.fully_read": event_id})).await?;
        bob.sees("the marker", |sync| marker(sync, &room).is_some_and(|marker| marker == event_id.as_str()))
            .await?;
        bob.get(marker_path(&bob, &room)).await?.must_hold("/event_id", event_id.as_str())?;
    }
    alice.must_never_see("the marker of somebody else", |sync| sync.mentions("m.fully_read")).await
}

/// Receipts in the same request are treated as if they were sent on their own.
#[conformance(
    spec = "client-server-api/#fully-read-markers",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-5/2"]
)]
async fn receipts_are_sent_along(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let (first, second) = (alice.say(&room, "first").await?, alice.say(&room, "second").await?);

    let body = json!({"m.fully_read": first, "m.read": first, "m.read.private": second});
    bob.post(path!("/_matrix/client/v3/rooms/{}/read_markers", room), body).await?;

    let told = |sync: &Sync, kind: &str, event_id: &str| {
        let content = sync.ephemeral_content(&room, "m.receipt");
        content.is_some_and(|content| content[event_id][kind].get(bob.id()).is_some())
    };
    alice.sees("the public receipt", |sync| told(sync, "m.read", &first)).await?;
    bob.sees("the private receipt", |sync| told(sync, "m.read.private", &second)).await?;
    alice.must_never_see("the private receipt", |sync| sync.mentions("m.read.private")).await
}

/// A receipt of type `m.fully_read` moves the marker and is no receipt.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn receipt_endpoint_sets_the_marker_too(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "read this").await?;

    alice.receipt(&room, "m.fully_read", &event_id).await?;

    let sync = alice.sees("the marker", |sync| marker(sync, &room).is_some()).await?;
    let came = marker(&sync, &room);
    sync.answer().must(came.is_some_and(|came| came == event_id.as_str()), event_id.as_str(), || {
        format!("{came:?}")
    })?;
    let receipt = sync.ephemeral_content(&room, "m.receipt");
    sync.answer().must(receipt.is_none(), "no receipt", || format!("{receipt:?}"))
}

/// The marker is set to events of its room only.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidread_markers",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3roomsroomidread_markers/2"]
)]
async fn event_belongs_to_the_room(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, other) = (alice.create_room(json!({})).await?, alice.create_room(json!({})).await?);
    let (hers, stranger) = (alice.say(&room, "here").await?, alice.say(&other, "elsewhere").await?);
    let target = path!("/_matrix/client/v3/rooms/{}/read_markers", room);
    alice.post(&target, json!({"m.fully_read": hers})).await?;

    alice.post(&target, json!({"m.fully_read": stranger})).must_be_refused().await?;

    alice.get(marker_path(&alice, &room)).await?.must_hold("/event_id", hers)
}

/// The marker cannot be set as ordinary account data.
#[conformance(
    spec = "client-server-api/#fully-read-markers",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/server-behaviour-5/1", "client-server-api/server-behaviour-13/1"]
)]
async fn account_data_cannot_set_the_marker(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "read this").await?;

    let content = json!({"event_id": event_id});
    alice.put(marker_path(&alice, &room), content).must_be(405).await?;
    alice.get(marker_path(&alice, &room)).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// The unread marker is account data of the room, told to the user's other devices.
#[conformance(
    spec = "client-server-api/#unread-markers",
    level = Must,
    severity = Usability,
    since = "v1.12"
)]
async fn unread_marker_is_account_data(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let telephone = alice.logs_in().await?;
    let room = alice.create_room(json!({})).await?;
    let path = alice.own_path(&path!("/rooms/{}/account_data/m.marked_unread", room));

    alice.put(&path, json!({"unread": true})).await?;

    let marked = |sync: &Sync| {
        let mut events = sync.room_account_data(&room).iter();
        events.any(|event| event["type"] == "m.marked_unread" && event["content"]["unread"] == true)
    };
    telephone.sees("the unread marker", marked).await?;
    alice.get(&path).await?.must_hold("/unread", true)
}
