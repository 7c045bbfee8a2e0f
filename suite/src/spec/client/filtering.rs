//! `client-server-api/#filtering`: what a filter chooses in `/sync`. How filters are kept stands in
//! `filters`, what they choose of a room's history in `room_messages`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    path,
    verdict::{Stop, Verdict},
};

/// A first `/sync` with this filter, of a server whose stream has reached what the filter is tried on.
async fn sync_by(user: &User, filter: &Value) -> Result<Sync, Stop> {
    user.sync_request().query("filter", filter.to_string()).await
}

/// `rooms` names the rooms of a response, and `not_rooms` takes out of them.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_roomfilter",
    level = Must,
    severity = Interop
)]
async fn rooms_are_chosen(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (one, two) = (alice.create_room(json!({})).await?, alice.create_room(json!({})).await?);
    alice.catches_up(&two).await?;

    let filters = [
        json!({"room": {"rooms": [one]}}),
        json!({"room": {"not_rooms": [two]}}),
        json!({"room": {"rooms": [one, two], "not_rooms": [two]}}),
    ];
    for filter in filters {
        let sync = sync_by(&alice, &filter).await?;
        sync.answer().must(!sync.joined(&one).is_null(), format!("{one} by {filter}"), || {
            "nothing of it".to_owned()
        })?;
        // The room may be named, as long as nothing of it is told.
        let told = [sync.timeline(&two), sync.state(&two), sync.ephemeral(&two)].concat();
        sync.answer()
            .must(told.is_empty(), format!("nothing of {two} by {filter}"), || format!("{told:?}"))?;
    }
    Ok(())
}

/// `types`, `not_types` and `senders` choose the events of the timeline; an exclusion wins.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_roomeventfilter",
    level = Must,
    severity = Interop
)]
async fn timeline_events_are_chosen(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let apple = alice.send(&room, "org.determinant.apple", json!({})).await?;
    let pear = bob.send(&room, "org.determinant.pear", json!({})).await?;
    let last = alice.say(&room, "no fruit").await?;
    alice.sees_event(&room, &last).await?;

    let filters = [
        (json!({"types": ["org.determinant.*"]}), vec![&apple, &pear]),
        (json!({"types": ["org.determinant.*"], "not_types": ["org.determinant.pear"]}), vec![&apple]),
        (json!({"senders": [bob.id()], "not_types": ["m.room.*"]}), vec![&pear]),
        (json!({"types": ["org.determinant.*"], "not_senders": [bob.id()]}), vec![&apple]),
        (json!({"types": []}), vec![]),
    ];
    for (filter, expected) in filters {
        let sync = sync_by(&alice, &json!({"room": {"timeline": filter}})).await?;
        let came = sync.event_ids(&room);
        sync.answer().must(came == expected, format!("{expected:?} by {filter}"), || format!("{came:?}"))?;
    }
    Ok(())
}

/// The limit of a timeline counts the events that the filter chooses, also in a room that was joined since.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_roomeventfilter",
    level = Must,
    severity = Interop
)]
async fn limit_counts_what_is_chosen(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    let since = bob.initial_sync().await?.next_batch().to_owned();
    bob.join(&room).await?;
    let mut said = Vec::new();
    for number in 0..3 {
        said.push(alice.say(&room, &format!("message {number}")).await?);
        alice.send(&room, "org.determinant.other", json!({})).await?;
    }

    let filter = json!({"room": {"timeline": {"types": ["m.room.message"], "limit": 2}}});
    let ask = || bob.sync_request().query("since", &since).query("filter", filter.to_string());
    let sync = bob.sync_showing(&said[2], ask, |sync| sync.has_event(&room, &said[2])).await?;

    let came = sync.event_ids(&room);
    sync.answer().must(came == said[1..], "the last two messages", || format!("{came:?}, sent {said:?}"))?;
    let limited = &sync.joined(&room)["timeline"]["limited"];
    sync.answer().must(*limited == true, "limited: true, as a message is left out", || limited.to_string())
}

/// A `*` matches any characters, wherever in a type it stands.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_eventfilter",
    level = Must,
    severity = Interop
)]
async fn wildcard_matches_anywhere(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.send(&room, "org.determinant.apple", json!({})).await?;
    let pear = alice.send(&room, "org.determinant.pear", json!({})).await?;
    alice.sees_event(&room, &pear).await?;

    for pattern in ["org.determinant.p*", "org.*.pear", "*.pear"] {
        let sync = sync_by(&alice, &json!({"room": {"timeline": {"types": [pattern]}}})).await?;
        let came = sync.event_ids(&room);
        sync.answer().must(came == [&pear], format!("{pear} by {pattern}"), || format!("{came:?}"))?;
    }
    Ok(())
}

/// The filters of state and timeline are separate from each other.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_roomfilter",
    level = Must,
    severity = Interop
)]
async fn state_is_chosen_apart(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "state", "topic": "also state"})).await?;
    let said = alice.say(&room, "timeline").await?;
    alice.sees_event(&room, &said).await?;

    let filter = json!({"room": {"state": {"types": ["m.room.name"]}, "timeline": {"limit": 1}}});
    let sync = sync_by(&alice, &filter).await?;
    let kinds: Vec<&Value> = sync.state(&room).iter().map(|event| &event["type"]).collect();
    sync.answer().must(kinds == ["m.room.name"], "the name as the only state", || format!("{kinds:?}"))?;
    let came = sync.event_ids(&room);
    sync.answer().must(came == [&said], "the last event of the timeline", || format!("{came:?}"))
}

/// Ephemeral events and account data that the filter excludes are not given.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_roomfilter",
    level = Must,
    severity = Usability
)]
async fn ephemeral_events_and_account_data_are_chosen(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.typing(&room, true).await?;
    alice.sees("the typing notice", |sync| sync.typing(&room).is_some()).await?;
    for kind in ["org.determinant.dropped", "org.determinant.kept"] {
        alice
            .put(alice.own_path(&path!("/rooms/{}/account_data/{}", room, kind)), json!({"of": "the room"}))
            .await?;
        alice.put(alice.own_path(&path!("/account_data/{}", kind)), json!({"of": "the user"})).await?;
    }

    let kept = json!({"types": ["org.determinant.kept"]});
    let filter = json!({
        "account_data": kept,
        "room": {"account_data": kept, "ephemeral": {"not_types": ["m.typing"]}},
    });
    let ask = || alice.sync_request().query("filter", filter.to_string());
    let arrived = |sync: &Sync| !sync.account_data().is_empty() && !sync.room_account_data(&room).is_empty();
    let sync = alice.sync_showing("account data of the room and of the user", ask, arrived).await?;
    sync.answer().must_not_mention("org.determinant.dropped")?;
    for events in [sync.account_data(), sync.room_account_data(&room)] {
        let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
        sync.answer()
            .must(kinds == ["org.determinant.kept"], "the kept account data", || format!("{kinds:?}"))?;
    }
    sync.answer()
        .must(sync.typing(&room).is_none(), "no typing notice", || format!("{:?}", sync.typing(&room)))
}

/// `event_fields` leaves of every event the fields that it names.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_filter",
    level = Must,
    severity = Interop
)]
async fn only_the_fields_asked_for_come(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let said = alice.say(&room, "a body").await?;
    alice.sees_event(&room, &said).await?;

    let fields = ["type", "event_id", "content.body"];
    let sync = sync_by(&alice, &json!({"event_fields": fields, "room": {"timeline": {"limit": 1}}})).await?;
    let expected = json!([{"type": "m.room.message", "event_id": said, "content": {"body": "a body"}}]);
    let came = &sync.joined(&room)["timeline"]["events"];
    sync.answer().must(*came == expected, format!("{expected}"), || came.to_string())
}

/// The event format `federation` gives events as servers exchange them.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_filter",
    level = Must,
    severity = Interop
)]
async fn events_come_in_the_format_asked_for(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let said = alice.say(&room, "a body").await?;
    alice.sees_event(&room, &said).await?;

    for (format, is_raw) in [("client", false), ("federation", true)] {
        let filter = json!({"event_format": format, "room": {"timeline": {"limit": 1}}});
        let sync = sync_by(&alice, &filter).await?;
        let event = sync.timeline(&room);
        let raw = event.iter().any(|event| event["auth_events"].is_array() && event["hashes"].is_object());
        sync.answer()
            .must(raw == is_raw, format!("events in the format {format}"), || format!("{event:?}"))?;
    }
    Ok(())
}

/// `contains_url`, `rooms` and `not_rooms` choose the events of the timeline as well.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter_request_roomeventfilter",
    level = Must,
    severity = Interop
)]
async fn links_and_rooms_choose_events(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, other) = (alice.create_room(json!({})).await?, alice.create_room(json!({})).await?);
    let linked =
        alice.send(&room, "org.determinant.fruit", json!({"url": "mxc://example.org/apple"})).await?;
    let plain = alice.send(&room, "org.determinant.fruit", json!({"body": "pear"})).await?;
    alice.sees_event(&room, &plain).await?;

    let types = ["org.determinant.fruit"];
    let filters = [
        (json!({"types": types, "contains_url": true}), vec![&linked]),
        (json!({"types": types, "contains_url": false}), vec![&plain]),
        (json!({"types": types, "rooms": [room]}), vec![&linked, &plain]),
        (json!({"types": types, "rooms": [other]}), vec![]),
        (json!({"types": types, "not_rooms": [room]}), vec![]),
    ];
    for (filter, expected) in filters {
        let sync = sync_by(&alice, &json!({"room": {"timeline": filter}})).await?;
        let came = sync.event_ids(&room);
        sync.answer().must(came == expected, format!("{expected:?} by {filter}"), || format!("{came:?}"))?;
    }
    Ok(())
}
