//! `client-server-api/#creation`

use protocol::RoomVersion;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User},
    path,
    verdict::{Stop, Verdict, must},
};

fn presets() -> [&'static str; 3] {
    ["private_chat", "trusted_private_chat", "public_chat"]
}

fn visibilities() -> [&'static str; 2] {
    ["private", "public"]
}

fn room_versions() -> [&'static RoomVersion; 12] {
    RoomVersion::ALL
}

/// A preset decides who may join a new room, who may read its history, and whether guests are welcome.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Must,
    severity = Security,
    each = presets
)]
async fn preset_decides_access(hs: &Homeserver, preset: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"preset": preset})).await?;

    let state = alice.all_state(&room).await?;
    let public = preset == "public_chat";
    let join_rule = &state.state_content("m.room.join_rules", "")["join_rule"];
    let expected = if public { "public" } else { "invite" };
    state.must(join_rule == expected, format!("the join rule {expected}"), || join_rule.to_string())?;
    let visibility = &state.state_content("m.room.history_visibility", "")["history_visibility"];
    state.must(visibility == "shared", "the history visibility shared", || visibility.to_string())?;
    // An absent event forbids guests too: `client-server-api/#mroomguest_access`.
    let guests = &state.state_content("m.room.guest_access", "")["guest_access"];
    let as_asked = if public { guests.is_null() || guests == "forbidden" } else { guests == "can_join" };
    state.must(as_asked, format!("the guest access of {preset}"), || guests.to_string())
}

/// Without a preset, the server lets the visibility in the directory decide who may join the new room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Should,
    severity = Security,
    each = visibilities,
    proves = ["client-server-api/post_matrixclientv3createroom/8"]
)]
async fn visibility_stands_in_for_the_preset(hs: &Homeserver, visibility: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"visibility": visibility})).await?;

    let expected = if visibility == "public" { "public" } else { "invite" };
    alice.state(&room, "m.room.join_rules", "").await?.must_hold("/join_rule", expected)
}

/// The server sends the events of a new room in the stated order, from the create event to the invites.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Must,
    severity = Interop,
    proves = [
        "client-server-api/post_matrixclientv3createroom/2",
        "client-server-api/post_matrixclientv3createroom/3",
    ]
)]
async fn events_come_in_the_stated_order(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let body = json!({
        "preset": "public_chat",
        "room_alias_name": format!("{}-order", alice.localpart()),
        "initial_state": [
            {"type": "org.determinant.second", "content": {"rank": 1}},
            {"type": "org.determinant.first", "content": {"rank": 2}},
        ],
        "name": "order",
        "invite": [bob.id()],
    });
    let room = alice.create_room(body).await?;

    alice.sees_membership(&room, &bob, "invite").await?;
    let history = alice.messages(&room, "f").query("limit", "50").await?;
    let came: Vec<&str> =
        history.must_have_list("/chunk")?.iter().filter_map(|event| event["type"].as_str()).collect();
    let stated = [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.canonical_alias",
        "m.room.join_rules",
        "org.determinant.second",
        "org.determinant.first",
        "m.room.name",
        "m.room.member",
    ];
    let mut rest = came.iter();
    let in_order = stated.iter().all(|kind| rest.any(|came| came == kind));
    history.must(
        in_order && came.first() == Some(&"m.room.create"),
        format!("in this order: {stated:?}"),
        || format!("{came:?}"),
    )
}

/// Creating a room makes its creator a joined member.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Interop)]
async fn creator_is_joined(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    alice.state(&room, "m.room.member", alice.id()).await?.must_hold("/membership", "join")?;
    alice.has_joined(&[&room]).await
}

/// A name and a topic in the request overwrite those of the initial state.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Usability)]
async fn name_and_topic_overwrite_initial_state(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let body = json!({
        "name": "the name",
        "topic": "the topic",
        "initial_state": [
            {"type": "m.room.name", "state_key": "", "content": {"name": "another name"}},
            {"type": "m.room.topic", "state_key": "", "content": {"topic": "another topic"}},
        ],
    });
    let room = alice.create_room(body).await?;

    alice.state(&room, "m.room.name", "").await?.must_hold("/name", "the name")?;
    alice.state(&room, "m.room.topic", "").await?.must_hold("/topic", "the topic")
}

/// The topic of a new room is there as a content block of type `text/plain` too.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Must,
    severity = Usability,
    since = "v1.15"
)]
async fn topic_has_a_plain_text_block(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"topic": "all about tests"})).await?;

    let topic = alice.state(&room, "m.room.topic", "").await?;
    let is_plain = |block: &Value| block.get("mimetype").is_none_or(|mimetype| mimetype == "text/plain");
    let blocks = topic.must_have_list("/m.topic/m.text")?;
    topic.must(
        blocks.iter().any(|block| is_plain(block) && block["body"] == "all about tests"),
        "the topic as text/plain in m.topic",
        || topic.at("/m.topic").to_string(),
    )
}

/// A topic of the initial state stays as it was given.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Usability)]
async fn topic_of_the_initial_state_stays(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let content = json!({"topic": "all about tests", "org.determinant.more": true});
    let topic = json!({"type": "m.room.topic", "state_key": "", "content": content});
    let room = alice.create_room(json!({"initial_state": [topic]})).await?;

    let set = alice.state(&room, "m.room.topic", "").await?;
    set.must(*set.json() == content, content.to_string(), || set.json().to_string())
}

/// The initial state takes precedence over what the preset would set.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Security)]
async fn initial_state_overrides_the_preset(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let body = json!({
        "preset": "public_chat",
        "initial_state": [
            {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "invite"}},
            {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}},
        ],
    });
    let room = alice.create_room(body).await?;

    alice.state(&room, "m.room.join_rules", "").await?.must_hold("/join_rule", "invite")?;
    let visibility = alice.state(&room, "m.room.history_visibility", "").await?;
    visibility.must_hold("/history_visibility", "joined")
}

/// An alias in the request is mapped to the new room and becomes its canonical alias.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Usability)]
async fn alias_becomes_canonical(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let localpart = format!("{}-canonical", alice.localpart());
    let room = alice.create_room(json!({"room_alias_name": localpart})).await?;

    let alias = format!("#{localpart}:{}", hs.name());
    alice.state(&room, "m.room.canonical_alias", "").await?.must_hold("/alias", alias.as_str())?;
    let resolved = alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).await?;
    resolved.must_hold("/room_id", room)
}

/// A room cannot be created with an alias that is taken.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Interop)]
async fn taken_alias_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let body = json!({"room_alias_name": format!("{}-taken", alice.localpart())});
    alice.create_room(body.clone()).await?;

    alice.create_room(body).must_refuse(400, "M_ROOM_IN_USE").await?;
    Ok(())
}

/// Users named in the request are invited, with `is_direct` where the request asks for a direct chat.
#[conformance(
    spec = "client-server-api/#direct-messaging",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-16/1"]
)]
async fn invites_carry_is_direct(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"is_direct": true, "invite": [bob.id()]})).await?;

    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "invite")?;
    member.must_hold("/is_direct", true)?;
    let sync = bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    let stripped = sync.stripped_state(&room, "m.room.member", bob.id());
    sync.answer()
        .must(stripped["content"]["is_direct"] == true, "is_direct in the invite", || stripped.to_string())
}

/// The power levels in the request are laid over those that the server makes.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Security)]
async fn power_levels_are_overridden(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice
        .create_room(json!({"power_level_content_override": {"invite": 33, "users_default": 7}}))
        .await?;

    let levels = alice.state(&room, "m.room.power_levels", "").await?;
    levels.must_hold("/invite", 33)?;
    levels.must_hold("/users_default", 7)
}

/// A creator whose overridden power level does not reach for the name in the request is refused.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3createroom/1"]
)]
async fn impossible_initial_state_is_refused(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let body = json!({
        "room_version": "11",
        "name": "out of reach",
        "power_level_content_override": {"users": {alice.id(): 0}},
    });

    alice.create_room(body).must_refuse(400, "M_INVALID_ROOM_STATE").await?;
    Ok(())
}

/// A room version that the server does not support is refused.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Interop)]
async fn unsupported_room_version_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let call = alice.create_room(json!({"room_version": "org.determinant.none"}));
    call.must_refuse(400, "M_UNSUPPORTED_ROOM_VERSION").await?;
    Ok(())
}

/// A new room has the version that was asked for, and its create event names it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Must,
    severity = Interop,
    each = room_versions,
    proves = ["client-server-api/mroomcreate/3"]
)]
async fn room_has_the_version_asked_for(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"room_version": version.id})).await?;

    let create = alice.state(&room, "m.room.create", "").await?;
    create.must_hold("/room_version", version.id)?;
    if version.creator_in_content {
        create.must_hold("/creator", alice.id())
    } else {
        create.must_lack("/creator")
    }
}

/// Extra content for the create event is kept, except for the version and the creator, which the server
/// decides.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Security)]
async fn creation_content_cannot_name_version_or_creator(hs: &Homeserver) -> Verdict {
    // Later versions have no `creator` that could be overwritten.
    hs.must_offer(&protocol::room_version::V10)?;
    let [alice, bob] = hs.users().await?;
    let content = json!({"org.determinant.kind": "cellar", "room_version": "1", "creator": bob.id()});
    let room = alice.create_room(json!({"room_version": "10", "creation_content": content})).await?;

    let create = alice.state(&room, "m.room.create", "").await?;
    create.must_hold("/org.determinant.kind", "cellar")?;
    create.must_hold("/room_version", "10")?;
    create.must_hold("/creator", alice.id())
}

/// In a trusted private chat, the users invited at creation have the power level of the creator.
#[conformance(spec = "client-server-api/#post_matrixclientv3createroom", level = Must, severity = Usability)]
async fn trusted_invitees_equal_the_creator(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice, bob] = hs.users().await?;
    let body = json!({"preset": "trusted_private_chat", "room_version": "11", "invite": [bob.id()]});
    let room = alice.create_room(body).await?;

    let levels = alice.state(&room, "m.room.power_levels", "").await?;
    let (creator, invitee) = (&levels.at("/users")[alice.id()], &levels.at("/users")[bob.id()]);
    levels.must(!creator.is_null() && creator == invitee, "the same level for creator and invitee", || {
        format!("{creator} and {invitee}")
    })
}

/// In a trusted private chat of version 12, the users invited at creation become creators.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Should,
    severity = Usability,
    since = "v1.16",
    proves = [
        "client-server-api/post_matrixclientv3createroom/4",
        "client-server-api/post_matrixclientv3createroom/6",
    ]
)]
async fn trusted_invitees_become_creators(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let body = json!({
        "preset": "trusted_private_chat",
        "invite": [bob.id(), carol.id()],
        "creation_content": {"additional_creators": [carol.id()]},
    });
    let room = room_of_version_12(hs, &alice, body).await?;

    let create = alice.state(&room, "m.room.create", "").await?;
    let mut creators: Vec<&str> =
        create.must_have_list("/additional_creators")?.iter().filter_map(Value::as_str).collect();
    creators.sort_unstable();
    let mut expected = [bob.id(), carol.id()];
    expected.sort_unstable();
    create.must(creators == expected, format!("each of {expected:?} once"), || format!("{creators:?}"))
}

/// The creators of a room of version 12 stand in no power levels, and only they and those above
/// administrators may close the room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3createroom",
    level = Must,
    severity = Security,
    since = "v1.16",
    proves = ["client-server-api/post_matrixclientv3createroom/5", "client-server-api/mroompower_levels/3"]
)]
async fn power_levels_of_version_12_leave_creators_out(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of_version_12(hs, &alice, json!({})).await?;

    let levels = alice.state(&room, "m.room.power_levels", "").await?;
    let listed = levels.at("/users").get(alice.id());
    levels.must(listed.is_none(), "power levels without the creator", || format!("{listed:?}"))?;
    let state_default = levels.at("/state_default").as_i64().unwrap_or(50);
    let tombstone = levels.at("/events")["m.room.tombstone"].as_i64();
    levels.must(
        tombstone.is_some_and(|level| level > state_default),
        format!("a level above {state_default} for m.room.tombstone"),
        || format!("{tombstone:?}"),
    )
}

/// The id of a room of version 12 is the id of its create event with another sigil.
#[conformance(spec = "rooms/v12/#event-format", level = Must, severity = Interop)]
async fn version_12_names_the_room_after_its_create_event(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of_version_12(hs, &alice, json!({})).await?;

    let state = alice.all_state(&room).await?;
    let events = state.must_have_list("")?;
    let create = events.iter().find(|event| event["type"] == "m.room.create");
    let event_id = create.and_then(|event| event["event_id"].as_str()).unwrap_or_default();
    state.must(
        !room.is_empty() && room[1..] == *event_id.trim_start_matches('$'),
        format!("the event id of {room}"),
        || event_id.to_owned(),
    )
}

/// A creator of a room of version 12 cannot be given a power level.
#[conformance(spec = "rooms/v12/#authorisation-rules", level = Must, severity = Security)]
async fn version_12_refuses_levels_for_creators(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of_version_12(hs, &alice, json!({})).await?;
    let mut levels = alice.state(&room, "m.room.power_levels", "").await?.json().clone();
    levels["users"] = json!({alice.id(): 100});

    alice.set_state(&room, "m.room.power_levels", "", levels).must_be_refused().await?;
    let kept = alice.state(&room, "m.room.power_levels", "").await?;
    let listed = kept.at("/users").get(alice.id());
    kept.must(listed.is_none(), "unchanged power levels", || format!("{listed:?}"))
}

/// No level can be given to a creator of a room of version 12 when the room is made, either.
#[conformance(spec = "rooms/v12/#authorisation-rules", level = Must, severity = Security)]
async fn version_12_is_not_made_with_levels_for_creators(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V12)?;
    let [alice] = hs.users().await?;
    let body = json!({"room_version": "12", "power_level_content_override": {"users": {alice.id(): 100}}});

    alice.post("/_matrix/client/v3/createRoom", body).must_be_refused().await.map(drop)
}

/// Additional creators of a room of version 12 have the power of the one who made it, and no level.
#[conformance(spec = "rooms/v12/#authorisation-rules", level = Must, severity = Security, since = "v1.16")]
async fn additional_creators_have_power(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let body = json!({
        "preset": "private_chat",
        "invite": [bob.id(), carol.id()],
        "creation_content": {"additional_creators": [bob.id()]},
        "power_level_content_override": {"users": {carol.id(): 9_007_199_254_740_991_i64}},
    });
    let room = room_of_version_12(hs, &alice, body).await?;
    bob.join(&room).await?;
    carol.join(&room).await?;

    let levels = bob.state(&room, "m.room.power_levels", "").await?;
    let users = levels.at("/users");
    let only_carol = users.as_object().is_some_and(|users| users.keys().eq([carol.id()]));
    levels.must(only_carol, "a level for carol alone", || users.to_string())?;
    carol.kick(&room, &bob).must_refuse(403, "M_FORBIDDEN").await?;
    bob.set_state(&room, "m.room.tombstone", "", json!({"body": "gone", "replacement_room": room})).await?;
    bob.kick(&room, &carol).await?;
    alice.state(&room, "m.room.member", carol.id()).await?.must_hold("/membership", "leave")
}

/// Clients are told the room of the create event of version 12, although the event does not name it itself.
#[conformance(spec = "rooms/v12/#event-format", level = Must, severity = Interop)]
async fn version_12_tells_clients_the_room_of_the_create_event(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of_version_12(hs, &alice, json!({})).await?;

    let state = alice.all_state(&room).await?;
    let create = state.must_have_list("")?.iter().find(|event| event["type"] == "m.room.create");
    let create = create.cloned().unwrap_or_default();
    state.must(create["room_id"] == room.as_str(), format!("the room {room}"), || create.to_string())?;
    let event_id = create["event_id"].as_str().unwrap_or_default();
    alice.event(&room, event_id).await?.must_hold("/room_id", room.as_str())?;
    let messages = alice.messages(&room, "f").await?;
    messages.must_hold("/chunk/0/type", "m.room.create")?;
    messages.must_hold("/chunk/0/room_id", room)
}

/// A room has one create event: no other is accepted.
#[conformance(spec = "rooms/v11/#authorisation-rules", level = Must, severity = Security, each = room_versions)]
async fn second_create_event_is_refused(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some(version.id), &[]).await?;
    let before = alice.state(&room, "m.room.create", "").await?;

    let content = json!({"room_version": version.id, "creator": alice.id(), "m.federate": false});
    alice.set_state(&room, "m.room.create", "", content).must_be_refused().await?;

    let after = alice.state(&room, "m.room.create", "").await?;
    after.must(after.json() == before.json(), "the same create event", || after.json().to_string())
}

/// No room of version 12 is made with additional creators that are no user ids.
#[conformance(
    spec = "client-server-api/#mroomcreate",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = defective_creators,
    proves = ["client-server-api/mroomcreate/1"]
)]
async fn additional_creators_are_user_ids(hs: &Homeserver, defect: &'static str) -> Verdict {
    hs.must_offer(&protocol::room_version::V12)?;
    let [alice, bob] = hs.users().await?;
    let defective = match defect {
        "no sigil" => json!(bob.id().trim_start_matches('@')),
        "no domain" => json!(format!("@{}", bob.localpart())),
        "no string" => json!(7),
        "no server name" => json!(format!("@{}:a b", bob.localpart())),
        _ => json!(format!("@{}:{}", "x".repeat(255), hs.name())),
    };
    let creators = if defect == "no list" { json!(bob.id()) } else { json!([bob.id(), defective]) };
    let content = json!({"additional_creators": creators});
    let body = json!({"room_version": "12", "creation_content": content});
    alice.post("/_matrix/client/v3/createRoom", body).must_be_refused().await?;
    alice.has_joined(&[]).await
}

fn defective_creators() -> [&'static str; 6] {
    ["no sigil", "no domain", "no string", "no server name", "no list", "too long"]
}

async fn room_of_version_12(hs: &Homeserver, alice: &User, mut body: Value) -> Result<String, Stop> {
    hs.must_offer(&protocol::room_version::V12)?;
    body["room_version"] = json!("12");
    let room = alice.create_room(body).await?;
    must(room.starts_with('!'), "a room id that starts with !", || room.clone())?;
    Ok(room)
}
