//! `server-server-api/#spaces`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User, remote::Question},
    path,
    verdict::{Stop, Verdict},
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
