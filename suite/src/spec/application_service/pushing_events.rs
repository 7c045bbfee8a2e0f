//! `application-service-api/#pushing-events`

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{ApplicationService, Homeserver, Puppet, User, neighbour::Asked, remote::Reply},
    path,
    verdict::{Stop, Verdict},
};

/// An application service is told of an event in a room where one of its users is, in the format of the Client-Server
/// API.
#[conformance(
    spec = "application-service-api/#put_matrixappv1transactionstxnid",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn event_is_told_where_a_puppet_is(hs: &Homeserver) -> Verdict {
    let (service, alice, room, _) = with_a_puppet_in(hs).await?;
    let event_id = alice.say(&room, "for the bridge").await?;

    let told = service.sees_event(&event_id).await?;

    let shown = alice.event(&room, &event_id).await?;
    for field in ["room_id", "sender", "type", "origin_server_ts", "content"] {
        shown.must(
            told[field] == *shown.at(&format!("/{field}")),
            format!("{field} as it was told"),
            || told.to_string(),
        )?;
    }
    Ok(())
}

/// An invite of one of its users is told to an application service, although nobody of its users is in the room.
#[conformance(
    spec = "application-service-api/#registration",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn invite_of_a_puppet_is_told(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let puppet = service.puppet().await?;
    let room = alice.create_room(json!({})).await?;
    let invite = json!({"user_id": puppet.id()});
    let answer = alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), invite).await?;

    let is_invite = |event: &Value| {
        event["type"] == "m.room.member"
            && event["state_key"] == puppet.id()
            && event["room_id"] == room.as_str()
    };
    let told = service
        .sees("sendTransaction", |asked| {
            asked.json["events"].as_array()?.iter().find(|it| is_invite(it)).cloned()
        })
        .await?;
    answer.must(told["content"]["membership"] == "invite", "the invite", || told.to_string())
}

/// What happens in rooms that do not concern an application service is not told to it.
#[conformance(
    spec = "application-service-api/#registration",
    level = Must,
    severity = Security,
    needs = "application_services"
)]
async fn foreign_rooms_are_not_told(hs: &Homeserver) -> Verdict {
    let (service, alice, room, _) = with_a_puppet_in(hs).await?;
    let elsewhere = alice.create_room(json!({})).await?;
    alice.say(&elsewhere, "not for the bridge").await?;
    let last = alice.say(&room, "for the bridge").await?;
    service.sees_event(&last).await?;

    let answer = alice.event(&room, &last).await?;
    let told = service.transactions_of(&elsewhere);
    answer.must(told.is_empty(), "no transaction with an event of another room", || format!("{told:?}"))
}

/// Everything in a room with an alias of its namespace is told to an application service, whoever is in the room.
#[conformance(
    spec = "application-service-api/#registration",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn room_with_an_alias_is_told(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let puppet = service.puppet().await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    puppet.join(&room).await?;
    let alias = service.unused_alias();
    puppet.put(path!("/_matrix/client/v3/directory/room/{}", alias), json!({"room_id": room})).await?;
    puppet.post(path!("/_matrix/client/v3/rooms/{}/leave", room), json!({})).await?;

    let event_id = alice.say(&room, "nobody of yours hears me").await?;
    service.sees_event(&event_id).await.map(drop)
}

/// A transaction that failed is repeated with the same id and the same events, and what came later comes later.
#[conformance(
    spec = "application-service-api/#pushing-events",
    level = Must,
    severity = Interop,
    needs = "application_services",
    proves = ["application-service-api/pushing-events/2", "application-service-api/pushing-events/4"]
)]
async fn failed_transaction_is_repeated_unaltered(hs: &Homeserver) -> Verdict {
    let (service, alice, room, _) = with_a_puppet_in(hs).await?;
    let service = service.that_may_fail().await;
    let failures = AtomicU32::new(2);
    let about = room.clone();
    // Both the path of today and the older one are refused.
    service.answers("sendTransaction", move |asked| {
        let mut events = asked.json["events"].as_array()?.iter();
        let is_it =
            events.any(|event| event["room_id"] == about.as_str() && event["content"]["body"] == "first");
        let fails = is_it
            && failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        fails.then(|| Reply::error(500, "M_UNKNOWN"))
    });
    let first = alice.say(&room, "first").await?;
    let second = alice.say(&room, "second").await?;
    service.sees_event(&first).await?;
    service.sees_event(&second).await?;

    let answer = alice.event(&room, &second).await?;
    let transactions = service.transactions_of(&room);
    let with_first: Vec<_> = transactions.iter().filter(|(_, events)| events.contains(&first)).collect();
    answer.must(with_first.len() >= 2, "the failed transaction again", || format!("{transactions:?}"))?;
    answer.must(with_first.windows(2).all(|two| two[0] == two[1]), "the same transaction", || {
        format!("{with_first:?}")
    })?;
    let place = |event: &String| transactions.iter().rposition(|(_, events)| events.contains(event));
    answer.must(place(&first) <= place(&second), "the first event before the second", || {
        format!("{transactions:?}")
    })
}

/// What was sent while an application service could not be reached comes later, in the order in which it was sent.
#[conformance(
    spec = "application-service-api/#pushing-events",
    level = Should,
    severity = Interop,
    needs = "application_services",
    proves = ["application-service-api/pushing-events/1"]
)]
async fn what_has_waited_comes_in_order(hs: &Homeserver) -> Verdict {
    let (service, alice, room, _) = with_a_puppet_in(hs).await?;
    let service = service.that_may_fail().await;
    let failures = AtomicU32::new(2);
    let about = room.clone();
    service.answers("sendTransaction", move |asked| {
        let is_it = asked.json.to_string().contains(&about);
        let fails = is_it
            && failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        fails.then(|| Reply::error(500, "M_UNKNOWN"))
    });
    let mut sent = Vec::new();
    for text in ["one", "two", "three", "four"] {
        sent.push(alice.say(&room, text).await?);
    }
    service.sees_event(&sent[3]).await?;

    let answer = alice.event(&room, &sent[3]).await?;
    let told: Vec<String> =
        service.transactions_of(&room).into_iter().flat_map(|(_, events)| events).collect();
    let places: Vec<_> = sent.iter().map(|event| told.iter().rposition(|told| told == event)).collect();
    answer
        .must(places.is_sorted() && places[0].is_some(), "all events, in their order", || format!("{told:?}"))
}

/// An application service that fails is left alone for longer each time.
#[conformance(
    spec = "application-service-api/#pushing-events",
    level = Should,
    severity = Usability,
    needs = "application_services",
    proves = ["application-service-api/pushing-events/3"]
)]
async fn pauses_grow_while_the_service_fails(hs: &Homeserver) -> Verdict {
    let (service, alice, room, _) = with_a_puppet_in(hs).await?;
    let service = service.that_may_fail().await;
    let text = format!("be patient {}", hs.unique());
    // Failures send the server to the older path at once, which is no new attempt.
    let is_attempt = |asked: &Asked| asked.target.starts_with("/_matrix/app/v1/");
    let (attempts, about) = (AtomicU32::new(0), text.clone());
    service.answers("sendTransaction", move |asked| {
        if !asked.mentions(&about) {
            return None;
        }
        let attempt = attempts.fetch_add(u32::from(is_attempt(asked)), Ordering::SeqCst);
        (attempt < 3 || !is_attempt(asked)).then(|| Reply::error(500, "M_UNKNOWN"))
    });
    let event_id = alice.say(&room, &text).await?;
    service.sees_event(&event_id).await?;

    let answer = alice.event(&room, &event_id).await?;
    let attempts =
        service.asked(|asked| asked.is("sendTransaction") && is_attempt(asked) && asked.mentions(&text));
    let pauses: Vec<_> = attempts.windows(2).map(|two| two[1].when - two[0].when).collect();
    // A busy machine adds to every pause, so that the first is compared with the last.
    let grow = pauses.len() >= 3 && pauses[2].as_secs_f64() > pauses[0].as_secs_f64() * 1.5;
    answer.must(grow, "a third pause longer than the first", || format!("{pauses:?}"))
}

/// The presence of somebody who shares a room with a user of it is told to an application service that asks for ephemeral
/// data.
#[conformance(
    spec = "application-service-api/#pushing-ephemeral-data",
    level = Must,
    severity = Interop,
    since = "v1.13",
    needs = "application_services",
    proves = ["application-service-api/pushing-ephemeral-data/2"]
)]
async fn presence_is_told(hs: &Homeserver) -> Verdict {
    let (service, alice, _, _) = with_a_puppet_in(hs).await?;
    let service = service.that_does_not_fail().await;
    let message = format!("at the bridge {}", hs.unique());
    let path = path!("/_matrix/client/v3/presence/{}/status", alice.id());
    alice.put(path, json!({"presence": "online", "status_msg": message})).await?;
    let find = |asked: &crate::cast::neighbour::Asked| {
        let mut events = asked.json["ephemeral"].as_array()?.iter();
        let is_it = |event: &&Value| {
            event["type"] == "m.presence"
                && event["sender"] == alice.id()
                && event["content"]["status_msg"] == message.as_str()
        };
        events.find(is_it).map(|_| ())
    };
    service.sees("sendTransaction", find).await
}

/// Who types in a room is told to an application service that asks for ephemeral data, with the room.
#[conformance(
    spec = "application-service-api/#pushing-ephemeral-data",
    level = Must,
    severity = Interop,
    since = "v1.13",
    needs = "application_services",
    proves = [
        "application-service-api/put_matrixappv1transactionstxnid/2",
        "application-service-api/pushing-ephemeral-data/1",
        "application-service-api/pushing-ephemeral-data/3",
        "application-service-api/pushing-ephemeral-data/4",
    ]
)]
async fn typing_is_told(hs: &Homeserver) -> Verdict {
    let (service, alice, room, _) = with_a_puppet_in(hs).await?;
    let service = service.that_does_not_fail().await;
    let answer = alice.typing(&room, true).await?;
    let types = |event: &Value| event["content"]["user_ids"] == json!([alice.id()]);
    let told = sees_ephemeral(&service, "m.typing", &room, types).await?;
    answer.must(told["room_id"] == room.as_str(), "the room", || told.to_string())
}

/// A receipt is told to an application service that asks for ephemeral data, and a private one of a stranger is not.
#[conformance(
    spec = "application-service-api/#pushing-ephemeral-data",
    level = Must,
    severity = Security,
    since = "v1.13",
    needs = "application_services",
    proves = [
        "application-service-api/put_matrixappv1transactionstxnid/2",
        "application-service-api/pushing-ephemeral-data/1",
        "application-service-api/pushing-ephemeral-data/5",
        "application-service-api/pushing-ephemeral-data/6",
        "application-service-api/pushing-ephemeral-data/7",
    ]
)]
async fn private_receipts_of_strangers_are_not_told(hs: &Homeserver) -> Verdict {
    let (service, alice, room, puppet) = with_a_puppet_in(hs).await?;
    let service = service.that_does_not_fail().await;
    let mut events = Vec::new();
    for text in ["read in private", "read in public"] {
        let path = path!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, hs.unique());
        let sent = puppet.put(path, json!({"msgtype": "m.text", "body": text})).await?;
        events.push(sent.must_have_text("/event_id")?);
    }
    alice.receipt(&room, "m.read.private", &events[0]).await?;
    let answer = alice.receipt(&room, "m.read", &events[1]).await?;

    let is_public = |event: &Value| event["content"][&events[1]]["m.read"][alice.id()].is_object();
    sees_ephemeral(&service, "m.receipt", &room, is_public).await?;
    let told = service.ephemeral_of(&room);
    let is_private = |event: &Value| event.to_string().contains("m.read.private");
    answer.must(!told.iter().any(is_private), "no private receipt", || json!(told).to_string())
}

async fn sees_ephemeral(
    service: &ApplicationService,
    kind: &str,
    room: &str,
    is_it: impl Fn(&Value) -> bool,
) -> Result<Value, Stop> {
    let find = |asked: &crate::cast::neighbour::Asked| {
        let mut events = asked.json["ephemeral"].as_array()?.iter();
        events.find(|event| event["type"] == kind && event["room_id"] == room && is_it(event)).cloned()
    };
    service.sees("sendTransaction", find).await
}

/// A room of alice's with a user of the application service in it.
async fn with_a_puppet_in(hs: &Homeserver) -> Result<(ApplicationService, User, String, Puppet), Stop> {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let puppet = service.puppet().await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    puppet.join(&room).await?;
    Ok((service, alice, room, puppet))
}
