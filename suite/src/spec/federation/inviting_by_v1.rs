//! `server-server-api/#put_matrixfederationv1inviteroomideventid`: invites in the older form, which is for old rooms.

use protocol::{RoomVersion, event, room_version};
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::{
    inviting_to_a_room::{defects, invite_remote, old_versions, spoilt},
    misformatted,
};
use crate::{
    cast::{
        Call, Homeserver, Remote, User,
        remote::{Pdu, Question, Reply, Room},
    },
    path,
    verdict::{Stop, Verdict, must},
};

/// A room of a remote to which a user is invited.
async fn set(hs: &Homeserver, version: &'static RoomVersion) -> Result<(User, Remote, Room), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(version, "invite")?;
    Ok((alice, remote, room))
}

/// Sends an invite in the older form.
fn send(remote: &Remote, room: &Room, invite: &Pdu, user: &User) -> Result<Call, Stop> {
    let mut body = invite.value();
    body["unsigned"]["invite_room_state"] = remote.invitation(room, user)?.1["invite_room_state"].clone();
    remote.put(path!("/_matrix/federation/v1/invite/{}/{}", room.id(), invite.id()), body)
}

/// An invite in the older form is signed as one of a room of version 1 or 2.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1inviteroomideventid",
    level = Must,
    severity = Interop,
    each = old_versions,
    proves = ["server-server-api/put_matrixfederationv1inviteroomideventid/2"]
)]
async fn invite_is_signed_for_an_old_room(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, remote, room) = set(hs, version).await?;
    let invite = room.member(alice.id(), "invite").with("origin", json!(remote.name())).build()?;

    let answer = send(&remote, &room, &invite, &alice)?.await?;

    let signed = answer.at("/1/event").as_object().cloned().unwrap_or_default();
    let mut keys = hs.signing_keys().await?.ring.clone();
    keys.trust(remote.name(), remote.key().id().clone(), remote.key().verify_key());
    let is_signed = answer.at("/1/event/signatures")[hs.name()].is_object();
    let verified = event::verify(&signed, version, &keys);
    answer.must(is_signed && verified.is_ok(), "the invite with the signatures of both servers", || {
        format!("{verified:?}: {}", answer.json())
    })
}

/// An event of a later format is no invite in the older form.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1inviteroomideventid",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/put_matrixfederationv1inviteroomideventid/2"]
)]
async fn event_of_a_later_format_is_refused(hs: &Homeserver) -> Verdict {
    let (alice, remote, room) = set(hs, &room_version::V11).await?;
    let invite = room.member(alice.id(), "invite").with("origin", json!(remote.name())).build()?;
    send(&remote, &room, &invite, &alice)?.must_be_refused().await.map(drop)
}

/// The server signs as an invite in the older form only what is one, from a user of the sending server to one of its own.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1inviteroomideventid",
    level = Must,
    severity = Security,
    each = defects,
    proves = [
        "server-server-api/put_matrixfederationv1inviteroomideventid/3",
        "server-server-api/put_matrixfederationv1inviteroomideventid/7"
    ]
)]
async fn no_other_event_passes_for_an_invite(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (alice, remote, room) = set(hs, &room_version::V2).await?;
    let other = hs.remote().await?;
    let draft = room.member(alice.id(), "invite").with("origin", json!(remote.name()));
    let invite = spoilt(draft, defect, &other).build()?;
    send(&remote, &room, &invite, &alice)?.must_be_refused().await.map(drop)
}

/// What is no invite in the older form is refused as a wrong parameter.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1inviteroomideventid",
    level = Should,
    severity = Interop,
    each = defects,
    proves = ["server-server-api/put_matrixfederationv1inviteroomideventid/4"]
)]
async fn what_is_no_invite_is_a_wrong_parameter(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (alice, remote, room) = set(hs, &room_version::V2).await?;
    let other = hs.remote().await?;
    let draft = room.member(alice.id(), "invite").with("origin", json!(remote.name()));
    let invite = spoilt(draft, defect, &other).build()?;
    let answer = send(&remote, &room, &invite, &alice)?.answer().await?;
    let code = answer.errcode().unwrap_or_default().to_owned();
    answer.must(code == "M_INVALID_PARAM", "M_INVALID_PARAM", || answer.exchange().response.in_short())
}

/// An invite in the older form comes back as it was, with the server's own signature beside the other.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1inviteroomideventid",
    level = Should,
    severity = Interop,
    each = old_versions,
    proves = ["server-server-api/put_matrixfederationv1inviteroomideventid/10"]
)]
async fn invite_comes_back_as_it_was(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, remote, room) = set(hs, version).await?;
    let invite = room.member(alice.id(), "invite").with("origin", json!(remote.name())).build()?;
    let answer = send(&remote, &room, &invite, &alice)?.await?;
    let came = without_unsigned(answer.at("/1/event"), hs.name());
    let sent = without_unsigned(&invite.value(), hs.name());
    answer.must(came == sent, format!("{sent} and one more signature"), || came.to_string())
}

/// An event without what nobody signs, and without the signatures of one server.
pub(super) fn without_unsigned(event: &Value, signer: &str) -> Value {
    let mut event = event.clone();
    if let Some(event) = event.as_object_mut() {
        event.remove("unsigned");
        let signatures = event.get_mut("signatures").and_then(Value::as_object_mut);
        signatures.and_then(|signatures| signatures.remove(signer));
    }
    event
}

/// What the server shows of an old room in the older form is the events of the room, its create event among them.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1inviteroomideventid",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = old_versions,
    proves = [
        "server-server-api/put_matrixfederationv1inviteroomideventid/8",
        "server-server-api/put_matrixfederationv1inviteroomideventid/9"
    ]
)]
async fn room_is_described_by_its_events(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"room_version": version.id, "name": "by invitation"})).await?;
    let remote = hs.remote().await?;
    remote.answers(Question::Invite, Reply::error(404, "M_UNRECOGNIZED"));
    invite_remote(&alice, &room, &remote.user("dave")).await?;

    let asked = remote.is_asked(Question::InviteV1).await?;
    let described = &asked.json["unsigned"]["invite_room_state"];

    let create =
        described.as_array().is_some_and(|all| all.iter().any(|event| event["type"] == "m.room.create"));
    must(create, "m.room.create in invite_room_state", || described.to_string())?;
    let problem = misformatted(described, version);
    must(problem.is_none(), "events of the room's version", || problem.unwrap_or_default())
}
