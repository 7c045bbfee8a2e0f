//! `client-server-api/#send-to-device-messaging`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, Sync, User},
    path,
    verdict::Verdict,
};

const KIND: &str = "org.determinant.message";

/// A message to a device reaches this device, with its sender, and no other.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid",
    level = Must,
    severity = Security
)]
async fn message_reaches_the_named_device(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let phone = bob.logs_in().await?;
    for device in [&bob, &phone] {
        device.initial_sync().await?;
    }

    send(&alice, "first", &bob, phone.device_id(), "for the phone").await?;

    let sync = phone.sees("the message", |sync| texts(sync) == ["for the phone"]).await?;
    let message = sync.to_device().first().cloned().unwrap_or_default();
    let expected = json!({"type": KIND, "sender": alice.id(), "content": {"text": "for the phone"}});
    sync.answer().must(message == expected, format!("the message {expected}"), || message.to_string())?;
    bob.must_never_see("the message", |sync| !texts(sync).is_empty()).await
}

/// A message to `*` reaches all devices of a user.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid",
    level = Must,
    severity = Interop
)]
async fn star_stands_for_all_devices(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let phone = bob.logs_in().await?;

    send(&alice, "first", &bob, "*", "for all").await?;

    for device in [&bob, &phone] {
        device.sees("the message", |sync| texts(sync) == ["for all"]).await?;
    }
    Ok(())
}

/// A request that is sent again with the same transaction id sends nothing more.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid",
    level = Must,
    severity = Interop
)]
async fn repetition_sends_nothing(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    for (transaction, text) in [("once", "one"), ("once", "one"), ("then", "two")] {
        send(&alice, transaction, &bob, bob.device_id(), text).await?;
    }

    let last = |sync: &Sync| texts(sync).contains(&"two");
    let sync = bob.sync_showing("the last message", || bob.sync_request(), last).await?;
    let came = texts(&sync);
    sync.answer().must(came == ["one", "two"], "each message once", || format!("{came:?}"))
}

/// Messages come in the order in which they were sent.
#[conformance(
    spec = "client-server-api/#send-to-device-messaging",
    level = Should,
    severity = Interop,
    proves = ["client-server-api/server-behaviour-7/2"]
)]
async fn messages_come_in_order(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let sent = ["three", "one", "four", "two"];
    for text in sent {
        send(&alice, text, &bob, bob.device_id(), text).await?;
    }

    let all = |sync: &Sync| texts(sync).len() == sent.len();
    let sync = bob.sync_showing("all messages", || bob.sync_request(), all).await?;
    let came = texts(&sync);
    sync.answer().must(came == sent, format!("{sent:?}"), || format!("{came:?}"))
}

/// A message is told again until the device shows, by the token of an answer that had it, that it has arrived.
#[conformance(
    spec = "client-server-api/#send-to-device-messaging",
    level = Should,
    severity = Interop,
    proves = ["client-server-api/server-behaviour-7/1", "client-server-api/server-behaviour-7/3"]
)]
async fn message_is_told_until_it_has_arrived(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let since = bob.initial_sync().await?.next_batch().to_owned();
    send(&alice, "first", &bob, bob.device_id(), "pending").await?;

    let ask = || bob.sync_request().query("since", &since);
    let pending = |sync: &Sync| texts(sync) == ["pending"];
    bob.sync_showing("the message", ask, pending).await?;
    let again = bob.sync_showing("the message again", ask, pending).await?;

    let arrived = bob.sync_request().query("since", again.next_batch()).await?;
    let came = texts(&arrived);
    arrived.answer().must(came.is_empty(), "no message that has arrived", || format!("{came:?}"))
}

fn send(user: &User, transaction: &str, to: &User, device_id: &str, text: &str) -> Call {
    let target = path!("/_matrix/client/v3/sendToDevice/{}/{}", KIND, transaction);
    let mut messages = json!({});
    messages[to.id()][device_id] = json!({"text": text});
    user.put(target, json!({"messages": messages}))
}

/// The texts of the messages in an answer, in order.
fn texts(sync: &Sync) -> Vec<&str> {
    let messages = sync.to_device().iter().filter(|message| message["type"] == KIND);
    messages.filter_map(|message| message.pointer("/content/text").and_then(Value::as_str)).collect()
}
