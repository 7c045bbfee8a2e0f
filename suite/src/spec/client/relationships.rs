//! `client-server-api/#forming-relationships-between-events`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::ignoring_users::ignore;
use crate::{
    cast::{Answer, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

fn relations_path(room: &str, event_id: &str) -> String {
    path!("/_matrix/client/v1/rooms/{}/relations/{}", room, event_id)
}

/// A parent with three children in the order they were sent: a reference, a note that refers, and a reaction.
async fn family(alice: &User) -> Result<(String, String, [String; 3]), Stop> {
    let room = alice.create_room(json!({})).await?;
    let parent = alice.say(&room, "parent").await?;
    let reference =
        json!({"msgtype": "m.text", "body": "child", "m.relates_to": relation("m.reference", &parent)});
    let mut key = relation("m.annotation", &parent);
    key["key"] = json!("👍");
    let children = [
        alice.send(&room, "m.room.message", reference).await?,
        alice
            .send(&room, "org.determinant.note", json!({"m.relates_to": relation("m.reference", &parent)}))
            .await?,
        alice.send(&room, "m.reaction", json!({"m.relates_to": key})).await?,
    ];
    alice.sees_event(&room, &children[2]).await?;
    Ok((room, parent, children))
}

fn relation(kind: &str, parent: &str) -> Value {
    json!({"rel_type": kind, "event_id": parent})
}

/// The children of an event are listed, latest first, all of them or those of one relationship and type.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidrelationseventid",
    level = Must,
    severity = Interop,
    since = "v1.3"
)]
async fn children_are_listed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, parent, [message, note, reaction]) = family(&alice).await?;
    let stranger = alice.say(&room, "a stranger").await?;
    alice.sees_event(&room, &stranger).await?;

    let path = relations_path(&room, &parent);
    let cases = [
        (path.clone(), vec![&reaction, &note, &message]),
        (format!("{path}/m.reference"), vec![&note, &message]),
        (format!("{path}/m.reference/m.room.message"), vec![&message]),
    ];
    for (path, expected) in cases {
        let relations = alice.get(path).await?;
        let came = relations.event_ids("/chunk");
        relations.must(came == expected, format!("{expected:?}"), || format!("{came:?}"))?;
    }
    Ok(())
}

/// Pages of children, in either direction, show each of them once.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidrelationseventid",
    level = Must,
    severity = Interop,
    since = "v1.4",
    each = directions
)]
async fn pages_of_children_lose_nothing(hs: &Homeserver, direction: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, parent, mut expected) = family(&alice).await?;
    if direction == "b" {
        expected.reverse();
    }

    let mut came = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let mut request =
            alice.get(relations_path(&room, &parent)).query("dir", direction).query("limit", "1");
        if let Some(from) = &from {
            request = request.query("from", from);
        }
        let page = request.await?;
        // Without a token for the page before, a page is the first one.
        if from.is_some() {
            page.must_have_text("/prev_batch")?;
        }
        let events = page.event_ids("/chunk");
        page.must(events.len() <= 1, "one event at most", || format!("{events:?}"))?;
        came.extend(events.into_iter().map(str::to_owned));
        match page.at("/next_batch").as_str() {
            Some(next) if came.len() <= expected.len() => from = Some(next.to_owned()),
            _ => return page.must(came == expected, format!("{expected:?}"), || format!("{came:?}")),
        }
    }
}

fn directions() -> [&'static str; 2] {
    ["b", "f"]
}

/// Children of children are listed on request only.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidrelationseventid",
    level = Must,
    severity = Usability,
    since = "v1.10",
    proves = ["client-server-api/get_matrixclientv1roomsroomidrelationseventid/7"]
)]
async fn grandchildren_are_listed_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, parent, [message, ..]) = family(&alice).await?;
    let grandchild = json!({"m.relates_to": relation("m.reference", &message)});
    let grandchild = alice.send(&room, "org.determinant.note", grandchild).await?;
    alice.sees_event(&room, &grandchild).await?;

    let direct = alice.get(relations_path(&room, &parent)).await?;
    let came = direct.event_ids("/chunk");
    direct.must(came.len() == 3 && !came.contains(&grandchild.as_str()), "the children only", || {
        format!("{came:?}")
    })?;
    direct.must_lack("/recursion_depth")?;
    let all = alice.get(relations_path(&room, &parent)).query("recurse", "true").await?;
    let came = all.event_ids("/chunk");
    all.must(came.len() == 4 && came.contains(&grandchild.as_str()), "the child of a child too", || {
        format!("{came:?}")
    })
}

/// Whoever asks for children of children gets at least three generations.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidrelationseventid",
    level = Should,
    severity = Usability,
    since = "v1.10",
    proves = ["client-server-api/get_matrixclientv1roomsroomidrelationseventid/4"]
)]
async fn three_generations_are_listed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let root = alice.say(&room, "root").await?;
    let mut generations = vec![root.clone()];
    for _ in 0..3 {
        let parent = generations.last().map(String::as_str).unwrap_or_default();
        let content = json!({"m.relates_to": relation("m.reference", parent)});
        generations.push(alice.send(&room, "org.determinant.note", content).await?);
    }
    alice.sees_event(&room, &generations[3]).await?;

    let all = alice.get(relations_path(&room, &root)).query("recurse", "true").await?;
    let came = all.event_ids("/chunk");
    let complete = generations[1..].iter().all(|event_id| came.contains(&event_id.as_str()));
    all.must(complete, "children, grandchildren and great-grandchildren", || format!("{came:?}"))
}

/// A redacted child is no child any more.
#[conformance(
    spec = "client-server-api/#aggregations-of-child-events",
    level = Must,
    severity = Interop,
    since = "v1.3"
)]
async fn redacted_child_is_disassociated(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, parent, [message, note, reaction]) = family(&alice).await?;

    let redaction = alice.redact(&room, &note).await?;
    alice.sees_event(&room, &redaction).await?;

    let relations = alice.get(relations_path(&room, &parent)).await?;
    let came = relations.event_ids("/chunk");
    relations.must(came == [&reaction, &message], "the other children", || format!("{came:?}"))
}

/// The children of an event that does not exist are not found, and those of an event that the user may not
/// see are refused.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidrelationseventid",
    level = Must,
    severity = Security,
    since = "v1.3"
)]
async fn outsiders_find_no_children(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let (room, parent, _) = family(&alice).await?;

    let unknown = relations_path(&room, "$nothing-has-this-id");
    for path in [unknown.clone(), format!("{unknown}/m.reference"), format!("{unknown}/m.reference/m.note")] {
        alice.get(path).must_be(404).await?;
    }
    let refused = eve.get(relations_path(&room, &parent)).must_be_refused().await?;
    refused.must_not_mention("child")
}

/// Every operation that shows an event has what relates to it bundled with it.
#[conformance(
    spec = "client-server-api/#aggregations-of-child-events",
    level = Should,
    severity = Usability,
    since = "v1.4",
    each = views,
    proves = ["client-server-api/aggregations-of-child-events/1"]
)]
async fn relations_are_bundled_everywhere(hs: &Homeserver, view: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let root = alice.say(&room, "root").await?;
    let word = format!("determinant{}", hs.unique());
    let content = json!({"msgtype": "m.text", "body": word, "m.relates_to": relation("m.thread", &root)});
    let reply = alice.send(&room, "m.room.message", content).await?;
    // The root has a thread, and what is in the thread has a replacement.
    let edit = json!({
        "msgtype": "m.text", "body": format!("* {word}"), "m.new_content": {"msgtype": "m.text", "body": word},
        "m.relates_to": relation("m.replace", &reply),
    });
    let edit = alice.send(&room, "m.room.message", edit).await?;
    alice.sees_event(&room, &edit).await?;

    let relations = relations_path(&room, &root);
    let (call, list, shown) = match view {
        "messages" => (alice.messages(&room, "b"), "/chunk", &root),
        "context" => {
            let target = path!("/_matrix/client/v3/rooms/{}/context/{}", room, reply);
            (alice.get(target).query("limit", "10"), "/events_before", &root)
        }
        "event" => (alice.event(&room, &root), "", &root),
        "relations" => (alice.get(relations), "/chunk", &reply),
        "relations of a type" => (alice.get(format!("{relations}/m.thread")), "/chunk", &reply),
        "relations of both types" => {
            (alice.get(format!("{relations}/m.thread/m.room.message")), "/chunk", &reply)
        }
        "search" => {
            let events = json!({"search_term": word, "filter": {"rooms": [room]}});
            let search = json!({"search_categories": {"room_events": events}});
            let ask = || alice.post("/_matrix/client/v3/search", search.clone());
            let found = |answer: &Answer| answer.json().to_string().contains(&reply);
            hs.eventually("the reply", ask, found).await?;
            (ask(), "/search_categories/room_events/results", &reply)
        }
        "threads" => (alice.get(path!("/_matrix/client/v1/rooms/{}/threads", room)), "/chunk", &root),
        _ => {
            let filter = json!({"room": {"rooms": [room], "timeline": {"limit": 2}}}).to_string();
            let sync = alice.get("/_matrix/client/v3/sync").query("filter", filter);
            (sync, "/rooms/join", &reply)
        }
    };
    let answer = call.await?;
    let events: Vec<Value> = match (view, answer.at(list)) {
        ("event", event) => vec![event.clone()],
        ("sync", joined) => joined[&room]["timeline"]["events"].as_array().cloned().unwrap_or_default(),
        ("search", list) => {
            list.as_array().into_iter().flatten().map(|result| result["result"].clone()).collect()
        }
        (_, list) => list.as_array().cloned().unwrap_or_default(),
    };
    let found = events.iter().find(|event| event["event_id"] == shown.as_str());
    let kind = if *shown == root { "m.thread" } else { "m.replace" };
    let bundled = found.is_some_and(|event| event["unsigned"]["m.relations"][kind].is_object());
    answer.must(bundled, format!("{shown} with {kind} in m.relations"), || format!("{found:?}"))
}

fn views() -> [&'static str; 9] {
    [
        "messages",
        "context",
        "event",
        "relations",
        "relations of a type",
        "relations of both types",
        "search",
        "threads",
        "sync",
    ]
}

/// Children of ignored users are left out of what is bundled with their parent.
#[conformance(
    spec = "client-server-api/#aggregations-of-child-events",
    level = Must,
    severity = Usability,
    since = "v1.3",
    each = aggregations,
    proves = ["client-server-api/aggregations-of-child-events/3"]
)]
async fn children_of_ignored_users_do_not_count(hs: &Homeserver, kind: &'static str) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = bob.public_room_with(&[&alice, &eve]).await?;
    ignore(&alice, &[&eve]).await?;
    let parent = bob.say(&room, "parent").await?;
    let child =
        |text: &str| json!({"msgtype": "m.text", "body": text, "m.relates_to": relation(kind, &parent)});
    let wanted = bob.send(&room, "m.room.message", child("from bob")).await?;
    let unwanted = eve.send(&room, "m.room.message", child("from eve")).await?;
    bob.sees_event(&room, &unwanted).await?;

    let bundle = |answer: &Answer| answer.at("/unsigned/m.relations")[kind].clone();
    let mentions = |bundle: &Value, event_id: &str| bundle.to_string().contains(event_id);
    // This is what the server bundles for others.
    let open = bob.event(&room, &parent).await?;
    if !mentions(&bundle(&open), &unwanted) {
        return Err(Stop::NotApplicable(format!("the server bundles no {kind}")));
    }

    let event = alice.event(&room, &parent).await?;
    let bundled = bundle(&event);
    event.must(mentions(&bundled, &wanted), "the child of bob", || bundled.to_string())?;
    event.must(!mentions(&bundled, &unwanted), "no child of eve", || bundled.to_string())?;
    if kind == "m.thread" {
        event.must_hold("/unsigned/m.relations/m.thread/count", 1)?;
    }
    Ok(())
}

fn aggregations() -> [&'static str; 2] {
    ["m.reference", "m.thread"]
}

/// An event that others refer to is given with the ids of those.
#[conformance(
    spec = "client-server-api/#server-side-aggregation-of-mreference",
    level = Should,
    severity = Usability,
    since = "v1.3"
)]
async fn references_are_bundled(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, parent, [message, note, _]) = family(&alice).await?;

    let event = alice.event(&room, &parent).await?;
    let bundled = event.must_have_list("/unsigned/m.relations/m.reference/chunk")?;
    let came: Vec<&str> = bundled.iter().filter_map(|event| event["event_id"].as_str()).collect();
    let all = came.len() == 2 && came.contains(&message.as_str()) && came.contains(&note.as_str());
    event.must(all, format!("{message} and {note}"), || format!("{came:?}"))
}

/// Reactions are not bundled with the event that they annotate.
#[conformance(
    spec = "client-server-api/#server-side-aggregation-of-mannotation-relationships",
    level = Must,
    severity = Usability,
    since = "v1.7"
)]
async fn annotations_are_not_bundled(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, parent, _) = family(&alice).await?;

    alice.event(&room, &parent).await?.must_lack("/unsigned/m.relations/m.annotation")
}
