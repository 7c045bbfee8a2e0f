//! `server-server-api/#put_matrixfederationv2inviteroomideventid`: what goes out with an invite, and what comes of the answer.

use protocol::RoomVersion;
use serde_json::json;
use suite_attribute::conformance;

use super::{
    event_formats,
    inviting_by_v1::without_unsigned,
    inviting_to_a_room::{invite_remote, state_defects, unproven},
    misformatted, room_versions,
};
use crate::{
    cast::{
        Homeserver,
        remote::{Question, Reply},
    },
    verdict::{Verdict, must},
};

/// What the server shows of a room to one that it invites to it is events of the room's version.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = event_formats,
    proves = [
        "server-server-api/put_matrixfederationv2inviteroomideventid/7",
        "server-server-api/inviting-to-a-room/3"
    ]
)]
async fn room_is_described_by_its_events(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"room_version": version.id, "name": "by invitation"})).await?;
    let remote = hs.remote().await?;
    invite_remote(&alice, &room, &remote.user("dave")).await?;
    let asked = remote.is_asked(Question::Invite).await?;
    let described = &asked.json["invite_room_state"];
    let named =
        described.as_array().is_some_and(|all| all.iter().any(|event| event["type"] == "m.room.name"));
    must(named, "m.room.name in invite_room_state", || described.to_string())?;
    let problem = misformatted(described, version);
    must(problem.is_none(), "events of the room's version", || problem.unwrap_or_default())
}

/// An invite comes back as it was, with the server's own signature beside the other.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Interop,
    each = room_versions,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/8"]
)]
async fn invite_comes_back_as_it_was(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(version, "invite")?;
    let (invite, body) = remote.invitation(&room, &alice)?;
    let answer = remote.send_invite(&room, &invite, body)?.await?;
    let came = without_unsigned(answer.at("/event"), hs.name());
    let sent = without_unsigned(&invite.value(), hs.name());
    answer.must(came == sent, format!("{sent} and one more signature"), || came.to_string())
}

/// A room version that the other server does not know is a reason to tell the user so.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Usability,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/9"]
)]
async fn incompatible_version_is_passed_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    let refusal = Reply::error(400, "M_INCOMPATIBLE_ROOM_VERSION");
    let version = hs.default_room_version().to_owned();
    remote.answers(Question::Invite, refusal.altered(|body| body["room_version"] = json!(version)));
    let answer = invite_remote(&alice, &room, &remote.user("dave")).answer().await?;
    // The client-server API has a code of its own for it.
    let permitted = [(400, "M_INCOMPATIBLE_ROOM_VERSION"), (400, "M_UNSUPPORTED_ROOM_VERSION")];
    answer.must_refuse_with_one_of(&permitted).map(drop)
}

fn own_mistakes() -> impl Iterator<Item = &'static str> {
    ["M_MISSING_PARAM", "M_INVALID_PARAM"].into_iter()
}

/// A mistake that another server finds in the server's own invite is not blamed on the user.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Usability,
    since = "v1.16",
    each = own_mistakes,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/10"]
)]
async fn own_mistakes_are_not_passed_on(hs: &Homeserver, code: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    remote.answers(Question::Invite, Reply::error(400, code));
    let answer = invite_remote(&alice, &room, &remote.user("dave")).answer().await?;
    answer.must(answer.status().is_server_error(), "a 5xx", || answer.exchange().response.in_short())
}

/// An invite that is refused because of the version of its room names that version.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/11"]
)]
async fn incompatible_version_is_named(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    let (invite, mut body) = remote.invitation(&room, &alice)?;
    body["room_version"] = json!("org.determinant.unknown");
    let answer = remote.send_invite(&room, &invite, body)?.answer().await?;
    if answer.errcode() != Some("M_INCOMPATIBLE_ROOM_VERSION") {
        return answer.must_be_refused().map(drop);
    }
    answer.must_hold("/room_version", "org.determinant.unknown")
}

/// In rooms since version 12, an invite that does not prove which room it is for is refused as a wrong parameter.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2inviteroomideventid",
    level = Should,
    severity = Interop,
    since = "v1.16",
    each = state_defects,
    proves = ["server-server-api/put_matrixfederationv2inviteroomideventid/5"]
)]
async fn unproven_room_is_a_wrong_parameter(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let (room, invite, body) = unproven(&remote, &alice, &protocol::room_version::V12, defect)?;
    let answer = remote.send_invite(&room, &invite, body)?.answer().await?;
    // Of the create event, the text gives both codes.
    let permitted: &[_] = match defect {
        "no create event" => &[(400, "M_INVALID_PARAM"), (400, "M_MISSING_PARAM")],
        _ => &[(400, "M_INVALID_PARAM")],
    };
    answer.must_refuse_with_one_of(permitted).map(drop)
}

/// Before room version 12, an invite that does not prove which room it is for may be taken all the same.
#[conformance(
    spec = "server-server-api/#inviting-to-a-room",
    level = May,
    severity = Interop,
    since = "v1.16",
    each = state_defects
)]
async fn unproven_old_room_may_be_taken(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let (room, invite, body) = unproven(&remote, &alice, &protocol::room_version::V11, defect)?;
    remote.send_invite(&room, &invite, body)?.await.map(drop)
}

/// An invite that answers a knock takes its place, although it does not refer to it.
#[conformance(
    spec = "server-server-api/#inviting-to-a-room",
    level = Should,
    severity = Usability,
    since = "v1.1",
    proves = ["server-server-api/inviting-to-a-room/2"]
)]
async fn invite_answers_a_knock(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "knock")?;
    alice.knock(room.id()).query("via", remote.name()).query("server_name", remote.name()).await?;
    alice.sees("the knock", |sync| !sync.knocked(room.id()).is_null()).await?;

    remote.invites(&room, &alice).await?;

    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;
    let sync = alice.initial_sync().await?;
    let waits = !sync.knocked(room.id()).is_null();
    sync.answer().must(!waits, "no knock any more", || "both".to_owned())?;
    remote.admit(&alice, &room).await
}
