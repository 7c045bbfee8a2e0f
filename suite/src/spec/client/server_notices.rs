//! `client-server-api/#server-notices`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

/// A notice reaches its user, and nobody else, in a room with the tag for it to which the user is invited.
#[conformance(
    spec = "client-server-api/#server-notices",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-22/2", "client-server-api/server-behaviour-22/3"]
)]
async fn notice_reaches_its_user(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = notified(hs, &alice, "maintenance at noon").await?;
    alice.get(tags(&alice, &room)).await?.must_have("/tags/m.server_notice")?;

    alice.join(&room).await?;
    let shown = |sync: &crate::cast::Sync| {
        sync.timeline(&room).iter().any(|event| event["content"]["body"] == "maintenance at noon")
    };
    alice.sees("the notice", shown).await?;
    eve.must_never_see("the room of somebody else's notices", |sync| sync.mentions(&room)).await
}

/// Every user has one room for all notices.
#[conformance(
    spec = "client-server-api/#server-notices",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-22/1"]
)]
async fn one_room_is_for_all_notices(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = notified(hs, &alice, "first").await?;
    alice.join(&room).await?;
    let second = send(hs, &alice, "second").await?.must_have_text("/event_id")?;
    alice.sees_event(&room, &second).await?;
    let joined = alice.get("/_matrix/client/v3/joined_rooms").await?;
    joined.must_hold("/joined_rooms", json!([room]))?;

    let other = notified(hs, &bob, "for bob").await?;
    joined.must(other != room, "a room of bob's own", || other)
}

/// The invitation to the room of notices cannot be rejected, by any operation.
#[conformance(
    spec = "client-server-api/#server-notices",
    level = Must,
    severity = Interop,
    each = ways_to_leave,
    proves = ["client-server-api/client-behaviour-31/4"]
)]
async fn invitation_cannot_be_rejected(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = notified(hs, &alice, "maintenance at noon").await?;

    let answer = match way {
        "leave" => alice.leave(&room).answer().await?,
        _ => {
            alice
                .set_state(&room, "m.room.member", alice.id(), json!({"membership": "leave"}))
                .answer()
                .await?
        }
    };
    // The text names no status.
    answer.must_refuse_with_one_of(&[(403, CANNOT_LEAVE), (400, CANNOT_LEAVE)])?;
    alice.join(&room).await.map(drop)
}

fn ways_to_leave() -> [&'static str; 2] {
    ["leave", "state"]
}

/// A user who has joined the room of notices may leave it, or is told by the same code that this is not possible.
#[conformance(
    spec = "client-server-api/#server-notices",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/client-behaviour-31/5"]
)]
async fn joined_room_can_be_left(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = notified(hs, &alice, "maintenance at noon").await?;
    alice.join(&room).await?;

    let answer = alice.leave(&room).answer().await?;
    if answer.errcode() == Some(CANNOT_LEAVE) {
        return Ok(());
    }
    answer.must_succeed()?;
    let joined = alice.get("/_matrix/client/v3/joined_rooms").await?;
    joined.must_hold("/joined_rooms", json!([]))
}

const CANNOT_LEAVE: &str = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM";

/// Sends a notice to a user who has no room yet; gives the room to which the user is invited.
async fn notified(hs: &Homeserver, user: &User, words: &str) -> Result<String, Stop> {
    user.initial_sync().await?;
    send(hs, user, words).await?;
    let sync = user.sees("an invitation", |sync| !invitations(sync.answer()).is_empty()).await?;
    let rooms = invitations(sync.answer());
    rooms.into_iter().next().ok_or_else(|| Stop::Fault("the invitation is gone".to_owned()))
}

fn invitations(sync: &Answer) -> Vec<String> {
    sync.at("/rooms/invite").as_object().map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default()
}

async fn send(hs: &Homeserver, user: &User, words: &str) -> Result<Answer, Stop> {
    let Some(path) = &hs.target().server_notices else {
        return Err(Stop::NotApplicable("the target has no way to send server notices".to_owned()));
    };
    let content: Value = json!({"msgtype": "m.text", "body": words});
    let administrator = hs.administrator().await?;
    administrator.post(path.as_str(), json!({"user_id": user.id(), "content": content})).await
}

fn tags(user: &User, room: &str) -> String {
    user.own_path(&path!("/rooms/{}/tags", room))
}
