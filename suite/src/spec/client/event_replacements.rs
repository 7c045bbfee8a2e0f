//! `client-server-api/#event-replacements`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

async fn edit(user: &User, room: &str, event_id: &str, body: &str) -> Result<String, Stop> {
    let content = json!({
        "msgtype": "m.text",
        "body": format!("* {body}"),
        "m.new_content": {"msgtype": "m.text", "body": body},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    });
    user.send(room, "m.room.message", content).await
}

/// An edited event is given with its latest replacement, and with its own content as it was.
#[conformance(
    spec = "client-server-api/#server-side-aggregation-of-mreplace-relationships",
    level = Should,
    severity = Usability,
    since = "v1.4",
    proves = [
        "client-server-api/server-side-aggregation-of-mreplace-relationships/1",
        "client-server-api/server-side-aggregation-of-mreplace-relationships/3",
        "client-server-api/server-side-aggregation-of-mreplace-relationships/4",
    ]
)]
async fn latest_replacement_is_bundled(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let event_id = alice.say(&room, "orignal").await?;
    edit(&alice, &room, &event_id, "originl").await?;
    let latest = edit(&alice, &room, &event_id, "original").await?;

    let event = bob.event(&room, &event_id).await?;
    event.must_hold("/unsigned/m.relations/m.replace/event_id", latest)?;
    event.must_hold("/unsigned/m.relations/m.replace/content/m.new_content/body", "original")?;
    event.must_hold("/content/body", "orignal")
}

/// A replacement by somebody else, of another type, from another room, of or by state, of a replacement, or without new
/// content does not count.
#[conformance(
    spec = "client-server-api/#validity-of-replacement-events",
    level = Should,
    severity = Security,
    since = "v1.4",
    each = defects,
    proves = ["client-server-api/validity-of-replacement-events/8"]
)]
async fn invalid_replacement_is_ignored(hs: &Homeserver, defect: &'static str) -> Verdict {
    const MESSAGE: &str = "m.room.message";
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let message = alice.say(&room, "hers").await?;
    let original = match defect {
        "of state" => {
            alice.set_state(&room, MESSAGE, "", json!({"msgtype": "m.text", "body": "hers"})).await?
        }
        "of a replacement" => edit(&alice, &room, &message, "hers").await?,
        _ => message,
    };
    let mut content = json!({
        "msgtype": "m.text",
        "body": "* changed",
        "m.new_content": {"msgtype": "m.text", "body": "changed"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": original},
    });

    // The server may refuse to send it in the first place.
    match defect {
        "by another sender" => bob.send(&room, MESSAGE, content).answer().await?,
        "of another type" => alice.send(&room, "org.determinant.note", content).answer().await?,
        "from another room" => {
            let elsewhere = alice.create_room(json!({})).await?;
            alice.send(&elsewhere, MESSAGE, content).answer().await?
        }
        "by state" => alice.set_state(&room, MESSAGE, "", content).answer().await?,
        "without new content" => {
            content.as_object_mut().and_then(|content| content.remove("m.new_content"));
            alice.send(&room, MESSAGE, content).answer().await?
        }
        _ => alice.send(&room, MESSAGE, content).answer().await?,
    };

    let event = bob.event(&room, &original).await?;
    event.must_lack("/unsigned/m.relations/m.replace")?;
    let body = if defect == "of a replacement" { "* hers" } else { "hers" };
    event.must_hold("/content/body", body)
}

fn defects() -> [&'static str; 7] {
    [
        "by another sender",
        "of another type",
        "from another room",
        "of state",
        "by state",
        "of a replacement",
        "without new content",
    ]
}

/// A redacted replacement no longer replaces.
#[conformance(
    spec = "client-server-api/#aggregations-of-child-events",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn redacted_replacement_is_taken_back(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "original").await?;
    let first = edit(&alice, &room, &event_id, "first edit").await?;
    let second = edit(&alice, &room, &event_id, "second edit").await?;

    alice.redact(&room, &second).await?;
    let event = alice.event(&room, &event_id).await?;
    event.must_hold("/unsigned/m.relations/m.replace/event_id", first.as_str())?;
    alice.redact(&room, &first).await?;
    alice.event(&room, &event_id).await?.must_lack("/unsigned/m.relations/m.replace")
}

/// A redacted event is shown without its replacements.
#[conformance(
    spec = "client-server-api/#server-side-aggregation-of-mreplace-relationships",
    level = Should,
    severity = Security,
    since = "v1.4",
    proves = ["client-server-api/server-side-aggregation-of-mreplace-relationships/2"]
)]
async fn redacted_event_has_no_replacement(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "original").await?;
    edit(&alice, &room, &event_id, "edited").await?;
    alice.event(&room, &event_id).await?.must_have("/unsigned/m.relations/m.replace")?;

    alice.redact(&room, &event_id).await?;

    let redacted = || alice.event(&room, &event_id);
    let is_redacted = |event: &Answer| event.at("/content/body").is_null();
    hs.eventually("the redaction", redacted, is_redacted).await?.must_lack("/unsigned/m.relations/m.replace")
}
