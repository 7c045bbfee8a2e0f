//! `server-server-api/#policy-servers`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver, Remote, User,
        remote::{PolicyServer, Question, Reply, Room},
    },
    verdict::{Stop, Verdict, must},
};

/// A room of a remote that is its policy server, which the user has joined and may change.
async fn policed(hs: &Homeserver) -> Result<(User, Remote, Room, PolicyServer), Stop> {
    let (alice, remote, room) = shared(hs).await?;
    let policy = remote.policy_server()?;
    policy.govern(&room, &alice).await?;
    Ok((alice, remote, room, policy))
}

/// A room of a remote where the user has the power to change state.
async fn shared(hs: &Homeserver) -> Result<(User, Remote, Room), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let levels = room.state("m.room.power_levels", "");
    let mut levels = levels.map(|event| event.json()["content"].clone()).unwrap_or_default();
    levels["users"][alice.id()] = json!(50);
    let levels = remote.send(room.state_event("m.room.power_levels", "", levels)).await?;
    alice.sees_event(room.id(), levels.id()).await?;
    Ok((alice, remote, room))
}

fn says(event: &Value, text: &str) -> bool {
    event["content"]["body"] == text
}

/// The room's policy server is asked about an event before it is sent, and its signature goes out with the event, beside
/// that of the server itself.
#[conformance(
    spec = "server-server-api/#asking-for-a-policy-server-signature-on-an-event",
    level = Must,
    severity = Interop,
    since = "v1.18",
    proves = [
        "server-server-api/determining-if-a-policy-server-is-enabled-in-a-room/2",
        "server-server-api/asking-for-a-policy-server-signature-on-an-event/1",
        "server-server-api/adding-hashes-and-signatures-to-outgoing-events/1",
        "server-server-api/post_matrixpolicyv1sign/2",
    ]
)]
async fn policy_server_is_asked(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, _) = policed(hs).await?;
    alice.say(room.id(), "as agreed").await?;
    let of_message = |asked: &crate::cast::remote::Asked| {
        (asked.question == Some(Question::Policy) && says(&asked.json, "as agreed")).then_some(())
    };
    remote.sees("the message, to be signed", of_message).await?;
    let sent = remote.sees_event("the message", |event| says(event, "as agreed")).await?;
    let signature = &sent["signatures"][remote.name()]["ed25519:policy_server"];
    must(signature.is_string(), "the event with the policy server's signature", || sent.to_string())?;
    must(sent["signatures"][hs.name()].is_object(), "the event with its own signature", || sent.to_string())
}

/// A policy server is asked only where the room uses one: its state names a server and a key, and a user of that server is
/// in the room.
#[conformance(
    spec = "server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room",
    level = Must,
    severity = Interop,
    since = "v1.18",
    each = unusable_policies,
    proves = ["server-server-api/determining-if-a-policy-server-is-enabled-in-a-room/1"]
)]
async fn policy_has_to_be_complete(hs: &Homeserver, lacks: &'static str) -> Verdict {
    let (alice, remote, room) = shared(hs).await?;
    let other = hs.remote().await?;
    let (policy, strange) = (remote.policy_server()?.policy(), other.policy_server()?.policy());
    let (state_key, content) = match lacks {
        "member" => ("", strange),
        "keys" => ("", json!({"via": remote.name()})),
        "ed25519" => ("", json!({"via": remote.name(), "public_keys": {}})),
        "via" => ("", json!({"public_keys": policy["public_keys"]})),
        _ => ("elsewhere", policy),
    };
    let event = remote.send(room.state_event("m.room.policy", state_key, content)).await?;
    alice.sees_event(room.id(), event.id()).await?;

    alice.say(room.id(), "freely").await?;
    remote.sees_event("the message", |event| says(event, "freely")).await?;
    for server in [&remote, &other] {
        server.must_not_have_seen("request to sign", |asked| asked.question == Some(Question::Policy))?;
    }
    Ok(())
}

fn unusable_policies() -> [&'static str; 5] {
    ["member", "keys", "ed25519", "via", "empty state key"]
}

/// The event that names the policy server is sent without its signature, so that a room can be rid of it.
#[conformance(
    spec = "server-server-api/#validating-policy-server-signatures",
    level = Must,
    severity = Interop,
    since = "v1.18",
    proves = [
        "server-server-api/post_matrixpolicyv1sign/1",
        "server-server-api/validating-policy-server-signatures/1",
    ]
)]
async fn policy_itself_needs_no_signature(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, policy) = policed(hs).await?;
    policy.answers(Reply::error(403, "M_FORBIDDEN"));
    alice.set_state(room.id(), "m.room.policy", "", json!({})).await?;
    remote.sees_event("the end of the policy", |event| event["type"] == "m.room.policy").await?;
    let times = policy.times_asked(|event| event["type"] == "m.room.policy");
    must(times == 0, "no request to sign m.room.policy", || format!("{times}"))?;

    alice.say(room.id(), "free again").await?;
    remote.sees_event("the message", |event| says(event, "free again")).await.map(drop)
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
    let (alice, remote, room, policy) = policed(hs).await?;
    let refusal = json!({"errcode": "ORG.EXAMPLE.UNWANTED", "error": "no spam in here"});
    policy.answers(Reply::json_with(400, refusal));
    let refused = alice.say(room.id(), "spam").must_refuse(400, "ORG.EXAMPLE.UNWANTED").await?;
    refused.must_hold("/error", "no spam in here")?;
    must_not_be_sent(&remote, "spam")
}

/// An event is not sent when the policy server answers nothing that is its signature.
#[conformance(
    spec = "server-server-api/#asking-for-a-policy-server-signature-on-an-event",
    level = Should,
    severity = Security,
    since = "v1.18",
    each = useless_answers,
    proves = ["server-server-api/asking-for-a-policy-server-signature-on-an-event/2"]
)]
async fn unsigned_event_is_not_sent(hs: &Homeserver, answer: &'static str) -> Verdict {
    let (alice, remote, room, policy) = policed(hs).await?;
    match answer {
        "error" => policy.answers(Reply::error(502, "M_UNKNOWN")),
        "garbage" => policy.answers(Reply::garbage()),
        "no answer" => policy.answers(Reply::nothing()),
        "no signature" => policy.answers(Reply::json(json!({}))),
        _ => policy.signs_with_another_key()?,
    }
    let refused = alice.say(room.id(), "unsigned").answer().await?;
    refused.must(!refused.status().is_success(), "an error", || refused.status().to_string())?;
    must_not_be_sent(&remote, "unsigned")
}

fn useless_answers() -> [&'static str; 5] {
    ["error", "garbage", "no answer", "no signature", "another key"]
}

fn must_not_be_sent(remote: &Remote, text: &str) -> Verdict {
    remote
        .must_not_have_seen("event that was refused", |asked| asked.pdus().iter().any(|pdu| says(pdu, text)))
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
    let (alice, remote, room, policy) = policed(hs).await?;
    policy.answers(Reply::error(403, "M_FORBIDDEN"));
    let unsigned = room.message("unsigned").build()?;
    remote.transmit(&[&unsigned]).await?;
    let signed = room.add(policy.signed(room.message("signed")))?;
    remote.deliver(&signed).await?;
    alice.must_not_be_shown(&room, &unsigned, &signed).await
}

/// The policy server is asked about an event that comes without its signature, or with a wrong one, and users are shown the
/// event when it signs.
#[conformance(
    spec = "server-server-api/#validating-policy-server-signatures",
    level = Should,
    severity = Interop,
    since = "v1.18",
    each = deficient_signatures,
    proves = ["server-server-api/validating-policy-server-signatures/3"]
)]
async fn deficient_signature_is_asked_for_again(hs: &Homeserver, signature: &'static str) -> Verdict {
    let (alice, remote, room, policy) = policed(hs).await?;
    let draft = room.message("in time");
    let event = room.add(match signature {
        "missing" => draft,
        // Signed as it was before it was changed.
        _ => policy.signed(draft).tampered(|event| {
            for (_, signatures) in event["signatures"].as_object_mut().into_iter().flatten() {
                if let Some(forged) = signatures.get_mut("ed25519:policy_server") {
                    *forged = json!("A".repeat(86));
                }
            }
        }),
    })?;
    remote.deliver(&event).await?;
    alice.sees_event(room.id(), event.id()).await?;
    let times = policy.times_asked(|event| says(event, "in time"));
    must(times > 0, "a request to sign the event", || "none".to_owned())
}

fn deficient_signatures() -> [&'static str; 2] {
    ["missing", "wrong"]
}

/// A room of alice's that anybody may join, whose policy server is a remote with somebody in it.
async fn policed_here(hs: &Homeserver) -> Result<(User, Remote, Room, PolicyServer), Stop> {
    let [alice] = hs.users().await?;
    let id = alice.create_room(json!({"preset": "public_chat"})).await?;
    let remote = hs.remote().await?;
    let room = remote.joins(&id, "policy").await?;
    let policy = remote.policy_server()?;
    alice.set_state(&id, "m.room.policy", "", policy.policy()).await?;
    Ok((alice, remote, room, policy))
}

fn is_member(event: &Value, user: &str) -> bool {
    event["type"] == "m.room.member" && event["state_key"] == user
}

/// The policy server is asked about the join of a user of this server, and its signature goes out with the join.
#[conformance(
    spec = "server-server-api/#asking-for-a-policy-server-signature-on-an-event",
    level = Must,
    severity = Interop,
    since = "v1.18",
    proves = ["server-server-api/asking-for-a-policy-server-signature-on-an-event/1"]
)]
async fn join_is_signed(hs: &Homeserver) -> Verdict {
    let (_, remote, room, policy) = policed_here(hs).await?;
    let [bob] = hs.users().await?;
    bob.join(room.id()).await?;

    let sent = remote.sees_event("the join", |event| is_member(event, bob.id())).await?;
    let times = policy.times_asked(|event| is_member(event, bob.id()));
    must(times > 0, "a request to sign the join", || "none".to_owned())?;
    let signature = &sent["signatures"][remote.name()]["ed25519:policy_server"];
    must(signature.is_string(), "the join with the policy server's signature", || sent.to_string())
}

/// A server that joins a room cannot know of its policy server, so the server through which it joins asks that.
#[conformance(
    spec = "server-server-api/#validating-policy-server-signatures",
    level = Should,
    severity = Interop,
    since = "v1.18",
    proves = ["server-server-api/validating-policy-server-signatures/3"]
)]
async fn join_of_another_server_is_signed(hs: &Homeserver) -> Verdict {
    let (alice, _, room, policy) = policed_here(hs).await?;
    let other = hs.remote().await?;
    let erin = other.user("erin");
    other.joins(room.id(), "erin").await?;

    alice.sees("the join", |sync| sync.has_membership(room.id(), &erin, "join")).await?;
    let times = policy.times_asked(|event| is_member(event, &erin));
    must(times > 0, "a request to sign the join", || "none".to_owned())
}

/// A join that the policy server refuses to sign is shown to nobody, whoever joins.
#[conformance(
    spec = "server-server-api/#validating-policy-server-signatures",
    level = Should,
    severity = Security,
    since = "v1.18",
    each = joiners,
    proves = [
        "server-server-api/validating-policy-server-signatures/4",
        "server-server-api/validating-policy-server-signatures/5",
    ]
)]
async fn refused_join_is_not_shown(hs: &Homeserver, joiner: &'static str) -> Verdict {
    let (alice, _, room, policy) = policed_here(hs).await?;
    policy.answers(Reply::error(403, "M_FORBIDDEN"));
    let refused = match joiner {
        "of another server" => {
            let other = hs.remote().await?;
            let erin = other.user("erin");
            let join = other.make_join(room.id(), &erin)?.await?.build()?;
            other.hand_in("send_join", room.id(), &join)?.answer().await?;
            erin
        }
        _ => {
            let [bob] = hs.users().await?;
            bob.join(room.id()).must_refuse(403, "M_FORBIDDEN").await?;
            bob.id().to_owned()
        }
    };
    alice.must_never_see("the join", |sync| sync.has_membership(room.id(), &refused, "join")).await
}

fn joiners() -> [&'static str; 2] {
    ["of this server", "of another server"]
}

/// A signature with a key that nobody has published, as a policy server has one, does not make an event wrong.
#[conformance(
    spec = "server-server-api/#validating-hashes-and-signatures-on-received-events",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/validating-hashes-and-signatures-on-received-events/4"]
)]
async fn signature_of_a_policy_server_is_left_out(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let name = remote.name().to_owned();
    let signature = protocol::base64::encode([7; 64]);
    let message = room.message("judged").tampered(move |event| {
        event["signatures"][&name]["ed25519:policy_server"] = json!(signature);
    });
    let message = remote.send(message).await?;
    alice.sees_event(room.id(), message.id()).await.map(drop)
}
