//! `server-server-api/#pdus`: what is sent and taken, and how events refer to each other.

use protocol::{RoomVersion, room_version::V12};
use serde_json::json;
use suite_attribute::conformance;

use super::room_versions;
use crate::{
    cast::{
        Homeserver,
        remote::{Draft, Room},
    },
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
    let now = json!(Room::now_ms());
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

/// In version 12, what a creator did on one branch comes before what somebody with less power did on the other, whenever
/// that was.
#[conformance(
    spec = "rooms/v12/#state-resolution",
    level = Must,
    severity = Interop,
    since = "v1.16",
    proves = ["server-server-api/room-state-resolution/2"]
)]
async fn acts_of_creators_come_first(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(&V12, &alice).await?;
    let dave = remote.user("dave");
    remote.send(room.member(&dave, "join")).await?;
    let mut levels = json!({"users": {}});
    levels["users"][&dave] = json!(9_007_199_254_740_991_i64);
    let fork = remote.send(room.state_event("m.room.power_levels", "", levels)).await?;
    let rule = |join_rule: &str| {
        room.state_event("m.room.join_rules", "", json!({"join_rule": join_rule})).after(&[&fork])
    };
    let earlier = json!(Room::now_ms() - 60_000);
    let of_creator = room.add(rule("invite"))?;
    let of_dave = room.add(rule("knock").by(&dave).with("origin_server_ts", earlier))?;
    let merge = room.add(room.message("merge").after(&[&of_creator, &of_dave]))?;

    for event in [&of_creator, &of_dave, &merge] {
        remote.deliver(event).await?;
    }

    alice.sees_event(room.id(), merge.id()).await?;
    alice.state(room.id(), "m.room.join_rules", "").await?.must_hold("/join_rule", "knock")
}

/// In version 12, conflicting state is judged by what it rests on, although both branches agree that its sender has left since.
#[conformance(
    spec = "rooms/v12/#state-resolution",
    level = Must,
    severity = Security,
    since = "v1.16",
    proves = ["server-server-api/room-state-resolution/2"]
)]
async fn resolution_starts_from_no_state(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(&V12, &alice).await?;
    let (charlie, dave) = (room.speaker().to_owned(), remote.user("dave"));
    remote.send(room.member(&dave, "join")).await?;
    let fork = remote.send(room.message("where they part").by(&dave)).await?;
    let rule = room.state_event("m.room.join_rules", "", json!({"join_rule": "invite"}));
    let closed = remote.send(rule.after(&[&fork])).await?;
    let left = remote.send(room.member(&charlie, "leave").after(&[&fork])).await?;
    let said = |text: &str| room.message(text).by(&dave);
    let one = remote.send(said("after both").after(&[&closed, &left])).await?;
    let other = remote.send(said("after the leave").after(&[&left])).await?;

    let merge = remote.send(said("merge").after(&[&one, &other])).await?;

    alice.sees_event(room.id(), merge.id()).await?;
    alice.state(room.id(), "m.room.join_rules", "").await?.must_hold("/join_rule", "invite")
}

/// In version 12, what stands between two conflicting events is judged with them, although it is in conflict with nothing.
#[conformance(
    spec = "rooms/v12/#definitions",
    level = Must,
    severity = Security,
    since = "v1.16",
    proves = ["server-server-api/room-state-resolution/2"]
)]
async fn conflicted_subgraph_is_judged(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(&V12, &alice).await?;
    let [dave, erin, frank, grace] = ["dave", "erin", "frank", "grace"].map(|name| remote.user(name));
    for user in [&dave, &erin] {
        remote.send(room.member(user, "join")).await?;
    }
    let mut levels = json!({"users": {}});
    let mut chain = Vec::new();
    for (sender, user, level) in
        [(room.speaker(), &dave, 100), (dave.as_str(), &erin, 50), (erin.as_str(), &frank, 50)]
    {
        levels["users"][user] = json!(level);
        let event = room.state_event("m.room.power_levels", "", levels.clone()).by(sender);
        chain.push(remote.send(event).await?);
    }
    // The join stands beside the first levels, and rests on the last.
    let rule = room.state("m.room.join_rules", "").map(|event| event.id().to_owned()).unwrap_or_default();
    let authorizing = [chain[2].id(), rule.as_str()];
    let join = room.member(&grace, "join").after(&[&chain[0]]).authorized_by(&authorizing);
    let join = remote.send(join).await?;

    let merge = remote.send(room.message("merge").after(&[&chain[2], &join])).await?;

    alice.sees_event(room.id(), merge.id()).await?;
    let resolved = alice.state(room.id(), "m.room.power_levels", "").await?;
    resolved.must_hold("/users", levels["users"].clone())
}

/// Messages of another branch that come late leave no gap between what a client was told and the history before it.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Usability)]
async fn late_branch_leaves_no_gap(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    bob.join(room.id()).await?;
    remote.sees_event("the join of bob", |event| event["state_key"] == bob.id()).await?;
    let fork = remote.send(room.message("where they part")).await?;
    bob.sees_event(room.id(), fork.id()).await?;
    let since = bob.catches_up(room.id()).await?.next_batch().to_owned();
    let late = room.add(room.message("meanwhile elsewhere").after(&[&fork]))?;
    let mut sent = Vec::new();
    for number in 0..4 {
        sent.push(alice.say(room.id(), &format!("before {number}")).await?);
    }
    remote.deliver(&late).await?;
    alice.sees_event(room.id(), late.id()).await?;
    sent.push(late.id().to_owned());
    for number in 0..3 {
        sent.push(alice.say(room.id(), &format!("after {number}")).await?);
    }
    let last = sent[sent.len() - 1].clone();

    let ask = || {
        let filter = r#"{"room":{"timeline":{"limit":4}}}"#;
        bob.sync_request().query("since", &since).query("filter", filter)
    };
    let sync = bob.sync_showing(&last, ask, |sync| sync.has_event(room.id(), &last)).await?;
    sent.retain(|id| !sync.has_event(room.id(), id));
    let mut from = sync.joined(room.id())["timeline"]["prev_batch"].as_str().map(str::to_owned);
    while let (Some(token), false) = (&from, sent.is_empty()) {
        let page = bob.messages(room.id(), "b").query("from", token).query("limit", "10").await?;
        let told = page.event_ids("/chunk");
        sent.retain(|id| !told.contains(&id.as_str()));
        from = page.at("/end").as_str().map(str::to_owned);
    }
    sync.answer().must(sent.is_empty(), "a prev_batch that leads to all messages before", || {
        format!("one that does not lead to {sent:?}")
    })
}

/// State of another branch is told although the filter leaves out the event in which the branches meet.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Usability)]
async fn state_of_another_branch_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let fork = remote.send(room.message("where they part")).await?;
    alice.sees_event(room.id(), fork.id()).await?;
    for number in 0..2 {
        alice.say(room.id(), &format!("on this branch {number}")).await?;
    }
    let name = room.state_event("m.room.name", "", json!({"name": "of another branch"}));
    let name = remote.send(name.after(&[&fork])).await?;
    alice.sees("the name", |sync| sync.state_events(room.id(), "m.room.name").next().is_some()).await?;
    let merge = alice.send(room.id(), "org.determinant.merge", json!({})).await?;
    alice.sees_event(room.id(), &merge).await?;

    let filter = r#"{"room":{"timeline":{"not_types":["org.determinant.merge"],"limit":1}}}"#;
    let sync = alice.sync_request().query("filter", filter).await?;

    let names: Vec<_> = sync.state_events(room.id(), "m.room.name").collect();
    let told = matches!(names[..], [event] if event["event_id"] == name.id());
    sync.answer().must(told, "the name in the state or the timeline", || format!("{names:?}"))
}

/// A client syncs on from where another server has redacted an event that nobody has.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Usability)]
async fn redaction_of_nothing_stops_no_sync(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let (room, other) = (remote.room_with(&alice).await?, remote.room_with(&alice).await?);
    let stray = room.add(redaction(&room, &format!("${}", "A".repeat(43))))?;
    remote.transmit(&[&stray]).await?;
    // Clients should not be told of it: what came later in another room shows that it is there.
    let mark = remote.send(other.message("later")).await?;
    let since = alice.sees_event(other.id(), mark.id()).await?.next_batch().to_owned();
    let mut sent = Vec::new();
    for number in 0..3 {
        sent.push(remote.send(room.message(&format!("message {number}"))).await?);
    }

    let filter = r#"{"room":{"timeline":{"limit":2}}}"#;
    let ask = || alice.sync_request().query("since", &since).query("filter", filter);
    let last = sent[2].id();
    let sync = alice.sync_showing(last, ask, |sync| sync.has_event(room.id(), last)).await?;

    let timeline = sync.event_ids(room.id());
    let expected = [sent[1].id(), last];
    sync.answer().must(timeline == expected, "the last two messages", || format!("{timeline:?}"))?;
    let limited = &sync.joined(room.id())["timeline"]["limited"];
    sync.answer().must(*limited == true, "limited: true", || limited.to_string())
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

    let redaction = remote.send(redaction(&room, &said)).await?;

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
    let redaction = redaction(&room, &said).by(&dave).build()?;

    remote.transmit(&[&redaction]).await?;

    let later = remote.send(room.message("later")).await?;
    alice.sees_event(room.id(), later.id()).await?;
    alice.event(room.id(), &said).await?.must_hold("/content/body", "to stay")
}

/// The redaction of an event, in the format of the room's version.
fn redaction(room: &Room, event_id: &str) -> Draft {
    match room.version().redacts_in_content {
        true => room.event("m.room.redaction", json!({"redacts": event_id})),
        false => room.event("m.room.redaction", json!({})).with("redacts", json!(event_id)),
    }
}
