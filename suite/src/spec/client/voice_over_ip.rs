//! `client-server-api/#voice-over-ip`

use serde_json::{Value, json};
use suite_attribute::conformance;
use turn::Allocation;

use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// The credentials for a TURN server name where it is and how long they serve.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3voipturnserver",
    level = Must,
    severity = Usability,
    needs = "turn"
)]
async fn turn_credentials_are_complete(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = turn_credentials(&alice).await?;
    answer.must_have_text("/username")?;
    answer.must_have_text("/password")?;
    let lifetime_s = answer.at("/ttl").as_u64().unwrap_or_default();
    answer.must(lifetime_s > 0, "a lifetime above 0 at /ttl", || answer.at("/ttl").to_string())?;
    let uris = answer.must_have_list("/uris")?;
    let turn =
        |uri: &Value| uri.as_str().is_some_and(|uri| uri.starts_with("turn:") || uri.starts_with("turns:"));
    answer.must(!uris.is_empty() && uris.iter().all(turn), "TURN URIs", || format!("{uris:?}"))
}

/// The TURN server that the homeserver names allocates a relay to whoever has its credentials.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3voipturnserver",
    level = Must,
    severity = Usability,
    needs = "turn"
)]
async fn turn_credentials_allocate_a_relay(hs: &Homeserver) -> Verdict {
    let relay = hs.turn_server().await?;
    let [alice] = hs.users().await?;
    let answer = turn_credentials(&alice).await?;
    let (username, password) = (answer.must_have_text("/username")?, answer.must_have_text("/password")?);
    let uris = answer.must_have_list("/uris")?;
    if !uris.iter().filter_map(Value::as_str).any(|uri| relay.is_at(uri)) {
        return Err(Stop::NotApplicable(format!(
            "the server names another TURN server than the run's: {uris:?}"
        )));
    }
    let stranger = relay.allocate(&username, "not the password", hs.patience()).await?;
    if !matches!(stranger, Allocation::Refused { code: 401, .. }) {
        return Err(Stop::Fault(format!("the TURN server takes any password: {stranger:?}")));
    }

    let allocation = relay.allocate(&username, &password, hs.patience()).await?;

    let granted = matches!(allocation, Allocation::Granted { lifetime_s } if lifetime_s > 0);
    answer
        .must(granted, "credentials by which the TURN server allocates a relay", || format!("{allocation:?}"))
}

/// The events of a call reach the other party as they were sent and in their order, whatever becomes of the call.
#[conformance(
    spec = "client-server-api/#voice-over-ip",
    level = Must,
    severity = Usability,
    each = calls
)]
async fn call_is_signalled(hs: &Homeserver, call: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;
    let id = format!("call-{}", hs.unique());
    let mut sent = Vec::new();
    for (party, kind, content) in script(call, &id) {
        let caller = if party == "alice" { &alice } else { &bob };
        let content = signal(&content, party, &id);
        let event_id = caller.send(&room, kind, content.clone()).await?;
        sent.push(json!({"event_id": event_id, "sender": caller.id(), "type": kind, "content": content}));
    }

    must_hear(&alice, &room, &sent).await?;
    must_hear(&bob, &room, &sent).await
}

/// Everything of a call that was sent, as it was, and in this order.
async fn must_hear(listener: &User, room: &str, sent: &[Value]) -> Verdict {
    let last = sent.last().and_then(|signal| signal["event_id"].as_str()).unwrap_or_default();
    let mut heard = Vec::new();
    loop {
        let sync = listener.sees("more of the call", |sync| !sync.timeline(room).is_empty()).await?;
        let is_signal =
            |event: &&Value| event["type"].as_str().is_some_and(|kind| kind.starts_with("m.call."));
        heard.extend(sync.timeline(room).iter().filter(is_signal).map(shown));
        if sync.has_event(room, last) {
            return sync.answer().must(heard == sent, json!(sent).to_string(), || json!(heard).to_string());
        }
    }
}

/// What matters of an event of a call.
fn shown(event: &Value) -> Value {
    let field = |name: &str| (name.to_owned(), event[name].clone());
    ["event_id", "sender", "type", "content"].map(field).into_iter().collect()
}

/// Kinds of calls.
fn calls() -> [&'static str; 6] {
    ["answered", "rejected", "glare", "renegotiated", "answered elsewhere", "timed out"]
}

/// Who sends what in such a call.
fn script(call: &str, id: &str) -> Vec<(&'static str, &'static str, Value)> {
    let description =
        |kind: &str| json!({"type": kind, "sdp": format!("v=0\r\no=- {id} 1 IN IP4 127.0.0.1\r\n")});
    let candidate = json!({"candidate": "candidate:1 1 UDP 1 127.0.0.1 9 typ host", "sdpMid": "audio", "sdpMLineIndex": 0});
    let end = json!({"candidate": ""});
    let invite = ("alice", "m.call.invite", json!({"lifetime": 60_000, "offer": description("offer")}));
    let candidates = ("alice", "m.call.candidates", json!({"candidates": [candidate, end]}));
    let answer = ("bob", "m.call.answer", json!({"answer": description("answer")}));
    let select = ("alice", "m.call.select_answer", json!({"selected_party_id": "bob"}));
    let hangup = |party, reason: &str| (party, "m.call.hangup", json!({"reason": reason}));
    let negotiate = |party, kind| {
        let content = json!({
            "lifetime": 60_000, "description": description(kind),
            "sdp_stream_metadata": {"screen": {"purpose": "m.screenshare"}},
        });
        (party, "m.call.negotiate", content)
    };
    let metadata =
        json!({"sdp_stream_metadata": {"screen": {"purpose": "m.screenshare", "video_muted": true}}});
    match call {
        "answered" => vec![invite, candidates, answer, select, hangup("bob", "user_hangup")],
        "rejected" => vec![invite, candidates, ("bob", "m.call.reject", json!({}))],
        // Both call, and the greater of the two call ids gives way (client-server-api/#glare).
        "glare" => {
            let greater = format!("{id}-greater");
            let other = json!({"call_id": greater, "lifetime": 60_000, "offer": description("offer")});
            let aborted = json!({"call_id": greater, "reason": "user_hangup"});
            let (other, aborted) = (("bob", "m.call.invite", other), ("bob", "m.call.hangup", aborted));
            vec![invite, other, aborted, answer, select, hangup("alice", "user_hangup")]
        }
        "renegotiated" => vec![
            invite,
            answer,
            select,
            negotiate("bob", "offer"),
            negotiate("alice", "answer"),
            ("bob", "m.call.sdp_stream_metadata_changed", metadata),
            hangup("alice", "ice_timeout"),
        ],
        "answered elsewhere" => {
            let other = json!({"answer": description("answer"), "party_id": "bob-2"});
            vec![
                invite,
                answer,
                ("bob", "m.call.answer", other),
                select,
                hangup("alice", "user_media_failed"),
            ]
        }
        _ => vec![invite, candidates, hangup("alice", "invite_timeout")],
    }
}

/// What all events of a call have, in version 1.
fn signal(content: &Value, party: &str, id: &str) -> Value {
    let mut signal = json!({"call_id": id, "party_id": party, "version": "1"});
    if let (Some(signal), Some(content)) = (signal.as_object_mut(), content.as_object()) {
        signal.extend(content.clone());
    }
    signal
}

/// The credentials; the test does not apply where the server has none to offer.
async fn turn_credentials(alice: &User) -> Result<Answer, Stop> {
    let answer = alice.get("/_matrix/client/v3/voip/turnServer").await?;
    if answer.json().as_object().is_some_and(serde_json::Map::is_empty) {
        return Err(Stop::NotApplicable("the server has no TURN server to offer".to_owned()));
    }
    Ok(answer)
}
