//! `client-server-api/#transaction-identifiers`

use serde_json::json;
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

/// A request that is sent again with the same transaction id gets the first answer, and sends no second
/// event.
#[conformance(
    spec = "client-server-api/#transaction-identifiers",
    level = Should,
    severity = Interop,
    proves = ["client-server-api/transaction-identifiers/3", "client-server-api/transaction-identifiers/4"]
)]
async fn repetition_sends_nothing(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let content = json!({"msgtype": "m.text", "body": "once"});

    let path = path!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, "once");
    let first = alice.put(&path, content.clone()).await?.must_have_text("/event_id")?;
    alice.put(&path, content).await?.must_hold("/event_id", first.as_str())?;
    let last = alice.say(&room, "and the last").await?;

    let history = hs.page_with(&last, || bob.messages(&room, "b").query("limit", "2")).await?;
    let came = history.event_ids("/chunk");
    history.must(came == [&last, &first], "the message once", || format!("{came:?}"))
}

/// The same transaction id means another request when it is used to redact.
#[conformance(spec = "client-server-api/#transaction-identifiers", level = Must, severity = Interop)]
async fn identifier_belongs_to_the_endpoint(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    let message = json!({"msgtype": "m.text", "body": "again"});
    let event_id = alice.send_in(&room, "m.room.message", "again", message).await?;
    let redaction = path!("/_matrix/client/v3/rooms/{}/redact/{}/{}", room, event_id, "again");
    let redaction = alice.put(redaction, json!({})).await?.must_have_text("/event_id")?;
    alice.event(&room, &redaction).await?.must_hold("/type", "m.room.redaction")
}

/// The same transaction id in another room means another request.
#[conformance(spec = "client-server-api/#transaction-identifiers", level = Must, severity = Interop)]
async fn identifier_belongs_to_the_room(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, other) = (alice.create_room(json!({})).await?, alice.create_room(json!({})).await?);
    let message = json!({"msgtype": "m.text", "body": "again"});

    alice.send_in(&room, "m.room.message", "again", message.clone()).await?;
    let elsewhere = alice.send_in(&other, "m.room.message", "again", message).await?;
    alice.event(&other, &elsewhere).await?.must_hold("/room_id", other)
}

/// The same transaction id for another type of event, and so in another path, means another request.
#[conformance(
    spec = "client-server-api/#transaction-identifiers",
    level = Should,
    severity = Interop,
    proves = ["client-server-api/transaction-identifiers/3"]
)]
async fn identifier_belongs_to_the_path(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    alice.send_in(&room, "m.room.message", "again", json!({"msgtype": "m.text", "body": "again"})).await?;
    let other = alice.send_in(&room, "org.determinant.message", "again", json!({})).await?;
    alice.event(&room, &other).await?.must_hold("/type", "org.determinant.message")
}

/// The same transaction id from another device means another request.
#[conformance(spec = "client-server-api/#transaction-identifiers", level = Must, severity = Interop)]
async fn identifier_belongs_to_the_device(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let telephone = alice.logs_in().await?;
    let room = alice.create_room(json!({})).await?;
    let content = json!({"msgtype": "m.text", "body": "from each"});

    let first = alice.send_in(&room, "m.room.message", "each", content.clone()).await?;
    let second = telephone.send_in(&room, "m.room.message", "each", content).await?;

    let history = hs.page_with(&second, || alice.messages(&room, "b").query("limit", "2")).await?;
    let came = history.event_ids("/chunk");
    history.must(first != second && came == [&second, &first], "two messages", || format!("{came:?}"))
}

/// A device that logs in again under its id is the same device, and its transaction ids stay taken.
#[conformance(spec = "client-server-api/#transaction-identifiers", level = Must, severity = Interop)]
async fn identifier_outlives_the_access_token(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let content = json!({"msgtype": "m.text", "body": "once more"});
    let first = alice.send_in(&room, "m.room.message", "stays", content.clone()).await?;

    let returned = alice.logs_in_with(json!({"device_id": alice.device_id()})).await?;
    let path = path!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, "stays");
    returned.put(path, content).await?.must_hold("/event_id", first)
}

/// A redaction that is sent again with the same transaction id gives the same event.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid",
    level = Must,
    severity = Interop
)]
async fn redaction_is_not_repeated(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "to be redacted").await?;

    let path = path!("/_matrix/client/v3/rooms/{}/redact/{}/{}", room, event_id, "once");
    let first = alice.put(&path, json!({})).await?.must_have_text("/event_id")?;
    alice.put(&path, json!({})).await?.must_hold("/event_id", first)
}

/// The device that sent an event reads its transaction id with it; no other device does, of whichever user.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_unsigneddata",
    level = Must,
    severity = Usability
)]
async fn identifier_is_told_to_the_sending_device_only(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let telephone = alice.logs_in().await?;
    let room = alice.room_with(&[&bob]).await?;

    let event_id =
        alice.send_in(&room, "m.room.message", "mine", json!({"msgtype": "m.text", "body": "mine"})).await?;

    for (reader, told) in [(&alice, true), (&telephone, false), (&bob, false)] {
        let sync = reader.sees("the message", |sync| sync.has_event(&room, &event_id)).await?;
        let mut timeline = sync.timeline(&room).iter();
        let event =
            timeline.find(|event| event["event_id"] == event_id.as_str()).unwrap_or(&serde_json::Value::Null);
        let transaction = &event["unsigned"]["transaction_id"];
        let expected = if told { "the transaction id" } else { "no transaction id" };
        let as_expected = if told { transaction == "mine" } else { transaction.is_null() };
        sync.answer().must(as_expected, expected, || transaction.to_string())?;
    }
    alice.event(&room, &event_id).await?.must_hold("/unsigned/transaction_id", "mine")
}
