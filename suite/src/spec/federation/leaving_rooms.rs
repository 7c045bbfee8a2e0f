//! `server-server-api/#leaving-rooms-rejecting-invites`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::{distort, is_distorted, proposal_defects, spoil};
use crate::{
    cast::{
        Homeserver, User,
        remote::{Question, Reply},
    },
    path,
    verdict::{Stop, Verdict},
};

/// A private room to which a user of a remote is invited.
async fn room_inviting(hs: &Homeserver, user: &str) -> Result<(User, String), Stop> {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), json!({"user_id": user})).await?;
    Ok((alice, room))
}

/// An invited user of another server rejects the invite, and the room sees it.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_leaveroomideventid",
    level = Must,
    severity = Interop
)]
async fn user_of_another_server_can_reject_an_invite(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let (alice, room) = room_inviting(hs, &dave).await?;
    let template = remote.make_leave(&room, &dave)?.await?;
    let proposed = &template.event;
    let right = proposed["type"] == "m.room.member"
        && proposed["sender"] == dave.as_str()
        && proposed["state_key"] == dave.as_str()
        && proposed["content"]["membership"] == "leave";
    crate::verdict::must(right, "the leave of the user", || json!(proposed).to_string())?;
    let leave = template.build()?;

    remote.hand_in("send_leave", &room, &leave)?.await?.must(true, "an answer", String::new)?;

    alice.sees("the leave", |sync| sync.has_membership(&room, &dave, "leave")).await.map(drop)
}

/// Who is not in a room, nor invited to it, cannot leave it.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_leaveroomiduserid",
    level = Must,
    severity = Security
)]
async fn outsider_cannot_leave(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    remote.make_leave(&room, &remote.user("dave"))?.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// What makes an event no leave of a user of the sending server.
fn defects() -> impl Iterator<Item = &'static str> {
    [
        "type",
        "membership",
        "sender of another server",
        "state_key of another user",
        "no state_key",
        "signature",
    ]
    .into_iter()
}

/// What is handed in as a leave is taken only if it is one, of a user of the sending server, and signed.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_leaveroomideventid",
    level = Must,
    severity = Security,
    each = defects,
    proves = ["server-server-api/put_matrixfederationv2send_leaveroomideventid/1"]
)]
async fn no_other_event_passes_for_a_leave(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let dave = remote.user("dave");
    let (alice, room) = room_inviting(hs, &dave).await?;
    let template = remote.make_leave(&room, &dave)?.await?;
    let stranger = other.user("dave");
    let mut leave = template.build_with(|event| spoil(event, defect, &stranger))?;
    if defect == "signature" {
        leave = leave.tampered(|event| event["signatures"] = json!({}));
    }

    remote.hand_in("send_leave", &room, &leave)?.must_be_refused().await?;

    alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", "invite")
}

/// Who has rejected an invite is invited again, rejects that as well, and joins in the end.
#[conformance(spec = "server-server-api/#leaving-rooms-rejecting-invites", level = Must, severity = Interop)]
async fn rejected_invite_is_repeated(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let (alice, room) = room_inviting(hs, &dave).await?;
    for _ in 0..2 {
        let leave = remote.make_leave(&room, &dave)?.await?.build()?;
        remote.hand_in("send_leave", &room, &leave)?.await?.must(true, "an answer", String::new)?;
        alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", "leave")?;
        alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), json!({"user_id": dave})).await?;
    }

    remote.joins(&room, "dave").await?;

    alice.sees("the join", |sync| sync.has_membership(&room, &dave, "join")).await.map(drop)
}

/// An invite of another server to a room that the server is in already can be rejected, and the room hears of it.
#[conformance(
    spec = "server-server-api/#leaving-rooms-rejecting-invites",
    level = Must,
    severity = Interop
)]
async fn invite_to_a_known_room_can_be_rejected(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let rule = json!({"join_rule": "invite"});
    let closed = remote.send(room.state_event("m.room.join_rules", "", rule)).await?;
    alice.sees_event(room.id(), closed.id()).await?;
    let invite = remote.invites(&room, &bob).await?;
    remote.transmit(&[&invite]).await?;
    bob.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;

    bob.leave(room.id()).await?;

    bob.sees("no invite any more", |sync| {
        sync.invited(room.id()).is_null() && !sync.left(room.id()).is_null()
    })
    .await?;
    alice.sees_membership(room.id(), &bob, "leave").await?;
    bob.join(room.id()).must_be_refused().await.map(drop)
}

/// A user rejects an invite to a room of another server, which is told.
#[conformance(
    spec = "server-server-api/#leaving-rooms-rejecting-invites",
    level = Must,
    severity = Interop
)]
async fn invite_to_a_room_of_another_server_can_be_rejected(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    remote.invites(&room, &alice).await?;
    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;

    alice.leave(room.id()).await?;

    let asked = remote.is_asked(Question::SendLeave).await?;
    let leaves = asked.json["content"]["membership"] == "leave" && asked.json["sender"] == alice.id();
    crate::verdict::must(leaves, "the leave of the user", || asked.json.to_string())?;
    alice.sees("no invite any more", |sync| !sync.left(room.id()).is_null()).await.map(drop)
}

/// An invite can be rejected even when the server that sent it does not answer.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidleave",
    level = Should,
    severity = Usability
)]
async fn invite_of_a_lost_server_can_be_rejected(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    remote.invites(&room, &alice).await?;
    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;
    remote.answers(Question::MakeLeave, Reply::nothing());

    alice.leave(room.id()).await?;

    alice.sees("no invite any more", |sync| !sync.left(room.id()).is_null()).await.map(drop)
}

/// A user leaves a room of another server, and the server says so.
#[conformance(spec = "server-server-api/#pdus", level = Must, severity = Interop)]
async fn leave_goes_out(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    alice.leave(room.id()).await?;
    let leave = |event: &Value| event["state_key"] == alice.id() && event["content"]["membership"] == "leave";
    remote.sees_event("the leave", leave).await.map(drop)
}

/// What is handed in as a leave and is none is refused as a wrong parameter.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_leaveroomideventid",
    level = Should,
    severity = Interop,
    each = defects,
    proves = ["server-server-api/put_matrixfederationv2send_leaveroomideventid/2"]
)]
async fn what_is_no_leave_is_a_wrong_parameter(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let dave = remote.user("dave");
    let (_alice, room) = room_inviting(hs, &dave).await?;
    let template = remote.make_leave(&room, &dave)?.await?;
    let stranger = other.user("dave");
    let mut leave = template.build_with(|event| spoil(event, defect, &stranger))?;
    if defect == "signature" {
        leave = leave.tampered(|event| event["signatures"] = json!({}));
    }
    let answer = remote.hand_in("send_leave", &room, &leave)?.answer().await?;
    let code = answer.errcode().unwrap_or_default().to_owned();
    answer.must(code == "M_INVALID_PARAM", "M_INVALID_PARAM", || answer.exchange().response.in_short())
}

/// A server prepares leaves for users of the server that asks only.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_leaveroomiduserid",
    level = Must,
    severity = Security,
    proves = ["server-server-api/get_matrixfederationv1make_leaveroomiduserid/3"]
)]
async fn leave_for_a_user_of_another_server_is_refused(hs: &Homeserver) -> Verdict {
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let dave = other.user("dave");
    let (_alice, room) = room_inviting(hs, &dave).await?;
    remote.make_leave(&room, &dave)?.must_be_refused().await.map(drop)
}

/// A leave proposed to the server for something else than what was asked for goes no further.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_leaveroomiduserid",
    level = Must,
    severity = Security,
    each = proposal_defects,
    proves = [
        "server-server-api/get_matrixfederationv1make_leaveroomiduserid/1",
        "server-server-api/get_matrixfederationv1make_leaveroomiduserid/2"
    ]
)]
async fn wrong_proposal_is_discarded(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    remote.invites(&room, &alice).await?;
    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;
    let mallory = remote.user("mallory");
    remote.alters(Question::MakeLeave, move |body| distort(&mut body["event"], defect, &mallory));

    alice.leave(room.id()).answer().await?;

    remote.is_asked(Question::MakeLeave).await?;
    remote.must_not_have_seen("event that was not asked for, signed by the server", |asked| {
        asked.question == Some(Question::SendLeave)
            && is_distorted(&asked.json, defect, room.id(), alice.id(), "leave")
    })
}

/// A leave that the server hands in says at which depth it stands.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_leaveroomideventid",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/put_matrixfederationv2send_leaveroomideventid/3"]
)]
async fn leave_has_a_depth(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    remote.invites(&room, &alice).await?;
    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;
    alice.leave(room.id()).await?;
    let asked = remote.is_asked(Question::SendLeave).await?;
    let depth = &asked.json["depth"];
    crate::verdict::must(depth.as_i64().is_some_and(|depth| depth > 0), "a depth", || depth.to_string())
}

/// That a user of another server has rejected an invite is told to the other servers in the room.
#[conformance(spec = "server-server-api/#leaving-rooms-rejecting-invites", level = Must, severity = Interop)]
async fn rejected_invite_is_told_to_other_servers(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let room = alice.public_room_with(&[]).await?;
    other.joins(&room, "carol").await?;
    let dave = remote.user("dave");
    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), json!({"user_id": dave})).await?;
    let leave = remote.make_leave(&room, &dave)?.await?.build()?;

    remote.hand_in("send_leave", &room, &leave)?.await?.must(true, "an answer", String::new)?;

    let leaves =
        |event: &Value| event["state_key"] == dave.as_str() && event["content"]["membership"] == "leave";
    other.sees_event("the leave of dave", leaves).await.map(drop)
}
