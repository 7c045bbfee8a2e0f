//! `server-server-api/#inviting-to-a-room`

use protocol::{RoomVersion, room_version::EventIdFormat};
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::room_versions;
use crate::{
    cast::{
        Homeserver, Remote, User,
        remote::{Draft, Pdu, Question, Reply, Room},
    },
    path,
    verdict::{Stop, Verdict, must},
};

pub(super) fn invite_remote(alice: &User, room: &str, user: &str) -> crate::cast::Call {
    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), json!({"user_id": user}))
}

/// A user of another server is invited: that server is asked to sign the invite, and is shown which room it is.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Must,
    severity = Interop,
    each = room_versions,
    proves = [
        "server-server-api/inviting-to-a-room/1",
        "server-server-api/put_matrixfederationv1inviteroomideventid/1",
    ]
)]
async fn user_of_another_server_can_be_invited(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"room_version": version.id, "name": "by invitation"})).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");

    invite_remote(&alice, &room, &dave).await?;

    let asked = remote.is_asked(Question::Invite).await?;
    let event = &asked.json["event"];
    let right = asked.json["room_version"] == version.id
        && event["type"] == "m.room.member"
        && event["content"]["membership"] == "invite"
        && event["sender"] == alice.id()
        && event["state_key"] == dave.as_str()
        && event["room_id"] == room.as_str();
    must(right, "the invite, with the room version", || asked.json.to_string())?;
    let state = asked.json["invite_room_state"].as_array().cloned().unwrap_or_default();
    let named = state.iter().any(|event| event["content"]["name"] == "by invitation");
    must(named, "the name of the room in invite_room_state", || json!(state).to_string())?;
    remote.joins(&room, "dave").await?;
    alice.sees("the join", |sync| sync.has_membership(&room, &dave, "join")).await.map(drop)
}

/// What an invited server is shown of the room holds its create event.
#[conformance(
    spec = "client-server-api/#stripped-state",
    level = Must,
    severity = Security,
    since = "v1.16",
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/6"]
)]
async fn invited_server_is_shown_the_create_event(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    invite_remote(&alice, &room, &remote.user("dave")).await?;
    let asked = remote.is_asked(Question::Invite).await?;
    let state = asked.json["invite_room_state"].as_array().cloned().unwrap_or_default();
    let create = state.iter().find(|event| event["type"] == "m.room.create");
    must(create.is_some(), "m.room.create in invite_room_state", || json!(state).to_string())
}

/// The room versions whose invites older servers take in the older form.
pub(super) fn old_versions() -> impl Iterator<Item = &'static RoomVersion> {
    room_versions().filter(|version| version.event_id == EventIdFormat::Domain)
}

/// Where the other server does not know the newer endpoint, the older one is used in old rooms.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Interop,
    each = old_versions,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/1"]
)]
async fn older_endpoint_is_tried_in_old_rooms(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"room_version": version.id})).await?;
    let remote = hs.remote().await?;
    remote.answers(Question::Invite, Reply::error(404, "M_UNRECOGNIZED"));
    invite_remote(&alice, &room, &remote.user("dave")).await?;
    remote.is_asked(Question::InviteV1).await?;
    alice.state(&room, "m.room.member", &remote.user("dave")).await?.must_hold("/membership", "invite")
}

/// An invite that the other server refuses does not take place.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Must,
    severity = Interop
)]
async fn refused_invite_does_not_take_place(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    remote.answers(Question::Invite, Reply::error(403, "M_FORBIDDEN"));
    invite_remote(&alice, &room, &dave).must_be_refused().await?;
    alice.state(&room, "m.room.member", &dave).must_be(404).await.map(drop)
}

/// Whoever invites a user of a server that does not know the version of the room is told just that.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Interop
)]
async fn unsupported_version_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    let version = hs.default_room_version().to_owned();
    let refusal =
        json!({"errcode": "M_INCOMPATIBLE_ROOM_VERSION", "error": "unknown", "room_version": version});
    remote.answers(Question::Invite, Reply::json_with(400, refusal));
    let invite = invite_remote(&alice, &room, &remote.user("dave"));
    invite.must_refuse(400, "M_UNSUPPORTED_ROOM_VERSION").await.map(drop)
}

/// A user is invited by another server, sees which room it is, and joins it.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Must,
    severity = Interop,
    each = room_versions
)]
async fn user_is_invited_by_another_server(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(version, "invite")?;
    room.add(room.state_event("m.room.name", "", json!({"name": "by invitation"})))?;

    let invite = remote.invites(&room, &alice).await?;

    let mut keys = hs.signing_keys().await?.ring.clone();
    keys.trust(remote.name(), remote.key().id().clone(), remote.key().verify_key());
    let signed = invite.json()["signatures"][hs.name()].is_object();
    let verified = protocol::event::verify(invite.json(), version, &keys);
    must(signed && verified.is_ok(), "the invite with the signatures of both servers", || {
        format!("{verified:?}: {}", invite.value())
    })?;
    let named = |state: &Value| state["content"]["name"] == "by invitation";
    let shown = |sync: &crate::cast::Sync| named(sync.stripped_state(room.id(), "m.room.name", ""));
    alice.sees("the invite to the room", shown).await?;
    remote.admit(&alice, &room).await?;
    let heard = remote.send(room.message("welcome")).await?;
    alice.sees_event(room.id(), heard.id()).await.map(drop)
}

/// An invite by the older endpoint is taken as well, in old rooms.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1inviteroomideventid",
    level = Must,
    severity = Interop,
    each = old_versions
)]
async fn invite_by_the_older_endpoint_is_taken(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(version, "invite")?;
    let invite = room.member(alice.id(), "invite").with("origin", json!(remote.name())).build()?;
    let mut body = invite.value();
    body["unsigned"]["invite_room_state"] = remote.invitation(&room, &alice)?.1["invite_room_state"].clone();

    let path = path!("/_matrix/federation/v1/invite/{}/{}", room.id(), invite.id());
    let answer = remote.put(path, body)?.await?;

    answer.must_hold("/0", 200)?;
    let signature = answer.at("/1/event/signatures")[hs.name()].clone();
    answer
        .must(signature.is_object(), "the event with the server's signature", || answer.json().to_string())?;
    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await.map(drop)
}

/// What makes an event no invite from a user of the sending server to a user of the server.
pub(super) fn defects() -> impl Iterator<Item = &'static str> {
    ["type", "membership", "sender of another server", "state_key of another server", "signature"].into_iter()
}

/// An invite that is none.
pub(super) fn spoilt(draft: Draft, defect: &str, other: &Remote) -> Draft {
    match defect {
        "type" => draft.with("type", json!("m.room.topic")),
        "membership" => draft.with("content", json!({"membership": "ban"})),
        "sender of another server" => draft.by(&other.user("dave")),
        "state_key of another server" => draft.with("state_key", json!(other.user("dave"))),
        _ => draft.tampered(|event| event["signatures"] = json!({})),
    }
}

async fn spoilt_invite(hs: &Homeserver, defect: &str) -> Result<(User, Remote, Room, Pdu, Value), Stop> {
    let [alice] = hs.users().await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    let invite = spoilt(room.member(alice.id(), "invite"), defect, &other).build()?;
    let mut body = remote.invitation(&room, &alice)?.1;
    body["event"] = invite.value();
    Ok((alice, remote, room, invite, body))
}

/// The server signs as an invite only what is one, from a user of the sending server to one of its own.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Must,
    severity = Security,
    each = defects,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/2"]
)]
async fn no_other_event_passes_for_an_invite(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (_alice, remote, room, invite, body) = spoilt_invite(hs, defect).await?;
    remote.send_invite(&room, &invite, body)?.must_be_refused().await.map(drop)
}

/// An invite whose sender or whose room has an id of more than 255 bytes is refused.
#[conformance(
    spec = "client-server-api/#size-limits",
    level = Must,
    severity = Interop,
    each = identifiers,
    proves = ["client-server-api/size-limits/2", "client-server-api/size-limits/3"]
)]
async fn overlong_identifier_is_refused(hs: &Homeserver, overlong: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    // In later versions, the id of a room is the hash of its first event.
    let room = remote.room_by_rule(&protocol::room_version::V11, "invite")?;
    let long = "x".repeat(255);
    let room_id = match overlong {
        "room_id" => format!("!{long}:{}", remote.name()),
        _ => room.id().to_owned(),
    };
    let draft = room
        .member(alice.id(), "invite")
        .with("origin", json!(remote.name()))
        .with("room_id", json!(room_id));
    let draft = if overlong == "sender" { draft.by(&remote.user(&long)) } else { draft };
    let invite = draft.build()?;
    let mut body = remote.invitation(&room, &alice)?.1;
    body["event"] = invite.value();

    let path = path!("/_matrix/federation/v2/invite/{}/{}", room_id, invite.id());
    remote.put(path, body)?.must_be_refused().await?;

    let sync = alice.sync().await?;
    sync.answer().must_not_mention(&room_id)
}

fn identifiers() -> impl Iterator<Item = &'static str> {
    ["sender", "room_id"].into_iter()
}

/// What is no invite is refused as a wrong parameter.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Interop,
    each = defects,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/3"]
)]
async fn what_is_no_invite_is_a_wrong_parameter(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (_alice, remote, room, invite, body) = spoilt_invite(hs, defect).await?;
    let answer = remote.send_invite(&room, &invite, body)?.answer().await?;
    let code = answer.errcode().unwrap_or_default().to_owned();
    answer.must(code == "M_INVALID_PARAM", "M_INVALID_PARAM", || answer.exchange().response.in_short())
}

/// What is wrong in what is shown of the room.
pub(super) fn state_defects() -> impl Iterator<Item = &'static str> {
    ["no create event", "create event of another room", "stripped events"].into_iter()
}

/// In rooms since version 12, an invite that does not prove which room it is for is refused.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Security,
    each = state_defects,
    since = "v1.16",
    proves = [
        "server-server-api/put_matrixfederationv2inviteroomideventid/4",
        "server-server-api/inviting-to-a-room/6",
    ]
)]
async fn unproven_room_is_refused(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let (room, invite, body) = unproven(&remote, &alice, &protocol::room_version::V12, defect)?;
    let answer = remote.send_invite(&room, &invite, body)?.answer().await?;
    answer.must(answer.status().is_client_error(), "a refusal", || answer.exchange().response.in_short())
}

/// An invite with a description that does not prove which room it is for.
pub(super) fn unproven(
    remote: &Remote,
    alice: &User,
    version: &'static RoomVersion,
    defect: &str,
) -> Result<(Room, Pdu, Value), Stop> {
    let (room, other) = (remote.room_by_rule(version, "invite")?, remote.room_by_rule(version, "invite")?);
    let (invite, mut body) = remote.invitation(&room, alice)?;
    let create = other.state("m.room.create", "").map(|event| event.value());
    if let Some(state) = body["invite_room_state"].as_array_mut() {
        match defect {
            "no create event" => state.retain(|event| event["type"] != "m.room.create"),
            "create event of another room" => state[0] = create.unwrap_or_default(),
            _ => {
                for event in state {
                    let strip = |name: &str| event[name].clone();
                    *event = json!({
                        "type": strip("type"), "state_key": strip("state_key"),
                        "content": strip("content"), "sender": strip("sender"),
                    });
                }
            }
        }
    }
    Ok((room, invite, body))
}

/// An invite to a room of a version that the server does not know is refused, and it says why.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Interop
)]
async fn unknown_room_version_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    let (invite, mut body) = remote.invitation(&room, &alice)?;
    body["room_version"] = json!("org.determinant.unknown");
    let call = remote.send_invite(&room, &invite, body)?;
    call.must_refuse(400, "M_INCOMPATIBLE_ROOM_VERSION").await.map(drop)
}

/// An invite is withdrawn by the server that sent it.
#[conformance(spec = "server-server-api/#inviting-to-a-room", level = May, severity = Usability)]
async fn invite_can_be_withdrawn(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    remote.invites(&room, &alice).await?;
    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;

    let kick = room.member(alice.id(), "leave").by(room.speaker());
    remote.send(kick).await?;

    alice.sees("the end of the invite", |sync| !sync.left(room.id()).is_null()).await.map(drop)
}

/// What no description of a room is.
fn descriptions() -> [&'static str; 4] {
    ["text", "number", "object", "list of texts"]
}

/// An invite that describes the room in another way than by events does not keep the invited user from syncing.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Security,
    each = descriptions
)]
async fn malformed_invite_leaves_sync_alone(hs: &Homeserver, description: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    let (invite, mut body) = remote.invitation(&room, &alice)?;
    body["invite_room_state"] = match description {
        "text" => json!("a room"),
        "number" => json!(7),
        "object" => json!({"name": "a room"}),
        _ => json!(["a room"]),
    };

    let answer = remote.send_invite(&room, &invite, body)?.answer().await?;
    let well = !answer.status().is_server_error();
    answer.must(well, "an answer other than 5xx", || answer.exchange().response.in_short())?;

    let own = alice.create_room(json!({})).await?;
    let said = alice.say(&own, "still here").await?;
    alice.sees_event(&own, &said).await.map(drop)
}

/// A user is invited by another server to a room that their server is in already, and joins it there.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Must,
    severity = Interop
)]
async fn invite_to_a_known_room_is_accepted(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let rule = json!({"join_rule": "invite"});
    let closed = remote.send(room.state_event("m.room.join_rules", "", rule)).await?;
    alice.sees_event(room.id(), closed.id()).await?;
    let invite = remote.invites(&room, &bob).await?;
    remote.transmit(&[&invite]).await?;
    bob.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;
    alice.sees_event(room.id(), invite.id()).await?;

    bob.join(room.id()).await?;

    alice.sees_membership(room.id(), &bob, "join").await.map(drop)
}

/// An invite of another server tells that it is to a direct chat, and is what the join has replaced.
#[conformance(spec = "client-server-api/#mroommember", level = Must, severity = Usability)]
async fn direct_chat_of_another_server_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    let (_, mut body) = remote.invitation(&room, &alice)?;
    let invite = room.member(alice.id(), "invite").with("origin", json!(remote.name()));
    let invite = invite.with("content", json!({"membership": "invite", "is_direct": true})).build()?;
    body["event"] = invite.value();
    let answer = remote.send_invite(&room, &invite, body)?.await?;
    answer.must_hold("/event/content/is_direct", true)?;
    room.keep_any(&invite);

    let direct = |sync: &crate::cast::Sync| {
        sync.stripped_state(room.id(), "m.room.member", alice.id())["content"]["is_direct"] == true
    };
    alice.sees("the invite to a direct chat", direct).await.map(drop)
}

/// A user of another server is invited again when a ban is lifted, and joins.
#[conformance(spec = "server-server-api/#inviting-to-a-room", level = Must, severity = Interop)]
async fn invite_follows_a_lifted_ban(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let path = |verb: &str| format!("{}/{verb}", path!("/_matrix/client/v3/rooms/{}", room));
    alice.post(path("ban"), json!({"user_id": dave})).await?;
    invite_remote(&alice, &room, &dave).must_be(403).await?;
    alice.post(path("unban"), json!({"user_id": dave})).await?;

    invite_remote(&alice, &room, &dave).await?;

    remote.is_asked(Question::Invite).await?;
    remote.joins(&room, "dave").await?;
    alice.sees("the join", |sync| sync.has_membership(&room, &dave, "join")).await.map(drop)
}
