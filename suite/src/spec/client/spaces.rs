//! `client-server-api/#spaces`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

fn hierarchy(user: &User, space: &str) -> Call {
    user.get(path!("/_matrix/client/v1/rooms/{}/hierarchy", space))
}

async fn space(user: &User, name: &str) -> Result<String, Stop> {
    user.create_room(json!({"name": name, "preset": "public_chat", "creation_content": {"type": "m.space"}}))
        .await
}

async fn add(user: &User, space: &str, child: &str, more: Value) -> Verdict {
    let mut content = json!({"via": [user.homeserver().name()]});
    if let (Some(content), Value::Object(more)) = (content.as_object_mut(), more) {
        content.extend(more);
    }
    set_child(user, space, child, content).await
}

/// Sets a child event and waits until the user's own `/sync` tells of it.
async fn set_child(user: &User, space: &str, child: &str, content: Value) -> Verdict {
    let event_id = user.set_state(space, "m.space.child", child, content).await?;
    user.sees_event(space, &event_id).await.map(drop)
}

fn room_ids(rooms: &[Value]) -> Vec<&str> {
    rooms.iter().filter_map(|room| room["room_id"].as_str()).collect()
}

/// The rooms of a space are walked depth first, in the order that the space gives them.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidhierarchy",
    level = Must,
    severity = Usability,
    since = "v1.2",
    proves = ["client-server-api/get_matrixclientv1roomsroomidhierarchy/8"]
)]
async fn rooms_are_walked_depth_first(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (root, inner) = (space(&alice, "root").await?, space(&alice, "inner").await?);
    let (leaf, last) = (alice.public_room_with(&[]).await?, alice.public_room_with(&[]).await?);
    add(&alice, &root, &last, json!({"order": "b"})).await?;
    add(&alice, &root, &inner, json!({"order": "a"})).await?;
    add(&alice, &inner, &leaf, json!({})).await?;

    let walk = hierarchy(&alice, &root).await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&root, &inner, &leaf, &last], "root, inner, leaf and last", || format!("{came:?}"))?;
    walk.must_hold("/rooms/0/name", "root")?;
    walk.must_hold("/rooms/0/room_type", "m.space")?;
    walk.must_hold("/rooms/0/num_joined_members", 1)?;
    walk.must_hold("/rooms/0/children_state/0/type", "m.space.child")?;
    walk.must_hold("/rooms/2/children_state", json!([]))?;
    let shallow = hierarchy(&alice, &root).query("max_depth", "1").await?;
    let came = room_ids(shallow.must_have_list("/rooms")?);
    shallow.must(came == [&root, &inner, &last], "no room below the given depth", || format!("{came:?}"))
}

/// A room of the walk is described as its state has it, with the events that name its children as they stand there.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidhierarchy",
    level = Must,
    severity = Usability,
    since = "v1.2"
)]
async fn rooms_are_described_by_their_state(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let localpart = format!("{}-space", alice.localpart());
    let body = json!({
        "name": "orchard",
        "topic": "trees",
        "preset": "public_chat",
        "room_alias_name": localpart,
        "creation_content": {"type": "m.space"},
        "initial_state": [
            {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}},
            {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}},
            {"type": "m.room.avatar", "content": {"url": "mxc://example.org/tree"}},
        ],
    });
    let space = alice.create_room(body).await?;
    let closed = alice.create_room(json!({"preset": "private_chat"})).await?;
    bob.join(&space).await?;
    alice.sees_membership(&space, &bob, "join").await?;
    add(&alice, &space, &closed, json!({"order": "a", "suggested": true})).await?;

    let walk = hierarchy(&alice, &space).await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&space, &closed], "the space and the room", || format!("{came:?}"))?;
    for (place, value) in [
        ("name", json!("orchard")),
        ("topic", json!("trees")),
        ("canonical_alias", json!(format!("#{localpart}:{}", hs.name()))),
        ("avatar_url", json!("mxc://example.org/tree")),
        ("num_joined_members", json!(2)),
        ("world_readable", json!(true)),
        ("guest_can_join", json!(true)),
        ("join_rule", json!("public")),
        ("room_type", json!("m.space")),
    ] {
        walk.must_hold(&format!("/rooms/0/{place}"), value)?;
    }
    let version = walk.at("/rooms/0/room_version");
    walk.must(version.is_null() || version == hs.default_room_version(), "the room version", || {
        version.to_string()
    })?;
    walk.must_hold("/rooms/1/join_rule", "invite")?;
    walk.must_hold("/rooms/1/world_readable", false)?;
    let child = alice.state(&space, "m.space.child", &closed).query("format", "event").await?;
    let children = walk.must_have_list("/rooms/0/children_state")?;
    walk.must(children.len() == 1, "one child", || format!("{}", children.len()))?;
    for name in ["type", "state_key", "sender", "content", "origin_server_ts"] {
        let expected = child.at(&format!("/{name}"));
        walk.must(children[0][name] == *expected, format!("{expected} as {name} of the child"), || {
            children[0][name].to_string()
        })?;
    }
    Ok(())
}

/// Pages of the walk show every room once.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidhierarchy",
    level = Must,
    severity = Interop,
    since = "v1.2"
)]
async fn pages_lose_nothing(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let root = space(&alice, "root").await?;
    let (one, two) = (alice.public_room_with(&[]).await?, alice.public_room_with(&[]).await?);
    add(&alice, &root, &one, json!({"order": "a"})).await?;
    add(&alice, &root, &two, json!({"order": "b"})).await?;

    let first = hierarchy(&alice, &root).query("limit", "2").await?;
    let came = room_ids(first.must_have_list("/rooms")?);
    first.must(came == [&root, &one], "the first two rooms", || format!("{came:?}"))?;
    let next = first.must_have_text("/next_batch")?;
    let rest = hierarchy(&alice, &root).query("limit", "2").query("from", next).await?;
    let came = room_ids(rest.must_have_list("/rooms")?);
    rest.must(came == [&two], "the last room", || format!("{came:?}"))?;
    rest.must_lack("/next_batch")
}

/// Only suggested rooms are shown where that is asked for.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidhierarchy",
    level = Must,
    severity = Usability,
    since = "v1.2",
    proves = ["client-server-api/get_matrixclientv1roomsroomidhierarchy/2"]
)]
async fn suggested_rooms_are_shown_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let root = space(&alice, "root").await?;
    let (suggested, other) = (alice.public_room_with(&[]).await?, alice.public_room_with(&[]).await?);
    add(&alice, &root, &suggested, json!({"suggested": true})).await?;
    add(&alice, &root, &other, json!({})).await?;

    let walk = hierarchy(&alice, &root).query("suggested_only", "true").await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&root, &suggested], "the space and the suggested room", || format!("{came:?}"))
}

/// Rooms that the user can neither join nor read are not shown, and a private space is refused.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidhierarchy",
    level = Must,
    severity = Security,
    since = "v1.2",
    proves = ["client-server-api/get_matrixclientv1roomsroomidhierarchy/7"]
)]
async fn private_rooms_are_hidden(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let root = space(&alice, "root").await?;
    let open = alice.public_room_with(&[]).await?;
    let closed = alice.create_room(json!({"preset": "private_chat", "name": "a secret name"})).await?;
    add(&alice, &root, &open, json!({"order": "a"})).await?;
    add(&alice, &root, &closed, json!({"order": "b"})).await?;

    let walk = hierarchy(&bob, &root).await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&root, &open], "the space and the public room", || format!("{came:?}"))?;
    walk.must_not_mention("a secret name")?;
    hierarchy(&bob, &closed).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// A restricted room is shown to those who meet its condition, and to nobody else.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidhierarchy",
    level = Must,
    severity = Security,
    since = "v1.2",
    proves = ["client-server-api/get_matrixclientv1roomsroomidhierarchy/7"]
)]
async fn restricted_rooms_are_shown_to_those_they_admit(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice, bob, eve] = hs.users().await?;
    let root = space(&alice, "root").await?;
    let club = alice.room_with(&[&bob]).await?;
    let content =
        json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": club}]});
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": content});
    let room = alice.create_room(json!({"room_version": "11", "initial_state": [rule]})).await?;
    add(&alice, &root, &room, json!({})).await?;

    let walk = hierarchy(&bob, &root).await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&root, &room], "the space and the restricted room", || format!("{came:?}"))?;
    let walk = hierarchy(&eve, &root).await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&root], "the space alone", || format!("{came:?}"))
}

/// A room that was taken out of a space, by a child event without `via`, is no longer shown.
#[conformance(spec = "client-server-api/#mspacechild", level = Must, severity = Usability, since = "v1.2")]
async fn removed_child_is_not_shown(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let root = space(&alice, "root").await?;
    let child = alice.public_room_with(&[]).await?;
    add(&alice, &root, &child, json!({})).await?;
    set_child(&alice, &root, &child, json!({})).await?;

    let walk = hierarchy(&alice, &root).await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&root], "the space alone", || format!("{came:?}"))
}

/// A space that contains itself does not make the walk endless.
#[conformance(
    spec = "client-server-api/#spaces",
    level = Must,
    severity = Security,
    since = "v1.2",
    proves = [
        "client-server-api/managing-roomsspaces-included-in-a-space/2",
        "client-server-api/discovering-rooms-within-spaces/1",
    ]
)]
async fn loops_end(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (one, two) = (space(&alice, "one").await?, space(&alice, "two").await?);
    add(&alice, &one, &two, json!({})).await?;
    add(&alice, &two, &one, json!({})).await?;

    let walk = hierarchy(&alice, &one).await?;
    let came = room_ids(walk.must_have_list("/rooms")?);
    walk.must(came == [&one, &two], "each space once", || format!("{came:?}"))
}
