//! `server-server-api/#send-to-device-messaging`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync},
    path,
    verdict::Verdict,
};

const KIND: &str = "org.determinant.message";

fn message(sender: &str, id: &str, user: &str, device: &str) -> Value {
    json!({
        "sender": sender, "type": KIND, "message_id": id,
        "messages": {user: {device: {"text": id}}},
    })
}

fn received<'a>(sync: &'a Sync, sender: &'a str) -> impl Iterator<Item = &'a Value> {
    sync.to_device().iter().filter(move |event| event["type"] == KIND && event["sender"] == sender)
}

/// To whom a message goes.
fn devices() -> impl Iterator<Item = &'static str> {
    ["one device", "all devices"].into_iter()
}

/// A message from a user of another server reaches the device that it is for, or all devices of the user.
#[conformance(
    spec = "server-server-api/#send-to-device-messaging",
    level = Must,
    severity = Interop,
    each = devices
)]
async fn message_of_another_server_arrives(hs: &Homeserver, devices: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let second = alice.logs_in().await?;
    let remote = hs.remote().await?;
    let charlie = remote.user("charlie");
    let device = if devices == "one device" { alice.device_id() } else { "*" };
    remote.transmit_edu("m.direct_to_device", message(&charlie, "first", alice.id(), device)).await?;
    alice
        .sees("the message", |sync| received(sync, &charlie).any(|event| event["content"]["text"] == "first"))
        .await?;
    if devices == "all devices" {
        return second.sees("the message", |sync| received(sync, &charlie).next().is_some()).await.map(drop);
    }
    second
        .must_never_see("the message for the other device", |sync| received(sync, &charlie).next().is_some())
        .await
}

/// A message that another server sends twice arrives once.
#[conformance(
    spec = "server-server-api/#send-to-device-messaging",
    level = Must,
    severity = Interop
)]
async fn repeated_message_arrives_once(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let charlie = remote.user("charlie");
    for id in ["same", "same", "last"] {
        remote
            .transmit_edu("m.direct_to_device", message(&charlie, id, alice.id(), alice.device_id()))
            .await?;
    }
    let last = |sync: &Sync| received(sync, &charlie).any(|event| event["content"]["text"] == "last");
    let sync = alice.sees("the last message", last).await?;
    let count = received(&sync, &charlie).filter(|event| event["content"]["text"] == "same").count();
    sync.answer().must(count <= 1, "the repeated message once", || format!("{count} times"))
}

/// A server sends messages of its own users only.
#[conformance(
    spec = "server-server-api/#send-to-device-messaging",
    level = Must,
    severity = Security
)]
async fn message_of_others_is_not_believed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let charlie = remote.user("charlie");
    remote
        .transmit_edu("m.direct_to_device", message(bob.id(), "forged", alice.id(), alice.device_id()))
        .await?;
    remote
        .transmit_edu("m.direct_to_device", message(&charlie, "genuine", alice.id(), alice.device_id()))
        .await?;
    let shown =
        |sync: &Sync| received(sync, &charlie).next().is_some() || received(sync, bob.id()).next().is_some();
    let sync = alice.sees("a message", shown).await?;
    let forged = received(&sync, bob.id()).next().is_some();
    sync.answer().must(!forged, "no message of bob from another server", || "one".to_owned())
}

/// A user's message goes to the server of the user that it is for.
#[conformance(
    spec = "server-server-api/#send-to-device-messaging",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/send-to-device-messaging/1"]
)]
async fn message_goes_to_the_other_server(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let charlie = remote.user("charlie");
    let path = path!("/_matrix/client/v3/sendToDevice/{}/{}", KIND, hs.unique());
    alice.put(path, json!({"messages": {&charlie: {"PHONE": {"text": "to you alone"}}}})).await?;
    let theirs = |content: &Value| {
        content["sender"] == alice.id()
            && content["type"] == KIND
            && content["messages"][&charlie]["PHONE"]["text"] == "to you alone"
            && content["message_id"].is_string()
    };
    remote.sees_edu("m.direct_to_device", theirs).await.map(drop)
}

/// A message waits until the other server answers again.
#[conformance(
    spec = "server-server-api/#transactions",
    level = Must,
    severity = Interop
)]
async fn message_waits_for_the_other_server(hs: &Homeserver) -> Verdict {
    use crate::cast::remote::{Question, Reply};
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let charlie = remote.user("charlie");
    remote.answers(Question::Transaction, Reply::error(503, "M_UNKNOWN"));
    let path = path!("/_matrix/client/v3/sendToDevice/{}/{}", KIND, hs.unique());
    alice.put(path, json!({"messages": {&charlie: {"PHONE": {"text": "patience"}}}})).await?;
    remote.is_asked(Question::Transaction).await?;
    let failed = remote.asked(Question::Transaction).len();
    remote.answers_as_usual(Question::Transaction);
    let theirs = |asked: &crate::cast::remote::Asked| {
        asked.edus().iter().any(|edu| edu["content"]["messages"][&charlie]["PHONE"]["text"] == "patience")
    };
    let again = |asked: &crate::cast::remote::Asked| {
        (theirs(asked) && remote.asked(Question::Transaction).len() > failed).then_some(())
    };
    remote.sees("the message again", again).await
}
