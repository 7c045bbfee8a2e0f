//! `server-server-api/#policy-servers`

use protocol::keys::SigningKey;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver, Remote, User,
        remote::{Question, Reply, Room},
    },
    verdict::{Stop, Verdict, must},
};

/// A room of a remote that is its policy server, which the user has joined.
async fn policed(hs: &Homeserver) -> Result<(User, Remote, Room, SigningKey), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let key = SigningKey::generate("policy_server").map_err(|error| Stop::Fault(error.to_string()))?;
    remote.admit(&alice, &room).await?;
    let (version, name, signing) = (room.version(), remote.name().to_owned(), key.clone());
    remote.answers_with(Question::Policy, move |asked, _| {
        let mut event = asked.json.as_object().cloned().unwrap_or_default();
        event.remove("signatures");
        match protocol::event::sign(&mut event, &name, &signing, version) {
            Ok(()) => Reply::json(event["signatures"].clone()),
            Err(_) => Reply::error(400, "M_BAD_JSON"),
        }
    });
    let policy = json!({"via": remote.name(), "public_keys": {"ed25519": key.verify_key().to_base64()}});
    let policy = remote.send(room.state_event("m.room.policy", "", policy)).await?;
    alice.sees_event(room.id(), policy.id()).await?;
    Ok((alice, remote, room, key))
}

/// The room's policy server is asked about an event before it is sent, and its signature goes out with the event.
#[conformance(
    spec = "server-server-api/#asking-for-a-policy-server-signature-on-an-event",
    level = Must,
    severity = Interop,
    since = "v1.18",
    proves = [
        "server-server-api/determining-if-a-policy-server-is-enabled-in-a-room/2",
        "server-server-api/asking-for-a-policy-server-signature-on-an-event/1",
        "server-server-api/adding-hashes-and-signatures-to-outgoing-events/1",
    ]
)]
async fn policy_server_is_asked(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, _) = policed(hs).await?;
    alice.say(room.id(), "as agreed").await?;
    let asked = remote.is_asked(Question::Policy).await?;
    must(asked.json["content"]["body"] == "as agreed", "the event", || asked.json.to_string())?;
    let sent = remote.sees_event("the message", |event| event["content"]["body"] == "as agreed").await?;
    let signature = &sent["signatures"][remote.name()]["ed25519:policy_server"];
    must(signature.is_string(), "the event with the policy server's signature", || sent.to_string())
}

/// An event that the policy server refuses is not sent, and its error is the user's.
#[conformance(
    spec = "server-server-api/#validating-policy-server-signatures",
    level = Should,
    severity = Security,
    since = "v1.18",
    proves = [
        "server-server-api/determining-if-a-policy-server-is-enabled-in-a-room/3",
        "server-server-api/asking-for-a-policy-server-signature-on-an-event/3",
        "server-server-api/validating-policy-server-signatures/5",
        "server-server-api/validating-policy-server-signatures/6",
    ]
)]
async fn refused_event_is_not_sent(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, _) = policed(hs).await?;
    remote.answers(Question::Policy, Reply::error(403, "M_FORBIDDEN"));
    alice.say(room.id(), "spam").must_refuse(403, "M_FORBIDDEN").await?;
    remote.must_not_have_seen("event that was refused", |asked| {
        asked.pdus().iter().any(|pdu| pdu["content"]["body"] == "spam")
    })
}

/// An event that the policy server has not signed, and does not sign, is kept from users.
#[conformance(
    spec = "server-server-api/#validating-policy-server-signatures",
    level = Should,
    severity = Security,
    since = "v1.18",
    proves = ["server-server-api/validating-policy-server-signatures/4"]
)]
async fn unsigned_event_is_not_shown(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, key) = policed(hs).await?;
    remote.answers(Question::Policy, Reply::error(403, "M_FORBIDDEN"));
    let unsigned = room.message("unsigned").build()?;
    remote.transmit(&[&unsigned]).await?;
    let (version, name) = (room.version(), remote.name().to_owned());
    // Both signatures are the same server's, with different keys.
    let signed = room.message("signed").tampered(move |event| {
        let own = event["signatures"][&name].clone();
        let _ = protocol::event::sign(event, &name, &key, version);
        if let (Some(both), Value::Object(own)) = (event["signatures"][&name].as_object_mut(), own) {
            both.extend(own);
        }
    });
    let signed = room.add(signed)?;
    remote.deliver(&signed).await?;
    alice.must_not_be_shown(&room, &unsigned, &signed).await
}
