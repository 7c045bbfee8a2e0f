//! `client-server-api/#redactions`

use protocol::RoomVersion;
use serde_json::{Map, Value, json};
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

fn room_versions() -> [&'static RoomVersion; 12] {
    RoomVersion::ALL
}

/// A redacted message has lost its content for every reader, and tells what redacted it.
#[conformance(
    spec = "client-server-api/#redactions",
    level = Must,
    severity = Security,
    each = room_versions
)]
async fn content_is_gone(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice, bob] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[&bob]).await?;
    let event_id = alice.say(&room, "the wrong window").await?;

    let redaction = alice.redact(&room, &event_id).await?;

    bob.sees("the redaction", |sync| sync.has_event(&room, &redaction)).await?;
    let event = bob.event(&room, &event_id).await?;
    event.must_hold("/content", json!({}))?;
    event.must_hold("/type", "m.room.message")?;
    event.must_hold("/sender", alice.id())?;
    let history = hs.page_with(&redaction, || bob.messages(&room, "b").query("limit", "5")).await?;
    history.must_not_mention("the wrong window")
}

/// A redacted event carries the event that redacted it.
#[conformance(
    spec = "client-server-api/#redactions",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/redactions/1"]
)]
async fn redacting_event_is_attached(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "the wrong window").await?;
    let path = path!("/_matrix/client/v3/rooms/{}/redact/{}/{}", room, event_id, hs.unique());
    let redaction = alice.put(path, json!({"reason": "typing error"})).await?.must_have_text("/event_id")?;

    let event = alice.event(&room, &event_id).await?;
    event.must_hold("/unsigned/redacted_because/event_id", redaction)?;
    event.must_hold("/unsigned/redacted_because/content/reason", "typing error")
}

/// A redaction names the redacted event for clients, whatever the version of the room.
#[conformance(
    spec = "client-server-api/#mroomredaction",
    level = Must,
    severity = Interop,
    each = room_versions,
    proves = ["client-server-api/mroomredaction/1", "client-server-api/mroomredaction/2"]
)]
async fn redaction_names_its_target(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[]).await?;
    let event_id = alice.say(&room, "the wrong window").await?;

    let redaction = alice.redact(&room, &event_id).await?;

    let event = alice.event(&room, &redaction).await?;
    let pointer = if version.redacts_in_content { "/content/redacts" } else { "/redacts" };
    event.must_hold(pointer, event_id)
}

/// A redaction can be sent as an event like any other, in every version of the room.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid",
    level = Must,
    severity = Interop,
    since = "v1.18",
    each = room_versions,
    proves = [
        "client-server-api/put_matrixclientv3roomsroomidsendeventtypetxnid/2",
        "client-server-api/put_matrixclientv3roomsroomidsendeventtypetxnid/3",
        "client-server-api/put_matrixclientv3roomsroomidsendeventtypetxnid/4",
    ]
)]
async fn redaction_can_be_sent_as_an_event(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[]).await?;
    let event_id = alice.say(&room, "the wrong window").await?;

    let redaction = alice.send(&room, "m.room.redaction", json!({"redacts": event_id})).await?;

    alice.event(&room, &event_id).await?.must_hold("/content", json!({}))?;
    let pointer = if version.redacts_in_content { "/content/redacts" } else { "/redacts" };
    alice.event(&room, &redaction).await?.must_hold(pointer, event_id)
}

/// Redacting the event of somebody else requires the power level for it; redacting one's own does not.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid",
    level = Must,
    severity = Security
)]
async fn power_level_is_required(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let (hers, his) = (alice.say(&room, "hers").await?, bob.say(&room, "his").await?);

    bob.redact(&room, &hers).must_refuse(403, "M_FORBIDDEN").await?;
    alice.event(&room, &hers).await?.must_hold("/content/body", "hers")?;
    bob.redact(&room, &his).await?;
    alice.event(&room, &his).await?.must_hold("/content", json!({}))?;
    alice.empower(&room, 50, &[&bob]).await?;
    bob.redact(&room, &hers).await?;
    alice.event(&room, &hers).await?.must_hold("/content", json!({}))
}

/// A redacted membership keeps the membership itself, and the user stays in the room.
#[conformance(spec = "rooms/v11/#redactions", level = Must, severity = Security)]
async fn membership_survives(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    bob.post(path!("/_matrix/client/v3/join/{}", room), json!({"reason": "something offensive"})).await?;
    let sync = alice.sees_membership(&room, &bob, "join").await?;
    let mut members = sync.state_events(&room, "m.room.member");
    let event = members.find(|event| event["state_key"] == bob.id());
    let event_id = event.and_then(|event| event["event_id"].as_str()).unwrap_or_default().to_owned();

    alice.redact(&room, &event_id).await?;

    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("", json!({"membership": "join"}))?;
    let said = bob.say(&room, "still here").await?;
    alice.event(&room, &said).await?.must_hold("/sender", bob.id())
}

/// A redacted topic is no longer the topic, and the one before does not return.
#[conformance(spec = "client-server-api/#redactions", level = Must, severity = Usability)]
async fn redacted_state_is_empty(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"topic": "the first"})).await?;
    let event_id = alice.set_state(&room, "m.room.topic", "", json!({"topic": "the second"})).await?;

    alice.redact(&room, &event_id).await?;

    alice.state(&room, "m.room.topic", "").await?.must_hold("", json!({}))
}

/// Of a redacted event, what the version of the room protects is left, and nothing else.
#[conformance(
    spec = "rooms/v11/#redactions",
    level = Must,
    severity = Security,
    each = room_versions,
    proves = [
        "rooms/v1/redactions/2",
        "rooms/v6/redactions/2",
        "rooms/v8/redactions/2",
        "rooms/v9/redactions/2",
        "rooms/v11/redactions/2",
    ]
)]
async fn protected_content_survives(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[]).await?;
    let mut levels = alice.state(&room, "m.room.power_levels", "").await?.json().clone();
    levels["invite"] = json!(7);
    levels["org.determinant.extra"] = json!("gone");
    let contents = [
        ("m.room.power_levels", levels),
        (
            "m.room.history_visibility",
            json!({"history_visibility": "joined", "org.determinant.extra": "gone"}),
        ),
        ("m.room.join_rules", json!({"join_rule": "invite", "allow": [], "org.determinant.extra": "gone"})),
        ("m.room.name", json!({"name": "gone"})),
    ];

    for (kind, content) in contents {
        let event_id = alice.set_state(&room, kind, "", content.clone()).await?;
        alice.redact(&room, &event_id).await?;
        let left = protocol::redaction::redact_content(kind, &object(content), &version.redaction);
        alice.event(&room, &event_id).await?.must_hold("/content", Value::Object(left))?;
    }
    Ok(())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// A redaction names its target for old clients and new ones: at the top level and in the content.
#[conformance(
    spec = "rooms/v11/#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property",
    level = Should,
    severity = Usability,
    each = room_versions,
    proves = [
        "rooms/v11/moving-the-redacts-property-of-mroomredaction-events-to-a-content-property/1",
        "rooms/v11/moving-the-redacts-property-of-mroomredaction-events-to-a-content-property/2",
    ]
)]
async fn redaction_names_its_target_twice(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[]).await?;
    let event_id = alice.say(&room, "the wrong window").await?;

    let redaction = alice.redact(&room, &event_id).await?;

    let event = alice.event(&room, &redaction).await?;
    event.must_hold("/redacts", event_id.as_str())?;
    event.must_hold("/content/redacts", event_id)
}
