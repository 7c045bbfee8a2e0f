//! `server-server-api/#presence`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync},
    path,
    verdict::Verdict,
};

fn update(user: &str, message: &str) -> Value {
    json!({"push": [{
        "user_id": user, "presence": "online", "status_msg": message,
        "last_active_ago": 1000, "currently_active": true,
    }]})
}

fn status<'a>(sync: &'a Sync, user: &str) -> Option<&'a str> {
    let event = sync.presence().iter().find(|event| event["sender"] == user)?;
    event["content"]["status_msg"].as_str()
}

/// Users see the presence of those on other servers with whom they share a room.
#[conformance(spec = "server-server-api/#presence", level = Must, severity = Usability, needs = "presence")]
async fn presence_on_another_server_is_seen(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let charlie = room.speaker();
    remote.transmit_edu("m.presence", update(charlie, "making cupcakes")).await?;
    alice.sees("charlie's presence", |sync| status(sync, charlie) == Some("making cupcakes")).await.map(drop)
}

/// Other servers with whom a user shares a room are told of the user's presence.
#[conformance(spec = "server-server-api/#presence", level = Must, severity = Usability, needs = "presence")]
async fn presence_is_told_to_other_servers(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    let path = path!("/_matrix/client/v3/presence/{}/status", alice.id());
    alice.put(path, json!({"presence": "online", "status_msg": "baking"})).await?;
    let told = |content: &Value| {
        let mut pushed = content["push"].as_array().into_iter().flatten();
        pushed.any(|update| update["user_id"] == alice.id() && update["status_msg"] == "baking")
    };
    remote.sees_edu("m.presence", told).await.map(drop)
}

/// A server tells of the presence of its own users only.
#[conformance(spec = "server-server-api/#presence", level = Must, severity = Security, needs = "presence")]
async fn presence_of_others_is_not_believed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    bob.join(room.id()).await?;
    alice.sees("bob", |sync| sync.has_membership(room.id(), bob.id(), "join")).await?;
    remote.transmit_edu("m.presence", update(bob.id(), "said by another server")).await?;
    remote.transmit_edu("m.presence", update(room.speaker(), "said by its own")).await?;
    let shown = |sync: &Sync| {
        status(sync, room.speaker()).is_some() || status(sync, bob.id()) == Some("said by another server")
    };
    let sync = alice.sees("a presence", shown).await?;
    let believed = status(&sync, bob.id()) == Some("said by another server");
    sync.answer().must(!believed, "no presence of bob from another server", || "one".to_owned())
}

/// A server is told nothing of the presence of users with whom none of its own shares a room.
#[conformance(
    spec = "server-server-api/#presence",
    level = Should,
    severity = Security,
    needs = "presence",
    proves = ["server-server-api/presence/1"]
)]
async fn presence_of_strangers_is_not_told(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    for user in [&bob, &alice] {
        let path = path!("/_matrix/client/v3/presence/{}/status", user.id());
        user.put(path, json!({"presence": "online", "status_msg": "baking"})).await?;
    }
    let tells_of = |content: &Value, user: &str| {
        let mut pushed = content["push"].as_array().into_iter().flatten();
        pushed.any(|update| update["user_id"] == user)
    };
    let baking = |content: &Value| tells_of(content, alice.id()) && content.to_string().contains("baking");
    remote.sees_edu("m.presence", baking).await?;
    remote.must_not_have_seen("presence of a stranger", |asked| {
        asked.edus().iter().any(|edu| edu["edu_type"] == "m.presence" && tells_of(&edu["content"], bob.id()))
    })
}
