//! `client-server-api/#receipts`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    path,
    verdict::Verdict,
};

/// Whether the response tells of a receipt of this kind, by this user, on this event.
fn tells(sync: &Sync, room: &str, kind: &str, event_id: &str, user: &User) -> bool {
    let content = sync.ephemeral_content(room, "m.receipt");
    content.is_some_and(|content| content[event_id][kind].get(user.id()).is_some())
}

/// A read receipt reaches the other members, with the time at which it was sent.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid",
    level = Must,
    severity = Usability
)]
async fn receipt_reaches_members(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let event_id = alice.say(&room, "read this").await?;

    bob.receipt(&room, "m.read", &event_id).await?;

    let sync = alice.sees("the receipt", |sync| tells(sync, &room, "m.read", &event_id, &bob)).await?;
    let content = sync.ephemeral_content(&room, "m.receipt").cloned().unwrap_or_default();
    let receipt = &content[&event_id]["m.read"][bob.id()];
    sync.answer().must(receipt["ts"].is_u64(), "the time of the receipt", || receipt.to_string())
}

/// Receipts of several members come in one event.
#[conformance(
    spec = "client-server-api/#server-behaviour-4",
    level = Should,
    severity = Cosmetic,
    proves = ["client-server-api/server-behaviour-4/1"]
)]
async fn receipts_come_together(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob, &carol]).await?;
    let event_id = alice.say(&room, "read this").await?;
    for reader in [&bob, &carol] {
        reader.receipt(&room, "m.read", &event_id).await?;
    }

    let both =
        |sync: &Sync| [&bob, &carol].iter().all(|reader| tells(sync, &room, "m.read", &event_id, reader));
    let sync = alice.sync_showing("both receipts", || alice.sync_request(), both).await?;
    let passing = sync.joined(&room)["ephemeral"]["events"].as_array().cloned().unwrap_or_default();
    let receipts = passing.iter().filter(|event| event["type"] == "m.receipt").count();
    sync.answer().must(receipts == 1, "one event with both receipts", || format!("{receipts} events"))
}

/// A receipt on a later event takes the place of the earlier one.
#[conformance(
    spec = "client-server-api/#receipts",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/events-6/1"]
)]
async fn receipt_moves_on(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let (first, second) = (alice.say(&room, "first").await?, alice.say(&room, "second").await?);
    bob.receipt(&room, "m.read", &first).await?;
    alice.sees("the first receipt", |sync| tells(sync, &room, "m.read", &first, &bob)).await?;

    bob.receipt(&room, "m.read", &second).await?;

    alice.sees("the second receipt", |sync| tells(sync, &room, "m.read", &second, &bob)).await?;
    let filter = r#"{"room":{"timeline":{"limit":5}}}"#;
    let ask = || alice.sync_request().query("filter", filter);
    let later = |sync: &Sync| tells(sync, &room, "m.read", &second, &bob);
    let fresh = alice.sync_showing("the later receipt", ask, later).await?;
    fresh
        .answer()
        .must(!tells(&fresh, &room, "m.read", &first, &bob), "no earlier receipt", || "both".to_owned())
}

/// A private receipt is told to the devices of its sender, and to nobody else.
#[conformance(
    spec = "client-server-api/#private-read-receipts",
    level = Must,
    severity = Security,
    since = "v1.4",
    proves = ["client-server-api/private-read-receipts/1", "client-server-api/mreceipt/1"]
)]
async fn private_receipt_stays_private(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let event_id = alice.say(&room, "read this").await?;
    alice.catches_up(&room).await?;

    bob.receipt(&room, "m.read.private", &event_id).await?;

    bob.sees("the own private receipt", |sync| tells(sync, &room, "m.read.private", &event_id, &bob)).await?;
    alice
        .must_never_see("a private receipt of somebody else", |sync| sync.mentions("m.read.private"))
        .await?;
    let filter = r#"{"room":{"timeline":{"limit":5}}}"#;
    let ask = || alice.sync_request().query("filter", filter);
    let fresh = alice.sync_showing("the message", ask, |sync| sync.has_event(&room, &event_id)).await?;
    fresh.answer().must_not_mention("m.read.private")
}

/// A receipt keeps the thread that it was sent for.
#[conformance(
    spec = "client-server-api/#threaded-read-receipts",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn receipt_names_its_thread(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let root = alice.say(&room, "root").await?;
    let relation = json!({"rel_type": "m.thread", "event_id": root});
    let reply = json!({"msgtype": "m.text", "body": "in the thread", "m.relates_to": relation});
    let reply = alice.send(&room, "m.room.message", reply).await?;

    for (event_id, thread) in [(&root, "main"), (&reply, root.as_str())] {
        let path = path!("/_matrix/client/v3/rooms/{}/receipt/m.read/{}", room, event_id);
        bob.post(path, json!({"thread_id": thread})).await?;
        let sync = alice.sees("the receipt", |sync| tells(sync, &room, "m.read", event_id, &bob)).await?;
        let content = sync.ephemeral_content(&room, "m.receipt").cloned().unwrap_or_default();
        let named = &content[event_id]["m.read"][bob.id()]["thread_id"];
        sync.answer().must(named == thread, format!("the thread {thread}"), || named.to_string())?;
    }
    Ok(())
}

/// A thread that is no thread of the event is refused: of another type than text, empty, or unrelated.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid",
    level = Must,
    severity = Interop,
    since = "v1.4"
)]
async fn invalid_thread_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "in no thread").await?;

    let path = path!("/_matrix/client/v3/rooms/{}/receipt/m.read/{}", room, event_id);
    for thread in [json!(7), json!("")] {
        alice.post(&path, json!({"thread_id": thread})).must_be(400).await?;
    }
    let fully_read = path!("/_matrix/client/v3/rooms/{}/receipt/m.fully_read/{}", room, event_id);
    alice.post(fully_read, json!({"thread_id": "main"})).must_be(400).await?;
    Ok(())
}

/// A receipt for a thread that the event does not belong to is refused.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid",
    level = Must,
    severity = Interop,
    since = "v1.4"
)]
async fn unrelated_thread_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let root = alice.say(&room, "root").await?;
    let relation = json!({"rel_type": "m.thread", "event_id": root});
    let reply = json!({"msgtype": "m.text", "body": "in the thread", "m.relates_to": relation});
    alice.send(&room, "m.room.message", reply).await?;
    let apart = alice.say(&room, "not in the thread").await?;

    let path = path!("/_matrix/client/v3/rooms/{}/receipt/m.read/{}", room, apart);
    alice.post(path, json!({"thread_id": root})).must_be(400).await?;
    Ok(())
}

/// A receipt is for events of the room, sent by its members.
#[conformance(spec = "client-server-api/#receipts", level = May, severity = Security)]
async fn outsiders_cannot_send_receipts(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "in here").await?;

    eve.receipt(&room, "m.read", &event_id).must_be_refused().await?;
    alice.must_never_see("a receipt of an outsider", |sync| sync.mentions(eve.id())).await
}

/// A receipt for an event that its sender cannot see, or that is in no room, is told to nobody.
///
/// The text does not say what becomes of it; who is told of such a receipt learns of it as if the sender had been there.
#[conformance(spec = "client-server-api/#receipts", level = May, severity = Security, each = unseen_events)]
async fn receipt_is_for_an_event_that_its_sender_sees(hs: &Homeserver, event: &'static str) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob, &carol]).await?;
    let event_id = match event {
        "of another room" => {
            let other = alice.create_room(json!({})).await?;
            alice.say(&other, "not for bob").await?
        }
        _ => format!("${}", "A".repeat(43)),
    };

    bob.receipt(&room, "m.read", &event_id).must_be_refused().await?;
    carol.must_never_see("a receipt for the event", |sync| sync.mentions(&event_id)).await
}

fn unseen_events() -> [&'static str; 2] {
    ["of another room", "that does not exist"]
}
