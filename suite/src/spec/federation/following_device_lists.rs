//! `server-server-api/#device-management`: device lists of other servers that are kept up to date, and lists of one's own users.

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::device_management::keys_of;
use crate::{
    cast::{
        Answer, Homeserver, Remote, User,
        remote::{Question, Reply},
    },
    path,
    verdict::{Stop, Verdict, must},
};

/// A user of a remote with two devices, and one of the server who shares a room with them.
async fn meet(hs: &Homeserver) -> Result<(User, Remote, String), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let charlie = room.speaker().to_owned();
    tells_of(&remote, 2, &charlie, &["PHONE", "TABLET"].map(|id| keys_of(&charlie, id)));
    Ok((alice, remote, charlie))
}

/// Has a remote tell of the devices of its user which have these keys.
fn tells_of(remote: &Remote, stream_id: u64, user: &str, devices: &[Value]) {
    let id = |keys: &Value| keys["device_id"].as_str().unwrap_or_default().to_owned();
    let device = |keys: &Value| json!({"device_id": id(keys), "device_display_name": id(keys), "keys": keys});
    let list: Vec<Value> = devices.iter().map(device).collect();
    let list = json!({"user_id": user, "stream_id": stream_id, "devices": list});
    remote.answers(Question::Devices, Reply::json(list));
    let keys: Value = devices.iter().map(|keys| (id(keys), keys.clone())).collect();
    remote.answers(Question::QueryKeys, Reply::json(json!({"device_keys": {user: keys}})));
}

/// The devices of somebody, as a user is told of them.
async fn devices(alice: &User, of: &str) -> Result<(Answer, Value), Stop> {
    let answer = alice.query_device_keys(of, &[]).await?;
    let devices = answer.at("/device_keys")[of].clone();
    Ok((answer, devices))
}

/// How often a remote was asked for devices.
fn lookups(remote: &Remote) -> usize {
    remote.asked(Question::Devices).len() + remote.asked(Question::QueryKeys).len()
}

/// A server asks for the devices of a user of another server once, and keeps them.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Should,
    severity = Usability,
    proves = ["server-server-api/device-management/2"]
)]
async fn devices_are_asked_for_once(hs: &Homeserver) -> Verdict {
    let (alice, remote, charlie) = meet(hs).await?;
    for _ in 0..3 {
        let (answer, devices) = devices(&alice, &charlie).await?;
        answer.must(devices["PHONE"].is_object(), "the devices of charlie", || devices.to_string())?;
    }
    let asked = lookups(&remote);
    must(asked <= 1, "one question for the devices", || format!("{asked}"))
}

/// An update of another server changes the device that it names, and no other, without a further question.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Should,
    severity = Security,
    proves = [
        "server-server-api/device-management/3",
        "server-server-api/device-management/4",
        "server-server-api/device-management/9"
    ]
)]
async fn update_replaces_one_device(hs: &Homeserver) -> Verdict {
    let (alice, remote, charlie) = meet(hs).await?;
    devices(&alice, &charlie).await?;
    let asked = lookups(&remote);
    let mut changed = keys_of(&charlie, "PHONE");
    changed["keys"]["ed25519:PHONE"] = json!("Ub83vSLHgDZR2zQGsYBTeYc+NEyvDTW+vUV0TGTkyZY");
    // The list that the server was given ended with the second change.
    let update = json!({
        "user_id": charlie, "device_id": "PHONE", "device_display_name": "another phone", "keys": changed,
        "stream_id": 3, "prev_id": [2],
    });
    remote.transmit_edu("m.device_list_update", update).await?;
    alice
        .sees("charlie among the changed device lists", |sync| sync.device_list_has("changed", &charlie))
        .await?;

    let (answer, devices) = devices(&alice, &charlie).await?;

    let phone = &devices["PHONE"]["keys"]["ed25519:PHONE"];
    answer.must(*phone == changed["keys"]["ed25519:PHONE"], "the new key", || devices.to_string())?;
    answer.must(devices["TABLET"].is_object(), "the other device as before", || devices.to_string())?;
    let later = lookups(&remote);
    must(later == asked, "no further question for the devices", || format!("{}", later - asked))
}

/// A new device of another server is added by an update.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Should,
    severity = Security,
    proves = ["server-server-api/device-management/3"]
)]
async fn update_adds_a_device(hs: &Homeserver) -> Verdict {
    let (alice, remote, charlie) = meet(hs).await?;
    devices(&alice, &charlie).await?;
    let update = json!({
        "user_id": charlie, "device_id": "WATCH", "device_display_name": "watch",
        "keys": keys_of(&charlie, "WATCH"), "stream_id": 3, "prev_id": [2],
    });
    remote.transmit_edu("m.device_list_update", update).await?;
    alice
        .sees("charlie among the changed device lists", |sync| sync.device_list_has("changed", &charlie))
        .await?;
    let (answer, devices) = devices(&alice, &charlie).await?;
    let all = ["PHONE", "TABLET", "WATCH"].iter().all(|id| devices[*id].is_object());
    answer.must(all, "three devices", || devices.to_string())
}

/// Each update refers to the one before it.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Should,
    severity = Interop,
    proves = [
        "server-server-api/device-management/6",
        "server-server-api/device-management/7"
    ]
)]
async fn updates_refer_to_each_other(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    for _ in 0..3 {
        let next = alice.logs_in().await?;
        next.publishes_device_keys().await?;
        let told = |content: &Value| content["device_id"] == next.device_id() && content["keys"].is_object();
        remote.sees_edu("m.device_list_update", told).await?;
    }
    let sent = remote.asked(Question::Transaction);
    let updates: Vec<Value> = sent
        .iter()
        .flat_map(|asked| asked.edus().to_vec())
        .filter(|edu| edu["edu_type"] == "m.device_list_update" && edu["content"]["user_id"] == alice.id())
        .map(|edu| edu["content"].clone())
        .collect();
    let linked = |pair: &[Value]| pair[1]["prev_id"] == json!([pair[0]["stream_id"]]);
    let broken = updates.windows(2).find(|pair| !linked(pair));
    must(broken.is_none(), "every prev_id with the stream_id of the update before, and no other", || {
        json!(broken).to_string()
    })
}

/// What another server may ask about a user of a third one.
fn questions() -> impl Iterator<Item = &'static str> {
    ["devices", "keys", "one-time keys"].into_iter()
}

/// A server tells of the devices and keys of its own users only.
#[conformance(
    spec = "server-server-api/#end-to-end-encryption",
    level = Must,
    severity = Security,
    each = questions,
    proves = [
        "server-server-api/get_matrixfederationv1userdevicesuserid/1",
        "server-server-api/post_matrixfederationv1userkeysclaim/2",
        "server-server-api/post_matrixfederationv1userkeysquery/1"
    ]
)]
async fn users_of_others_are_not_told_of(hs: &Homeserver, question: &'static str) -> Verdict {
    let (alice, remote, charlie) = meet(hs).await?;
    // Now the server knows them.
    devices(&alice, &charlie).await?;
    let other = hs.remote().await?;
    let answer = match question {
        "devices" => other.get(path!("/_matrix/federation/v1/user/devices/{}", charlie))?.answer().await?,
        "keys" => {
            let body = json!({"device_keys": {&charlie: []}});
            other.post("/_matrix/federation/v1/user/keys/query", body)?.answer().await?
        }
        _ => {
            let body = json!({"one_time_keys": {&charlie: {"PHONE": "signed_curve25519"}}});
            other.post("/_matrix/federation/v1/user/keys/claim", body)?.answer().await?
        }
    };
    if answer.status().is_client_error() {
        return answer.must_be_refused().map(drop);
    }
    answer.must(answer.status().is_success(), "a refusal, or nothing of the user", || {
        answer.exchange().response.in_short()
    })?;
    answer.must_not_mention("PHONE")?;
    remote
        .must_not_have_seen("question for one-time keys", |asked| asked.question == Some(Question::ClaimKeys))
}

/// Users who come into an encrypted room with somebody of another server are told so, and can look up their keys.
#[conformance(
    spec = "client-server-api/#e2e-extensions-to-sync",
    level = Must,
    severity = Interop,
    each = comers
)]
async fn newcomer_is_told(hs: &Homeserver, comer: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let charlie = remote.user("charlie");
    tells_of(&remote, 2, &charlie, &[keys_of(&charlie, "PHONE")]);
    alice.initial_sync().await?;
    match comer {
        "a user of another server" => {
            let room = encrypted_room(&alice).await?;
            remote.joins(&room, "charlie").await?;
        }
        _ => {
            let room = remote.room()?;
            room.add(room.state_event("m.room.encryption", "", encryption()))?;
            alice.join_via(room.id(), &remote).await?;
        }
    }

    alice.sees("charlie among the changed", |sync| sync.device_list_has("changed", &charlie)).await?;

    let (answer, devices) = devices(&alice, &charlie).await?;
    answer.must(devices["PHONE"].is_object(), "the device of charlie", || devices.to_string())
}

fn comers() -> [&'static str; 2] {
    ["a user of another server", "a user of this server"]
}

/// Users who share no encrypted room any more with somebody of another server are told so.
#[conformance(
    spec = "client-server-api/#e2e-extensions-to-sync",
    level = Must,
    severity = Interop,
    each = comers
)]
async fn parting_is_told(hs: &Homeserver, goer: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let id = encrypted_room(&alice).await?;
    let room = remote.joins(&id, "charlie").await?;
    let charlie = room.speaker();
    alice.sees("the join", |sync| sync.has_membership(&id, charlie, "join")).await?;

    match goer {
        "a user of another server" => remote.send(room.member(charlie, "leave")).await.map(drop)?,
        _ => alice.leave(&id).await.map(drop)?,
    }

    alice.sees("charlie among those who left", |sync| sync.device_list_has("left", charlie)).await.map(drop)
}

/// A room for encrypted messages that anybody may join.
async fn encrypted_room(creator: &User) -> Result<String, Stop> {
    let encryption = json!({"type": "m.room.encryption", "state_key": "", "content": encryption()});
    creator.create_room(json!({"preset": "public_chat", "initial_state": [encryption]})).await
}

fn encryption() -> Value {
    json!({"algorithm": "m.megolm.v1.aes-sha2"})
}
