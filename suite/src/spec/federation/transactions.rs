//! `server-server-api/#transactions`

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver,
        remote::{Asked, Question, Reply},
    },
    path,
    verdict::Verdict,
};

/// An event that cannot be accepted does not keep those beside it from being processed.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1sendtxnid",
    level = Must,
    severity = Interop
)]
async fn bad_event_does_not_spoil_the_others(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let forged = room.message("forged").tampered(|event| event["signatures"] = json!({})).build()?;
    let first = room.add(room.message("first"))?;
    let second = room.add(room.message("second"))?;

    let answer = remote.transmit(&[&first, &forged, &second]).await?;

    for good in [&first, &second] {
        let error = &answer.at("/pdus")[good.id()]["error"];
        answer.must(error.is_null(), format!("no error for {}", good.id()), || error.to_string())?;
    }
    alice.must_not_be_shown(&room, &forged, &second).await?;
    alice.event(room.id(), first.id()).await.map(drop)
}

/// What a transaction holds that the server does not know is passed over.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1sendtxnid",
    level = Must,
    severity = Interop
)]
async fn unknown_data_units_are_passed_over(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let message = room.add(room.message("beside something unknown"))?;
    let edus = json!([{"edu_type": "org.determinant.unknown", "content": {"nothing": [1, 2, 3]}}]);

    let answer = remote.transaction(json!({"pdus": [message.json()], "edus": edus})).await?;

    answer.must_have("/pdus")?;
    alice.sees_event(room.id(), message.id()).await.map(drop)
}

/// A transaction that is sent again is not processed again.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1sendtxnid",
    level = Must,
    severity = Interop
)]
async fn repeated_transaction_has_no_second_effect(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let said = room.add(room.message("once"))?;
    let body = json!({"pdus": [said.json()]});
    remote.transaction_as("repeated", body.clone()).await?;
    let sync = alice.sees_event(room.id(), said.id()).await?;
    let times = |ids: Vec<&str>| ids.iter().filter(|id| **id == said.id()).count();
    sync.answer()
        .must(times(sync.event_ids(room.id())) == 1, "the event once", || "more often".to_owned())?;

    remote.transaction_as("repeated", body).await?.must_have("/pdus")?;

    let later = remote.send(room.message("later")).await?;
    let sync = alice.sees_event(room.id(), later.id()).await?;
    sync.answer().must(times(sync.event_ids(room.id())) == 0, "the event no second time", || {
        "it came again".to_owned()
    })
}

/// A transaction that was not answered with 200 is sent again until it is, before anything that came later.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1sendtxnid",
    level = Must,
    severity = Interop
)]
async fn unanswered_transaction_is_sent_again(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let failed = AtomicBool::new(false);
    remote.answers_with(Question::Transaction, move |asked, usual| {
        let holds_message = asked.pdus().iter().any(|pdu| pdu["type"] == "m.room.message");
        if holds_message && !failed.swap(true, Ordering::Relaxed) {
            return Reply::error(503, "M_UNKNOWN");
        }
        usual()
    });

    alice.say(room.id(), "may be lost").await?;

    let arrived = |asked: &Asked| asked.pdus().iter().any(|pdu| pdu["content"]["body"] == "may be lost");
    let times = |asked: &[Asked]| asked.iter().filter(|asked| arrived(asked)).count();
    remote
        .sees("the message again", |asked| {
            (arrived(asked) && times(&remote.asked(Question::Transaction)) >= 2).then_some(())
        })
        .await
}

/// No transaction of the server holds more than 50 events or more than 100 ephemeral data units.
#[conformance(
    spec = "server-server-api/#transactions",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/put_matrixfederationv1sendtxnid/2"]
)]
async fn transactions_are_limited(hs: &Homeserver) -> Verdict {
    const MESSAGES: usize = 60;
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    // While one transaction is under way, the others wait and gather.
    let slowed = AtomicBool::new(false);
    remote.answers_with(Question::Transaction, move |asked, usual| {
        let holds_message = asked.pdus().iter().any(|pdu| pdu["type"] == "m.room.message");
        let reply = usual();
        if holds_message && !slowed.swap(true, Ordering::Relaxed) {
            return reply.after(std::time::Duration::from_secs(3));
        }
        reply
    });

    for number in 0..MESSAGES {
        alice.say(room.id(), &format!("message {number}")).await?;
    }

    let last = format!("message {}", MESSAGES - 1);
    remote.sees_event(&last, |event| event["content"]["body"] == last.as_str()).await?;
    remote
        .must_not_have_seen("transaction with more than 50 events or 100 ephemeral data units", |asked| {
            asked.pdus().len() > 50 || asked.edus().len() > 100
        })?;
    let sent: Vec<_> = remote
        .asked(Question::Transaction)
        .iter()
        .flat_map(|asked| asked.pdus().to_vec())
        .filter(|pdu| pdu["type"] == "m.room.message")
        .filter_map(|pdu| pdu["depth"].as_i64())
        .collect();
    crate::verdict::must(sent.is_sorted(), "events in the order in which they were made", || {
        format!("depths {sent:?}")
    })
}

/// A transaction is sent again until it is answered with 200, and no other one before that.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1sendtxnid",
    level = Must,
    severity = Interop,
    each = refusals,
    proves = ["server-server-api/put_matrixfederationv1sendtxnid/1"]
)]
async fn transaction_waits_for_the_last_one(hs: &Homeserver, refusal: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let counter = AtomicUsize::new(0);
    remote.answers_with(Question::Transaction, move |asked, usual| {
        let says = asked.pdus().iter().any(|pdu| pdu["type"] == "m.room.message");
        if says && counter.fetch_add(1, Ordering::Relaxed) < REFUSALS {
            return match refusal {
                "400" => Reply::error(400, "M_UNKNOWN"),
                "403" => Reply::error(403, "M_FORBIDDEN"),
                "503" => Reply::error(503, "M_UNKNOWN"),
                _ => Reply::nothing(),
            };
        }
        usual()
    });

    for text in ["first", "second"] {
        alice.say(room.id(), text).await?;
        remote.sees_event(text, |event| event["content"]["body"] == text).await?;
    }

    let says = |asked: &Asked, text: &str| asked.pdus().iter().any(|pdu| pdu["content"]["body"] == text);
    let all = remote.asked(Question::Transaction);
    let sent = all.iter().skip_while(|asked| !says(asked, "first"));
    let sent: Vec<&str> = sent.map(|asked| asked.parameter("txnId")).collect();
    let tries = sent.iter().take_while(|id| Some(*id) == sent.first()).count();
    let expected = format!("one transaction {} times, and only then another one", REFUSALS + 1);
    crate::verdict::must(tries > REFUSALS, expected, || format!("transactions {sent:?}"))
}

/// How often a transaction is refused.
const REFUSALS: usize = 2;

/// How it is refused.
fn refusals() -> impl Iterator<Item = &'static str> {
    ["400", "403", "503", "no answer"].into_iter()
}

/// However many messages to devices wait, no transaction holds more than 100 ephemeral data units.
#[conformance(
    spec = "server-server-api/#transactions",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/put_matrixfederationv1sendtxnid/3"]
)]
async fn ephemeral_data_units_are_limited(hs: &Homeserver) -> Verdict {
    const MESSAGES: usize = 130;
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    // Until the last message is there, one transaction is under way.
    let (release, released) = tokio::sync::watch::channel(false);
    let held = AtomicBool::new(false);
    remote.answers_with(Question::Transaction, move |asked, usual| {
        let first = asked.pdus().iter().any(|pdu| pdu["type"] == "m.room.message");
        if first && !held.swap(true, Ordering::Relaxed) {
            return usual().once(released.clone());
        }
        usual()
    });
    alice.say(room.id(), "hold on").await?;
    remote.sees_event("hold on", |event| event["content"]["body"] == "hold on").await?;

    let dave = remote.user("dave");
    for number in 0..MESSAGES {
        let body = json!({"messages": {&dave: {"PHONE": {"number": number}}}});
        let path = path!("/_matrix/client/v3/sendToDevice/org.determinant.note/{}", number.to_string());
        alice.put(path, body).await?;
    }
    release.send_replace(true);

    let last = |content: &Value| content["messages"][&dave]["PHONE"]["number"] == MESSAGES - 1;
    remote.sees_edu("m.direct_to_device", last).await?;
    remote.must_not_have_seen("transaction with more than 100 ephemeral data units", |asked| {
        asked.edus().len() > 100
    })?;
    let sent = remote.asked(Question::Transaction);
    let notes = sent.iter().flat_map(|asked| asked.edus().to_vec());
    let notes = notes.filter(|edu| edu["edu_type"] == "m.direct_to_device").count();
    crate::verdict::must(notes == MESSAGES, format!("{MESSAGES} messages"), || format!("{notes}"))
}

/// An event that is rejected does not fail the transaction that it came in.
#[conformance(
    spec = "server-server-api/#rejection",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/rejection/4"]
)]
async fn rejected_event_does_not_fail_the_transaction(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let rejected = room.message("from outside").by(&remote.user("outsider")).build()?;
    let later = room.add(room.message("from inside"))?;

    let answer = remote.transmit(&[&rejected, &later]).await?;

    let error = &answer.at("/pdus")[later.id()]["error"];
    answer.must(error.is_null(), format!("no error for {}", later.id()), || error.to_string())?;
    alice.must_not_be_shown(&room, &rejected, &later).await
}
