//! `server-server-api/#spaces`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver, User,
        remote::{Question, Reply},
    },
    path,
    verdict::{Stop, Verdict, must},
};

async fn space(alice: &User, children: &[(&str, bool)], preset: &str) -> Result<String, Stop> {
    let body = json!({"preset": preset, "name": "a space", "creation_content": {"type": "m.space"}});
    let space = alice.create_room(body).await?;
    for (child, suggested) in children {
        let via = alice.homeserver().name();
        let content = json!({"via": [via], "suggested": suggested});
        alice.set_state(&space, "m.space.child", child, content).await?;
    }
    Ok(space)
}

fn ids(list: &[Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = list.iter().filter_map(|room| room["room_id"].as_str()).collect();
    ids.sort_unstable();
    ids
}

/// Another server is given a space and those of its rooms that it could enter.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1hierarchyroomid",
    level = Must,
    severity = Usability,
    since = "v1.2"
)]
async fn hierarchy_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (open, closed) = (alice.public_room_with(&[]).await?, alice.room_with(&[]).await?);
    let space = space(&alice, &[(&open, false), (&closed, false)], "public_chat").await?;
    let remote = hs.remote().await?;
    let answer = remote.get(path!("/_matrix/federation/v1/hierarchy/{}", space))?.await?;
    answer.must_hold("/room/room_id", space.as_str())?;
    answer.must_hold("/room/room_type", "m.space")?;
    let links = answer.must_have_list("/room/children_state")?.len();
    answer.must(links == 2, "both links of the space", || format!("{links}"))?;
    let children = ids(answer.must_have_list("/children")?).join(", ");
    answer.must(children == open, "the open room and no other", || children.clone())
}

/// Only suggested rooms are given when only those are asked for.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1hierarchyroomid",
    level = Must,
    severity = Usability,
    since = "v1.2",
    proves = ["server-server-api/get_matrixfederationv1hierarchyroomid/2"]
)]
async fn suggested_rooms_are_given_alone(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (first, second) = (alice.public_room_with(&[]).await?, alice.public_room_with(&[]).await?);
    let space = space(&alice, &[(&first, true), (&second, false)], "public_chat").await?;
    let remote = hs.remote().await?;
    let call = remote.get(path!("/_matrix/federation/v1/hierarchy/{}", space))?;
    let answer = call.query("suggested_only", "true").await?;
    let children = ids(answer.must_have_list("/children")?).join(", ");
    answer.must(children == first, "the suggested room and no other", || children.clone())
}

/// A space that another server could not enter is not found.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1hierarchyroomid",
    level = Must,
    severity = Security,
    since = "v1.2"
)]
async fn private_space_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let space = space(&alice, &[], "private_chat").await?;
    let remote = hs.remote().await?;
    let call = remote.get(path!("/_matrix/federation/v1/hierarchy/{}", space))?;
    call.must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A room of another server is shown within a space.
#[conformance(
    spec = "server-server-api/#spaces",
    level = Must,
    severity = Usability,
    since = "v1.2"
)]
async fn room_of_another_server_is_shown(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    room.add(room.state_event("m.room.name", "", json!({"name": "far away"})))?;
    let space = space(&alice, &[], "public_chat").await?;
    alice.set_state(&space, "m.space.child", room.id(), json!({"via": [remote.name()]})).await?;

    let answer = alice.get(path!("/_matrix/client/v1/rooms/{}/hierarchy", space)).await?;

    remote.is_asked(Question::Hierarchy).await?;
    let rooms = answer.must_have_list("/rooms")?;
    let shown = rooms.iter().find(|shown| shown["room_id"] == room.id()).cloned().unwrap_or_default();
    answer.must(shown["name"] == "far away", "the room of the other server", || answer.json().to_string())
}

/// A restricted room of a space is given to the servers of those who meet its condition, and to no others.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1hierarchyroomid",
    level = Must,
    severity = Usability,
    since = "v1.2"
)]
async fn restricted_room_is_given_to_servers_that_it_admits(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let space = space(&alice, &[], "public_chat").await?;
    let rule = json!({"type": "m.room.join_rules", "content": restricted_to(&space)});
    let room = alice.create_room(json!({"room_version": "11", "initial_state": [rule]})).await?;
    alice.set_state(&space, "m.space.child", &room, json!({"via": [hs.name()]})).await?;
    let (outsider, insider) = (hs.remote().await?, hs.remote().await?);
    insider.joins(&space, "dave").await?;

    for (remote, expected) in [(&outsider, vec![]), (&insider, vec![room.as_str()])] {
        let answer = remote.get(path!("/_matrix/federation/v1/hierarchy/{}", space))?.await?;
        let children = ids(answer.must_have_list("/children")?);
        answer.must(children == expected, format!("{expected:?}"), || format!("{children:?}"))?;
    }
    Ok(())
}

fn restricted_to(room: &str) -> Value {
    json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": room}]})
}

/// A restricted room of another server is shown within a space to those who meet its condition, and to nobody else.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1roomsroomidhierarchy",
    level = Should,
    severity = Usability,
    since = "v1.2",
    proves = [
        "client-server-api/get_matrixclientv1roomsroomidhierarchy/1",
        "client-server-api/get_matrixclientv1roomsroomidhierarchy/7",
    ]
)]
async fn restricted_room_of_another_server_is_shown(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let space = space(&alice, &[], "public_chat").await?;
    remote.joins(&space, "charlie").await?;
    let room = remote.room_by_rule(&protocol::room_version::V11, "invite")?;
    room.add(room.state_event("m.room.join_rules", "", restricted_to(&space)))?;
    alice.set_state(&space, "m.space.child", room.id(), json!({"via": [remote.name()]})).await?;

    let mut everything = vec![space.as_str(), room.id()];
    everything.sort_unstable();
    for (user, expected) in [(&alice, everything), (&bob, vec![space.as_str()])] {
        let answer = user.get(path!("/_matrix/client/v1/rooms/{}/hierarchy", space)).await?;
        let rooms = ids(answer.must_have_list("/rooms")?);
        answer.must(rooms == expected, format!("{expected:?} for {}", user.id()), || format!("{rooms:?}"))?;
    }
    remote.is_asked(Question::Hierarchy).await.map(drop)
}

/// A room that is no space has no children for other servers, whatever its state says.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1hierarchyroomid",
    level = Should,
    severity = Interop,
    since = "v1.2",
    proves = ["server-server-api/get_matrixfederationv1hierarchyroomid/5"]
)]
async fn room_that_is_no_space_has_no_children(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, other) = (alice.public_room_with(&[]).await?, alice.public_room_with(&[]).await?);
    alice.set_state(&room, "m.space.child", &other, json!({"via": [hs.name()]})).await?;
    let remote = hs.remote().await?;
    let answer = remote.get(path!("/_matrix/federation/v1/hierarchy/{}", room))?.await?;
    answer.must_hold("/room/children_state", json!([]))
}

/// A space of this server with one of a remote in it, which has these children.
async fn space_elsewhere(
    hs: &Homeserver,
    children: &[&str],
) -> Result<(User, crate::cast::Remote, String), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    for child in children {
        room.add(room.state_event("m.space.child", child, json!({"via": [remote.name()]})))?;
    }
    let space = space(&alice, &[], "public_chat").await?;
    alice.set_state(&space, "m.space.child", room.id(), json!({"via": [remote.name()]})).await?;
    Ok((alice, remote, space))
}

/// The hierarchy that another server gave is kept for a while.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1hierarchyroomid",
    level = Should,
    severity = Usability,
    since = "v1.2",
    proves = ["server-server-api/get_matrixfederationv1hierarchyroomid/1"]
)]
async fn hierarchy_of_another_server_is_kept(hs: &Homeserver) -> Verdict {
    let (alice, remote, space) = space_elsewhere(hs, &[]).await?;
    for _ in 0..2 {
        let answer = alice.get(path!("/_matrix/client/v1/rooms/{}/hierarchy", space)).await?;
        let rooms = answer.must_have_list("/rooms")?.len();
        answer.must(rooms == 2, "the space and the room in it", || format!("{rooms} rooms"))?;
    }
    let asked = remote.asked(Question::Hierarchy).len();
    must(asked == 1, "one question for the hierarchy", || format!("{asked}"))
}

/// A room that another server calls inaccessible is not shown, and nobody is asked for it any more.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1hierarchyroomid",
    level = Should,
    severity = Usability,
    since = "v1.2",
    proves = [
        "server-server-api/get_matrixfederationv1hierarchyroomid/3",
        "server-server-api/get_matrixfederationv1hierarchyroomid/4"
    ]
)]
async fn inaccessible_room_is_not_asked_for(hs: &Homeserver) -> Verdict {
    let hidden = "!hidden:elsewhere.example";
    let (alice, remote, space) = space_elsewhere(hs, &[hidden]).await?;
    remote.answers_with(Question::Hierarchy, move |asked, usual| {
        if asked.parameter("roomId") == hidden {
            return Reply::error(404, "M_NOT_FOUND");
        }
        usual().altered(|body| body["inaccessible_children"] = json!([hidden]))
    });

    let answer = alice.get(path!("/_matrix/client/v1/rooms/{}/hierarchy", space)).await?;

    let rooms = ids(answer.must_have_list("/rooms")?);
    answer.must(rooms.len() == 2 && !rooms.contains(&hidden), "the space and the room in it", || {
        format!("{rooms:?}")
    })?;
    remote.must_not_have_seen("question for the inaccessible room", |asked| {
        asked.question == Some(Question::Hierarchy) && asked.parameter("roomId") == hidden
    })
}
