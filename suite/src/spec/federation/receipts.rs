//! `server-server-api/#receipts`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, remote::Room},
    verdict::Verdict,
};

fn receipt(room: &Room, user: &str, event_id: &str) -> Value {
    let read = json!({ user: {"event_ids": [event_id], "data": {"ts": Room::now_ms()}} });
    json!({ room.id(): {"m.read": read} })
}

fn has_read(sync: &Sync, room: &str, user: &str, event_id: &str) -> bool {
    let content = sync.ephemeral_content(room, "m.receipt");
    content.is_some_and(|content| content[event_id]["m.read"][user].is_object())
}

/// Users see what those on other servers have read.
#[conformance(spec = "server-server-api/#receipts", level = Must, severity = Usability)]
async fn receipt_of_another_server_is_seen(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let said = alice.say(room.id(), "read me").await?;
    remote.sees_event(&said, |event| event["content"]["body"] == "read me").await?;
    let charlie = room.speaker();
    remote.transmit_edu("m.receipt", receipt(&room, charlie, &said)).await?;
    alice.sees("charlie's receipt", |sync| has_read(sync, room.id(), charlie, &said)).await.map(drop)
}

/// Other servers are told what users have read in public, and never what they have read in private.
#[conformance(
    spec = "server-server-api/#receipts",
    level = Must,
    severity = Security,
    proves = ["client-server-api/server-behaviour-4/3"]
)]
async fn public_receipt_goes_out_and_private_one_does_not(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let first = remote.send(room.message("first")).await?;
    let second = remote.send(room.message("second")).await?;
    alice.sees_event(room.id(), second.id()).await?;

    alice.receipt(room.id(), "m.read.private", first.id()).await?;
    alice.receipt(room.id(), "m.read", second.id()).await?;

    let public = |content: &Value| content[room.id()]["m.read"][alice.id()]["event_ids"][0] == second.id();
    remote.sees_edu("m.receipt", public).await?;
    remote.must_not_have_seen("private receipt", |asked| {
        asked
            .edus()
            .iter()
            .any(|edu| edu["edu_type"] == "m.receipt" && edu.to_string().contains("m.read.private"))
    })
}

/// A server tells what its own users have read only.
#[conformance(spec = "server-server-api/#receipts", level = Must, severity = Security)]
async fn receipt_of_others_is_not_believed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    bob.join(room.id()).await?;
    alice.sees("bob", |sync| sync.has_membership(room.id(), bob.id(), "join")).await?;
    let said = alice.say(room.id(), "read me").await?;
    remote.sees_event(&said, |event| event["content"]["body"] == "read me").await?;
    remote.transmit_edu("m.receipt", receipt(&room, bob.id(), &said)).await?;
    remote.transmit_edu("m.receipt", receipt(&room, room.speaker(), &said)).await?;
    let shown = |sync: &Sync| {
        has_read(sync, room.id(), room.speaker(), &said) || has_read(sync, room.id(), bob.id(), &said)
    };
    let sync = alice.sees("a receipt", shown).await?;
    let believed = has_read(&sync, room.id(), bob.id(), &said);
    sync.answer().must(!believed, "no receipt of bob from another server", || "one".to_owned())
}

/// What another server tells of one user's reading leaves the receipts of others there as they were.
#[conformance(
    spec = "server-server-api/#definition-mreceipt",
    level = Should,
    severity = Usability,
    proves = [
        "server-server-api/definition-mreceipt/1",
        "server-server-api/definition-mreceipt/2"
    ]
)]
async fn receipts_that_are_not_told_stay(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let (charlie, dave) = (room.speaker(), remote.user("dave"));
    remote.send(room.member(&dave, "join")).await?;
    let first = remote.send(room.message("first")).await?;
    let second = remote.send(room.message("second")).await?;
    for user in [charlie, &dave] {
        remote.transmit_edu("m.receipt", receipt(&room, user, first.id())).await?;
    }
    alice.sees("dave's receipt", |sync| has_read(sync, room.id(), &dave, first.id())).await?;

    remote.transmit_edu("m.receipt", receipt(&room, &dave, second.id())).await?;

    alice.sees("dave's other receipt", |sync| has_read(sync, room.id(), &dave, second.id())).await?;
    let sync = alice.initial_sync().await?;
    let stays = has_read(&sync, room.id(), charlie, first.id());
    sync.answer().must(stays, "charlie's receipt where it was", || {
        format!("{:?}", sync.ephemeral_content(room.id(), "m.receipt"))
    })
}
