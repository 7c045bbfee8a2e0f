//! `server-server-api/#end-to-end-encryption`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver, Sync,
        remote::{Question, Reply},
    },
    verdict::{Verdict, must},
};

/// The identity keys of a user's devices are given to other servers.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1userkeysquery",
    level = Must,
    severity = Interop
)]
async fn device_keys_are_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.publishes_device_keys().await?;
    let remote = hs.remote().await?;
    let body = json!({"device_keys": {alice.id(): []}});
    let answer = remote.post("/_matrix/federation/v1/user/keys/query", body)?.await?;
    let device = &answer.at("/device_keys")[alice.id()][alice.device_id()];
    let key = &device["keys"][alice.device_key_id()];
    answer.must(key.is_string(), "the keys of the device", || answer.json().to_string())
}

/// A user's user-signing key is nobody else's business, on other servers either.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1userkeysquery",
    level = Must,
    severity = Security
)]
async fn user_signing_key_is_not_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    let remote = hs.remote().await?;
    let body = json!({"device_keys": {alice.id(): []}});
    let answer = remote.post("/_matrix/federation/v1/user/keys/query", body)?.await?;
    let master = &answer.at("/master_keys")[alice.id()]["keys"][keys.master.id()];
    answer.must(master == &json!(keys.master.public()), "the master key", || answer.json().to_string())?;
    answer.must_not_mention(&keys.user_signing.public())
}

/// A one-time key is given to another server, and to none after it.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1userkeysclaim",
    level = Must,
    severity = Security,
    proves = ["server-server-api/post_matrixfederationv1userkeysclaim/1"]
)]
async fn one_time_key_is_given_once(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    let one_time = alice.signed_curve25519(&key, false)?;
    alice.upload_keys(json!({"one_time_keys": {"signed_curve25519:AAAAAQ": one_time}})).await?;
    let remote = hs.remote().await?;
    let body = json!({"one_time_keys": {alice.id(): {alice.device_id(): "signed_curve25519"}}});
    let claim = || remote.post("/_matrix/federation/v1/user/keys/claim", body.clone());

    let answer = claim()?.await?;
    let claimed = &answer.at("/one_time_keys")[alice.id()][alice.device_id()];
    let found = &claimed["signed_curve25519:AAAAAQ"];
    answer.must(found["key"] == one_time["key"], "the one-time key", || claimed.to_string())?;
    claim()?.await?.must_not_mention("signed_curve25519:AAAAAQ")
}

/// A user looks up keys of somebody on another server, which is asked.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1userkeysquery",
    level = Must,
    severity = Interop
)]
async fn keys_on_another_server_are_looked_up(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let keys = json!({
        "user_id": dave, "device_id": "PHONE", "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {"ed25519:PHONE": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"}, "signatures": {},
    });
    remote.answers(Question::QueryKeys, Reply::json(json!({"device_keys": {&dave: {"PHONE": keys}}})));

    let answer = alice.query_device_keys(&dave, &[]).await?;

    let found = &answer.at("/device_keys")[&dave]["PHONE"]["device_id"];
    answer.must(found == "PHONE", "the device", || answer.json().to_string())?;
    let asked = remote.is_asked(Question::QueryKeys).await?;
    must(asked.json["device_keys"].get(&dave).is_some(), "a question for dave's keys", || {
        asked.json.to_string()
    })
}

/// A user claims a key of somebody on another server, which is asked.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1userkeysclaim",
    level = Must,
    severity = Interop
)]
async fn key_on_another_server_is_claimed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let key = json!({"signed_curve25519:AAAAAQ": {"key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", "signatures": {}}});
    remote.answers(Question::ClaimKeys, Reply::json(json!({"one_time_keys": {&dave: {"PHONE": key}}})));
    let body = json!({"one_time_keys": {&dave: {"PHONE": "signed_curve25519"}}});

    let answer = alice.post("/_matrix/client/v3/keys/claim", body).await?;

    let claimed = &answer.at("/one_time_keys")[&dave]["PHONE"]["signed_curve25519:AAAAAQ"]["key"];
    answer.must(claimed.is_string(), "the key", || answer.json().to_string())?;
    let asked = remote.is_asked(Question::ClaimKeys).await?;
    let right = asked.json["one_time_keys"][&dave]["PHONE"] == "signed_curve25519";
    must(right, "a claim for dave's phone", || asked.json.to_string())
}

/// A server that gives no keys is told as a failure, beside the keys of others.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysquery",
    level = Must,
    severity = Usability
)]
async fn failing_server_is_named(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.publishes_device_keys().await?;
    let remote = hs.remote().await?;
    remote.answers(Question::QueryKeys, Reply::nothing());
    let body = json!({"device_keys": {alice.id(): [], remote.user("dave"): []}});
    let answer = alice.post("/_matrix/client/v3/keys/query", body).await?;
    let failed = answer.at("/failures").get(remote.name());
    answer.must(failed.is_some(), format!("{} among the failures", remote.name()), || {
        answer.json().to_string()
    })?;
    let own = &answer.at("/device_keys")[alice.id()][alice.device_id()];
    answer.must(own.is_object(), "the user's own device", || answer.json().to_string())
}

/// A server that could not be reached is told as a failure every time, also where it is left alone for a while.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysquery",
    level = Must,
    severity = Usability
)]
async fn unreachable_server_is_named_every_time(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.answers(Question::QueryKeys, Reply::error(502, "M_UNKNOWN"));
    for _ in 0..3 {
        let body = json!({"device_keys": {remote.user("dave"): []}});
        let answer = alice.post("/_matrix/client/v3/keys/query", body).await?;
        let failed = answer.at("/failures").get(remote.name());
        answer.must(failed.is_some(), format!("{} among the failures", remote.name()), || {
            answer.json().to_string()
        })?;
    }
    Ok(())
}

/// New cross-signing keys are told to the servers with which the user shares a room.
#[conformance(
    spec = "server-server-api/#end-to-end-encryption",
    level = Must,
    severity = Interop
)]
async fn cross_signing_keys_are_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.room_with(&alice).await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    let told = |content: &Value| {
        content["user_id"] == alice.id()
            && content["master_key"]["keys"][keys.master.id()] == keys.master.public().as_str()
    };
    remote.sees_edu("m.signing_key_update", told).await.map(drop)
}

/// Users who share a room with somebody on another server learn that their cross-signing keys have changed.
#[conformance(
    spec = "server-server-api/#end-to-end-encryption",
    level = Must,
    severity = Interop
)]
async fn cross_signing_keys_of_another_server_are_shown(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let charlie = room.speaker();
    alice.sync().await?;
    let key = |usage: &str, public: &str| json!({"user_id": charlie, "usage": [usage], "keys": { format!("ed25519:{public}"): public }});
    let content = json!({
        "user_id": charlie,
        "master_key": key("master", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"),
        "self_signing_key": key("self_signing", "CXpuGGVgzGkzoVOUjXrzWFeZ6BUhj7mXJqwTTbVt8Ac"),
    });
    remote.transmit_edu("m.signing_key_update", content).await?;
    let changed = |sync: &Sync| sync.device_list_has("changed", charlie);
    alice.sees("charlie among the changed device lists", changed).await.map(drop)
}
