//! `client-server-api/#sending-events-to-a-room`

use protocol::{RoomVersion, canonical_json::Form};
use serde_json::json;
use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

/// The room versions that enforce canonical JSON.
fn strict_versions() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().filter(|version| version.canonical_json == Form::Strict)
}

/// A sent event reaches the other members as it was sent, with its sender and room.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid",
    level = Must,
    severity = Interop
)]
async fn event_reaches_members(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;
    let content =
        json!({"msgtype": "m.text", "body": "grüße 🎈", "org.determinant.nested": {"list": [1, null, true]}});

    let event_id = alice.send(&room, "m.room.message", content.clone()).await?;

    let sync = bob.sees("the message", |sync| sync.has_event(&room, &event_id)).await?;
    let event = sync.timeline(&room).iter().find(|event| event["event_id"] == event_id.as_str());
    let as_sent = event.is_some_and(|event| event["content"] == content && event["sender"] == alice.id());
    sync.answer().must(as_sent, "the content and the sender of the event", || format!("{event:?}"))?;

    let event = bob.event(&room, &event_id).await?;
    event.must_hold("/event_id", event_id)?;
    event.must_hold("/room_id", room)?;
    event.must_hold("/type", "m.room.message")?;
    event.must_hold("/sender", alice.id())?;
    event.must_hold("/content", content)
}

/// Somebody outside the room cannot send to it.
#[conformance(
    spec = "client-server-api/#room-membership",
    level = Must,
    severity = Security
)]
async fn outsiders_cannot_send(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    alice.invite(&room, &bob).await?;

    eve.say(&room, "hello").must_refuse(403, "M_FORBIDDEN").await?;
    bob.say(&room, "hello").must_refuse(403, "M_FORBIDDEN").await?;
    let mark = alice.say(&room, "who was that?").await?;
    let history = hs.page_with(&mark, || alice.messages(&room, "b")).await?;
    history.must_not_mention("hello")
}

/// A member without the power level for a message cannot send it.
#[conformance(
    spec = "client-server-api/#permissions",
    level = Must,
    severity = Security,
    proves = ["client-server-api/permissions/1", "client-server-api/mroompower_levels/2"]
)]
async fn power_level_is_required(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let levels = json!({"events": {"org.determinant.announcement": 50}});
    let body = json!({"invite": [bob.id()], "power_level_content_override": levels});
    let room = alice.create_room(body).await?;
    bob.join(&room).await?;

    bob.send(&room, "org.determinant.announcement", json!({})).must_refuse(403, "M_FORBIDDEN").await?;
    alice.empower(&room, 50, &[&bob]).await?;
    let sent = bob.send(&room, "org.determinant.announcement", json!({})).await?;
    alice.event(&room, &sent).await?.must_hold("/sender", bob.id())
}

/// An event of more than 65536 bytes is refused.
#[conformance(
    spec = "client-server-api/#size-limits",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/size-limits/1"]
)]
async fn large_event_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    let refused = alice.say(&room, &"x".repeat(65_536)).must_be_refused().await?;
    // The code's definition fits; no text names a status: `client-server-api/#common-error-codes`.
    refused.must(refused.errcode() == Some("M_TOO_LARGE"), "the code M_TOO_LARGE", || {
        format!("{:?}", refused.errcode())
    })?;
    let kept = alice.say(&room, &"x".repeat(60_000)).await?;
    alice.event(&room, &kept).await?.must_hold("/event_id", kept)
}

/// A type of more than 255 bytes is refused.
#[conformance(
    spec = "client-server-api/#size-limits",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/size-limits/5"]
)]
async fn long_type_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    alice.send(&room, &"t".repeat(256), json!({})).must_be_refused().await?;
    let kept = alice.send(&room, &"t".repeat(255), json!({})).await?;
    alice.event(&room, &kept).await?.must_hold("/type", "t".repeat(255))
}

/// Numbers that canonical JSON cannot express are refused: fractions, exponents, and integers beyond 2^53 −
/// 1.
#[conformance(
    spec = "rooms/v6/#canonical-json",
    level = Must,
    severity = Interop,
    each = strict_versions,
    proves = ["rooms/v6/canonical-json/1"]
)]
async fn numbers_outside_canonical_json_are_refused(
    hs: &Homeserver,
    version: &'static RoomVersion,
) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[]).await?;
    let put = |number: &str| {
        let path = path!("/_matrix/client/v3/rooms/{}/send/org.determinant.number/{}", room, hs.unique());
        alice.put(path, json!({})).bytes(format!(r#"{{"n": {number}}}"#))
    };

    for number in ["1.5", "-0.25", "9007199254740992", "-9007199254740992"] {
        put(number).must_refuse(400, "M_BAD_JSON").await?;
    }
    let largest = put("9007199254740991").await?.must_have_text("/event_id")?;
    alice.event(&room, &largest).await?.must_hold("/content/n", 9_007_199_254_740_991_i64)
}

/// A number too large for any machine's floating point is refused like every other that canonical JSON cannot
/// express.
#[conformance(
    spec = "rooms/v6/#canonical-json",
    level = Must,
    severity = Interop,
    proves = ["rooms/v6/canonical-json/1"]
)]
async fn huge_exponent_is_refused(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some("11"), &[]).await?;

    let path = path!("/_matrix/client/v3/rooms/{}/send/org.determinant.number/{}", room, hs.unique());
    alice.put(path, json!({})).bytes(r#"{"n": 1e400}"#).must_refuse(400, "M_BAD_JSON").await?;
    Ok(())
}

/// An event that does not exist, or that stands in another room, is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomideventeventid",
    level = Must,
    severity = Security
)]
async fn event_is_found_in_its_room_only(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let (room, other) = (alice.create_room(json!({})).await?, eve.create_room(json!({})).await?);
    let event_id = alice.say(&room, "in here").await?;

    alice.event(&room, "$nothing-has-this-id").must_refuse(404, "M_NOT_FOUND").await?;
    eve.event(&other, &event_id).must_be(404).await?;
    eve.event(&room, &event_id).must_be(404).await?;
    alice.event(&room, &event_id).await?.must_hold("/event_id", event_id)
}

/// A second annotation with the same key from the same user is refused.
#[conformance(
    spec = "client-server-api/#avoiding-duplicate-annotations",
    level = Should,
    severity = Usability,
    proves = [
        "client-server-api/avoiding-duplicate-annotations/1",
        "client-server-api/avoiding-duplicate-annotations/2",
    ]
)]
async fn duplicate_annotation_is_refused(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let event_id = alice.say(&room, "a fine day").await?;
    let reaction =
        |key: &str| json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": key}});

    let first = bob.send(&room, "m.reaction", reaction("👍")).await?;
    bob.send(&room, "m.reaction", reaction("👍")).must_refuse(400, "M_DUPLICATE_ANNOTATION").await?;
    bob.send(&room, "m.reaction", reaction("🎉")).await?;
    alice.send(&room, "m.reaction", reaction("👍")).await?;
    bob.redact(&room, &first).await?;
    let again = bob.send(&room, "m.reaction", reaction("👍")).await?;
    alice.event(&room, &again).await?.must_hold("/content/m.relates_to/key", "👍")
}
