//! `server-server-api/#device-management`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver, Sync,
        remote::{Asked, Question, Reply},
    },
    path,
    verdict::{Verdict, must},
};

/// A user's devices are given to other servers, with their keys and the place in the stream of changes.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1userdevicesuserid",
    level = Must,
    severity = Interop
)]
async fn devices_are_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.publishes_device_keys().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    let answer = remote.get(path!("/_matrix/federation/v1/user/devices/{}", alice.id()))?.await?;
    answer.must_hold("/user_id", alice.id())?;
    let stream = answer.at("/stream_id");
    answer.must(stream.is_i64(), "a number at /stream_id", || stream.to_string())?;
    let devices = answer.must_have_list("/devices")?;
    let device = devices.iter().find(|device| device["device_id"] == alice.device_id());
    let key = device.map(|device| device["keys"]["keys"][alice.device_key_id()].clone()).unwrap_or_default();
    answer.must(key.is_string(), "the device with its keys", || answer.json().to_string())
}

/// The cross-signing keys of a user are given to other servers with the devices, but for the user-signing key.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1userdevicesuserid",
    level = Must,
    severity = Security
)]
async fn cross_signing_keys_are_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    let answer = remote.get(path!("/_matrix/federation/v1/user/devices/{}", alice.id()))?.await?;
    answer.must_hold(&format!("/master_key/keys/{}", escaped(&keys.master.id())), keys.master.public())?;
    let id = escaped(&keys.self_signing.id());
    answer.must_hold(&format!("/self_signing_key/keys/{id}"), keys.self_signing.public())?;
    answer.must_not_mention(&keys.user_signing.public())
}

/// A key as a token of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A new device is told to the servers with which the user shares a room.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/device-management/1", "server-server-api/device-management/5"]
)]
async fn new_device_is_told_to_other_servers(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    let second = alice.logs_in().await?;
    second.publishes_device_keys().await?;
    let told = |content: &Value| {
        content["user_id"] == alice.id()
            && content["device_id"] == second.device_id()
            && content["keys"]["keys"][second.device_key_id()].is_string()
    };
    let update = remote.sees_edu("m.device_list_update", told).await?;
    must(update["stream_id"].is_i64(), "a number as stream_id", || update.to_string())
}

/// A deleted device is told to the servers with which the user shares a room.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Must,
    severity = Security
)]
async fn deleted_device_is_told_to_other_servers(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    let second = alice.logs_in().await?;
    second.publishes_device_keys().await?;
    let of_second = |content: &Value| content["device_id"] == second.device_id();
    remote.sees_edu("m.device_list_update", of_second).await?;
    second.log_out().await?;
    let told = |content: &Value| of_second(content) && content["deleted"] == true;
    remote.sees_edu("m.device_list_update", told).await.map(drop)
}

/// The devices of a user of a remote: one, with keys.
fn one_device(user: &str) -> Reply {
    let device = json!({
        "device_id": "PHONE", "device_display_name": "Phone", "keys": keys_of(user, "PHONE"),
    });
    Reply::json(json!({"user_id": user, "stream_id": 2, "devices": [device]}))
}

/// The keys of a device of a user of a remote.
pub(super) fn keys_of(user: &str, device: &str) -> Value {
    json!({
        "user_id": user, "device_id": device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {format!("ed25519:{device}"): "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"}, "signatures": {},
    })
}

/// Users who share a room with somebody on another server learn that their devices have changed.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Must,
    severity = Interop
)]
async fn change_on_another_server_is_shown(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let charlie = room.speaker();
    alice.sync().await?;
    remote.answers(Question::Devices, one_device(charlie));
    let update = json!({
        "user_id": charlie, "device_id": "PHONE", "device_display_name": "Phone", "stream_id": 2, "prev_id": [],
    });
    remote.transmit_edu("m.device_list_update", update).await?;
    let changed = |sync: &Sync| sync.device_list_has("changed", charlie);
    alice.sees("charlie among the changed device lists", changed).await.map(drop)
}

/// A server tells of the devices of its own users only.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Must,
    severity = Security
)]
async fn change_of_others_is_not_believed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let room = remote.room_with(&alice).await?;
    let theirs = room.shared_with(&other, &other.user("dave"));
    let join = theirs.add(theirs.member(theirs.speaker(), "join"))?;
    remote.deliver(&join).await?;
    alice.sees("dave", |sync| sync.has_membership(room.id(), theirs.speaker(), "join")).await?;
    alice.sync().await?;
    remote.answers(Question::Devices, one_device(room.speaker()));
    let update = |user: &str| json!({"user_id": user, "device_id": "PHONE", "stream_id": 2, "prev_id": [], "deleted": false});
    remote.transmit_edu("m.device_list_update", update(theirs.speaker())).await?;
    let asked = other.asked(Question::Devices).len() + other.asked(Question::QueryKeys).len();
    remote.transmit_edu("m.device_list_update", update(room.speaker())).await?;
    alice.sees("charlie's change", |sync| sync.device_list_has("changed", room.speaker())).await?;
    let later = other.asked(Question::Devices).len() + other.asked(Question::QueryKeys).len();
    must(asked == later, "no question to dave's server", || format!("{} questions", later - asked))
}

/// A gap in the stream of changes makes the server ask for the whole list again.
#[conformance(
    spec = "server-server-api/#device-management",
    level = Must,
    severity = Security,
    proves = [
        "server-server-api/device-management/8",
        "server-server-api/definition-mdevice_list_update/1",
    ]
)]
async fn gap_makes_the_server_ask_again(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let charlie = room.speaker();
    let update = json!({
        "user_id": charlie, "device_id": "PHONE", "stream_id": 12, "prev_id": [11],
    });
    remote
        .answers(Question::Devices, Reply::json(json!({"user_id": charlie, "stream_id": 12, "devices": []})));
    remote.transmit_edu("m.device_list_update", update).await?;
    let resynchronises = |asked: &crate::cast::remote::Asked| match asked.question {
        Some(Question::Devices) => (asked.parameter("userId") == charlie).then_some(()),
        Some(Question::QueryKeys) => asked.json["device_keys"].get(charlie).map(drop),
        _ => None,
    };
    remote.sees("a question for charlie's devices", resynchronises).await
}

/// What changes of a user's devices waits until the other server answers again.
#[conformance(spec = "server-server-api/#transactions", level = Must, severity = Interop)]
async fn change_waits_for_the_other_server(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    remote.answers(Question::Transaction, Reply::error(503, "M_UNKNOWN"));
    let phone = alice.logs_in().await?;
    phone.publishes_device_keys().await?;
    remote.is_asked(Question::Transaction).await?;
    let failed = remote.asked(Question::Transaction).len();
    remote.answers_as_usual(Question::Transaction);

    let is_told = |edu: &Value| {
        edu["edu_type"] == "m.device_list_update" && edu["content"]["device_id"] == phone.device_id()
    };
    let again = |asked: &Asked| {
        let is_told = asked.edus().iter().any(is_told);
        (is_told && remote.asked(Question::Transaction).len() > failed).then_some(())
    };
    remote.sees("the new device", again).await
}
