//! `client-server-api/#invite-permission`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, Sync, User},
    verdict::{Stop, Verdict},
};

/// A user who blocks invitations is invited by nobody, in no way.
#[conformance(
    spec = "client-server-api/#invite-permission",
    level = Must,
    severity = Usability,
    since = "v1.18",
    each = ways_to_invite,
    proves = ["client-server-api/server-behaviour-18/1", "client-server-api/minvite_permission_config/1"]
)]
async fn invitations_are_refused(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    wants(&bob, json!({"default_action": "block"})).await?;

    let answer = attempt(&alice, &bob, &room, way).await?;
    if way == "a new room" && answer.status().is_success() {
        // The room may be made without the one who blocks.
        let made = answer.must_have_text("/room_id")?;
        return alice.state(&made, "m.room.member", bob.id()).must_refuse(404, "M_NOT_FOUND").await.map(drop);
    }
    answer.must_refuse(403, "M_INVITE_BLOCKED")?;

    wants(&bob, json!({})).await?;
    attempt(&alice, &bob, &room, way).await?.must_succeed()?;
    bob.sees("an invitation", |sync| !invitations(sync).is_empty()).await.map(drop)
}

fn ways_to_invite() -> [&'static str; 3] {
    ["an invitation", "a new room", "a member event"]
}

/// Invitations from before a user blocked them are not shown any more.
#[conformance(
    spec = "client-server-api/#invite-permission",
    level = Must,
    severity = Usability,
    since = "v1.18",
    proves = ["client-server-api/server-behaviour-18/2"]
)]
async fn earlier_invitations_are_hidden(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.invite(&room, &bob).await?;
    bob.sees("the invitation", |sync| !invitations(sync).is_empty()).await?;
    wants(&bob, json!({"default_action": "block"})).await?;

    let sync = bob.initial_sync().await?;
    let shown = invitations(&sync);
    sync.answer().must(shown.is_empty(), "no invitation", || shown.join(" "))
}

async fn attempt(alice: &User, bob: &User, room: &str, way: &str) -> Result<Answer, Stop> {
    match way {
        "an invitation" => alice.invite(room, bob).answer().await,
        "a new room" => alice.create_room(json!({"invite": [bob.id()]})).answer().await,
        _ => alice.set_state(room, "m.room.member", bob.id(), json!({"membership": "invite"})).answer().await,
    }
}

/// Sets whom the user wants to be invited by, and waits until the user's own `/sync` tells of it.
async fn wants(user: &User, content: Value) -> Verdict {
    user.set_account_data(None, "m.invite_permission_config", content.clone()).await?;
    let set = |event: &Value| event["type"] == "m.invite_permission_config" && event["content"] == content;
    user.sees("the permission", |sync| sync.account_data().iter().any(set)).await.map(drop)
}

fn invitations(sync: &Sync) -> Vec<String> {
    let rooms = sync.answer().at("/rooms/invite").as_object();
    rooms.map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default()
}
