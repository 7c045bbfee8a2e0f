//! `server-server-api/#pdus`: what is sent and taken, and how events refer to each other.

use protocol::RoomVersion;
use serde_json::json;
use suite_attribute::conformance;

use super::room_versions;
use crate::{
    cast::Homeserver,
    path,
    verdict::{Verdict, must},
};

/// A user's event goes to the other servers of the room, under the id that its room version gives it.
#[conformance(
    spec = "server-server-api/#pdus",
    level = Must,
    severity = Interop,
    each = room_versions
)]
async fn event_goes_out_under_its_id(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;

    let id = alice.say(room.id(), "out into the world").await?;

    let event = remote.sees_event(&id, |event| event["content"]["body"] == "out into the world").await?;
    let object = event.as_object().cloned().unwrap_or_default();
    let computed = protocol::event::event_id(&object, version).unwrap_or_default();
    must(computed == id, format!("the event {id}"), || computed)
}

/// A new event refers to all events that have no child yet.
#[conformance(
    spec = "server-server-api/#pdus",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/pdus/1"]
)]
async fn new_event_joins_the_branches(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let fork = remote.send(room.message("where the branches part")).await?;
    let (left, right) = (room.message("left").after(&[&fork]), room.message("right").after(&[&fork]));
    let (left, right) = (room.add(left)?, room.add(right)?);
    remote.deliver(&left).await?;
    remote.deliver(&right).await?;
    alice.sees_event(room.id(), right.id()).await?;

    alice.say(room.id(), "where they meet").await?;

    let said = remote.sees_event("the merge", |event| event["content"]["body"] == "where they meet").await?;
    let previous = said["prev_events"].to_string();
    must(
        previous.contains(left.id()) && previous.contains(right.id()),
        "prev_events with both branches",
        || previous.clone(),
    )
}

/// Two events of one user that stand at the same place and differ are two events: both are taken.
#[conformance(
    spec = "server-server-api/#pdus",
    level = Must,
    severity = Interop,
    each = room_versions
)]
async fn both_of_two_at_one_place_are_taken(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let fork = remote.send(room.message("where they part")).await?;
    let now = json!(crate::cast::remote::Room::now_ms());
    let one = |text: &str| room.message(text).after(&[&fork]).with("origin_server_ts", now.clone());
    let (left, right) = (room.add(one("one thing"))?, room.add(one("another thing"))?);
    remote.transmit(&[&left, &right]).await?;
    for event in [&left, &right] {
        let ask = || alice.messages(room.id(), "b").query("limit", "100");
        hs.page_with(event.id(), ask).await?;
    }
    Ok(())
}

/// A state event of another server changes the state.
#[conformance(
    spec = "server-server-api/#room-state-resolution",
    level = Must,
    severity = Interop,
    each = room_versions
)]
async fn state_of_another_server_counts(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;

    let topic = remote.send(room.state_event("m.room.topic", "", json!({"topic": "from afar"}))).await?;

    alice.sees_event(room.id(), topic.id()).await?;
    alice.state(room.id(), "m.room.topic", "").await?.must_hold("/topic", "from afar")
}

/// Events that relate to each other, as they can where servers choose ids, keep nobody in a circle who asks for relations of
/// relations.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidrelationseventid",
    level = Must,
    severity = Security,
    since = "v1.10",
    proves = ["client-server-api/get_matrixclientv1roomsroomidrelationseventid/5"]
)]
async fn circle_of_relations_ends(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(&protocol::room_version::V1, &alice).await?;
    let id = |name: &str| format!("$circle-{name}-{:016x}:{}", rand::random::<u64>(), remote.name());
    let (one, other) = (id("one"), id("other"));
    let child = |id: &str, parent: &str| {
        let content = json!({"m.relates_to": {"rel_type": "m.reference", "event_id": parent}});
        room.event("org.determinant.note", content).with("event_id", json!(id))
    };
    remote.send(child(&one, &other)).await?;
    remote.send(child(&other, &one)).await?;
    alice.sees_event(room.id(), &other).await?;

    let target = path!("/_matrix/client/v1/rooms/{}/relations/{}", room.id(), one);
    let ask = || alice.get(target.clone()).query("recurse", "true").query("limit", "50");
    let mut page = ask().await?;
    let ids = page.event_ids("/chunk");
    page.must(ids.contains(&other.as_str()), "the other event", || format!("{ids:?}"))?;
    // However often a server lists them: two events fill few pages.
    for _ in 0..MOST_PAGES {
        let Some(next) = page.at("/next_batch").as_str().map(str::to_owned) else { return Ok(()) };
        page = ask().query("from", next).await?;
    }
    page.must_lack("/next_batch")
}

/// More pages than two events can fill by as many levels as anybody follows.
const MOST_PAGES: usize = 4;

/// An image pack of another server is taken although its shortcodes break their grammar.
#[conformance(
    spec = "client-server-api/#shortcode-grammar",
    level = Must,
    severity = Interop,
    since = "v1.19",
    each = shortcodes,
    proves = ["client-server-api/shortcode-grammar/3"]
)]
async fn image_pack_is_taken_as_it_is(hs: &Homeserver, shortcode: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let shortcode = if shortcode == "too long" { "x".repeat(300) } else { shortcode.to_owned() };
    let mut content = json!({"images": {}});
    content["images"][&shortcode] = json!({"url": "mxc://elsewhere.example/picture"});

    let pack = remote.send(room.state_event("m.room.image_pack", "pack", content.clone())).await?;

    alice.sees_event(room.id(), pack.id()).await?;
    let kept = alice.state(room.id(), "m.room.image_pack", "pack").await?;
    kept.must(*kept.json() == content, format!("{content}"), || kept.json().to_string())
}

fn shortcodes() -> impl Iterator<Item = &'static str> {
    ["", "with blanks", ":colons:", "too long"].into_iter()
}

/// Where two branches disagree, the state after their merge is what the room version resolves.
#[conformance(
    spec = "server-server-api/#room-state-resolution",
    level = Must,
    severity = Interop,
    each = room_versions,
    proves = ["server-server-api/room-state-resolution/2"]
)]
async fn branches_are_resolved(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let dave = remote.user("dave");
    remote.send(room.member(&dave, "join")).await?;
    let levels = room.state("m.room.power_levels", "").map(|event| event.json()["content"].clone());
    let mut levels = levels.unwrap_or_default();
    levels["users"][&dave] = json!(50);
    let fork = remote.send(room.state_event("m.room.power_levels", "", levels.clone())).await?;
    let topic = |text: &str| room.state_event("m.room.topic", "", json!({"topic": text}));
    // On one branch dave loses his power; on the other he uses it.
    levels["users"][&dave] = json!(0);
    let deposed = room.add(room.state_event("m.room.power_levels", "", levels).after(&[&fork]))?;
    let agreed = room.add(topic("of the powerful").after(&[&deposed]))?;
    let defiant = topic("of the deposed").by(&dave).after(&[&fork]).build()?;
    // Where it arrives, dave is deposed already; state resolution decides what comes of it.
    room.keep_any(&defiant);
    let merge = room.add(room.message("merge").after(&[&agreed, &defiant]))?;

    for event in [&deposed, &agreed, &defiant, &merge] {
        remote.transmit(&[event]).await?;
    }

    alice.sees_event(room.id(), merge.id()).await?;
    let expected = room.state("m.room.topic", "").map(|event| event.json()["content"]["topic"].clone());
    alice.state(room.id(), "m.room.topic", "").await?.must_hold("/topic", expected.unwrap_or_default())
}

/// A redaction by another server that has the right to it takes the content from an event.
#[conformance(
    spec = "rooms/v3/#handling-redactions",
    level = Must,
    severity = Security,
    each = room_versions
)]
async fn redaction_of_another_server_counts(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let said = alice.say(room.id(), "regrettable").await?;
    let event = remote.sees_event(&said, |event| event["content"]["body"] == "regrettable").await?;
    drop(event);
    let draft = match version.redacts_in_content {
        true => room.event("m.room.redaction", json!({"redacts": said})),
        false => room.event("m.room.redaction", json!({})).with("redacts", json!(said)),
    };

    let redaction = remote.send(draft).await?;

    alice.sees_event(room.id(), redaction.id()).await?;
    let ask = || alice.event(room.id(), &said);
    hs.eventually("the redacted event", ask, |answer| answer.at("/content") == &json!({})).await.map(drop)
}

/// A redaction by somebody without the right to it leaves the event as it is.
#[conformance(
    spec = "rooms/v3/#handling-redactions",
    level = Must,
    severity = Security,
    each = room_versions
)]
async fn redaction_without_power_does_not_count(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let dave = remote.user("dave");
    remote.send(room.member(&dave, "join")).await?;
    let said = alice.say(room.id(), "to stay").await?;
    remote.sees_event(&said, |event| event["content"]["body"] == "to stay").await?;
    let draft = match version.redacts_in_content {
        true => room.event("m.room.redaction", json!({"redacts": said})),
        false => room.event("m.room.redaction", json!({})).with("redacts", json!(said)),
    };
    let redaction = draft.by(&dave).build()?;

    remote.transmit(&[&redaction]).await?;

    let later = remote.send(room.message("later")).await?;
    alice.sees_event(room.id(), later.id()).await?;
    alice.event(room.id(), &said).await?.must_hold("/content/body", "to stay")
}
