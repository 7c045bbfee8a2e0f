//! `server-server-api/#leaving-rooms-rejecting-invites`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::joining_rooms::spoil;
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
    ["type", "membership", "sender of another server", "state_key of another user", "signature"].into_iter()
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
