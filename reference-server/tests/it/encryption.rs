//! Keys of devices and users, and who is told of them.

use protocol::base64;
use protocol::canonical_json::Form;
use protocol::keys::SigningKey;
use protocol::signatures::signed_text;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Server, User, password_stage};

/// Signs as a device or a user.
fn sign(key: &SigningKey, object: &mut Value, user: &User, key_id: &str) {
    let text = signed_text(object.as_object().unwrap(), Form::Strict).unwrap();
    object["signatures"][&user.id][key_id] = json!(base64::encode(key.sign(text.as_bytes())));
}

fn key() -> SigningKey {
    SigningKey::generate("1").unwrap()
}

fn device_keys(user: &User, key: &SigningKey) -> Value {
    let key_id = format!("ed25519:{}", user.device);
    let mut keys = json!({
        "user_id": user.id, "device_id": user.device, "algorithms": ["m.megolm.v1.aes-sha2"],
        "keys": {(key_id.as_str()): key.verify_key().to_base64()},
    });
    sign(key, &mut keys, user, &key_id);
    keys
}

fn one_time_key(value: &str) -> Value {
    json!({"key": value, "signatures": {}})
}

async fn upload(server: &Server, user: &User, body: Value) -> (StatusCode, Value) {
    server.post(user, "/v3/keys/upload", body).await
}

async fn claim(server: &Server, by: &User, of: &User) -> Value {
    let body = json!({"one_time_keys": {(of.id.as_str()): {(of.device.as_str()): "signed_curve25519"}}});
    let (status, answer) = server.post(by, "/v3/keys/claim", body).await;
    assert_eq!(status, 200, "{answer}");
    answer["one_time_keys"][&of.id][&of.device].clone()
}

async fn query(server: &Server, by: &User, of: &User) -> Value {
    let (status, answer) =
        server.post(by, "/v3/keys/query", json!({"device_keys": {(of.id.as_str()): []}})).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn identity_keys_are_those_of_the_device_and_signed_by_it() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let good = device_keys(&alice, &key());
    let mut altered = good.clone();
    altered["algorithms"] = json!([]);
    let refused = async |keys: Value| {
        let (status, answer) = upload(&server, &alice, json!({"device_keys": keys})).await;
        (status.as_u16(), answer["errcode"].clone())
    };
    assert_eq!(refused(device_keys(&bob, &key())).await, (400, json!("M_INVALID_PARAM")));
    assert_eq!(refused(altered).await, (400, json!("M_INVALID_SIGNATURE")));
    assert_eq!(query(&server, &bob, &alice).await["device_keys"][&alice.id], json!({}));
    assert_eq!(upload(&server, &alice, json!({"device_keys": good})).await.0, 200);
    let mut shown = query(&server, &bob, &alice).await["device_keys"][&alice.id][&alice.device].clone();
    assert_eq!(shown["unsigned"].take(), json!({}));
    shown.as_object_mut().unwrap().remove("unsigned");
    assert_eq!(shown, good);
}

#[tokio::test]
async fn a_one_time_key_is_neither_replaced_nor_given_out_again() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let keys = |value: &str| json!({"one_time_keys": {"signed_curve25519:A": one_time_key(value)}});
    let counts = json!({"one_time_key_counts": {"signed_curve25519": 1}});
    assert_eq!(upload(&server, &alice, keys("1")).await.1, counts);
    assert_eq!(upload(&server, &alice, keys("1")).await.1, counts);
    let (status, answer) = upload(&server, &alice, keys("2")).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_INVALID_PARAM")));

    assert_eq!(claim(&server, &bob, &alice).await, json!({"signed_curve25519:A": one_time_key("1")}));
    assert_eq!(upload(&server, &alice, keys("1")).await.1, json!({"one_time_key_counts": {}}));
    assert_eq!(claim(&server, &bob, &alice).await, Value::Null);
    assert_eq!(upload(&server, &alice, keys("3")).await.1, counts);
    assert_eq!(claim(&server, &bob, &alice).await, json!({"signed_curve25519:A": one_time_key("3")}));
}

#[tokio::test]
async fn a_fallback_key_is_used_until_another_comes() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let fallback = |value: &str| json!({"fallback_keys": {"signed_curve25519:F": one_time_key(value)}});
    let unused = async || server.sync(&alice, "").await["device_unused_fallback_key_types"].clone();
    assert_eq!(unused().await, json!([]));
    for (value, uploaded) in [("1", true), ("1", false), ("2", true)] {
        assert_eq!(upload(&server, &alice, fallback(value)).await.0, 200);
        assert_eq!(unused().await == json!(["signed_curve25519"]), uploaded, "{value}");
        assert_eq!(claim(&server, &bob, &alice).await["signed_curve25519:F"]["key"], value);
        assert_eq!(unused().await, json!([]));
    }
    let two = json!({"fallback_keys": {"signed_curve25519:F": one_time_key("1"), "signed_curve25519:G": one_time_key("2")}});
    assert_eq!(upload(&server, &alice, two).await.0, 400);
}

fn cross_signing_key(user: &User, usage: &str, key: &SigningKey, by: &SigningKey) -> Value {
    let public = |key: &SigningKey| key.verify_key().to_base64();
    let mut signed = json!({
        "user_id": user.id, "usage": [usage], "keys": {(format!("ed25519:{}", public(key))): public(key)},
    });
    sign(by, &mut signed, user, &format!("ed25519:{}", public(by)));
    signed
}

#[tokio::test]
async fn another_master_key_takes_the_keys_away_that_the_first_has_signed() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let path = "/v3/keys/device_signing/upload";
    let (first, second, third) = (key(), key(), key());
    let set = json!({
        "master_key": cross_signing_key(&alice, "master", &first, &first),
        "self_signing_key": cross_signing_key(&alice, "self_signing", &second, &first),
    });
    assert_eq!(server.post(&alice, path, set.clone()).await.0, 200);
    assert_eq!(server.post(&alice, path, set).await.0, 200);
    let shown = query(&server, &alice, &alice).await;
    assert!(shown["self_signing_keys"][&alice.id].is_object());

    let other = json!({"master_key": cross_signing_key(&alice, "master", &third, &third)});
    let stage = password_stage("alice", "password-of-alice");
    let (status, answer) = server.authenticated(Some(&alice), path, other, stage).await;
    assert_eq!(status, 200, "{answer}");
    let shown = query(&server, &alice, &alice).await;
    assert!(shown["master_keys"][&alice.id]["keys"].to_string().contains(&third.verify_key().to_base64()));
    assert_eq!(shown["self_signing_keys"], json!({}));
}

#[tokio::test]
async fn a_deactivated_user_has_no_keys() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    upload(&server, &alice, json!({"device_keys": device_keys(&alice, &key())})).await;
    let master = key();
    let body = json!({"master_key": cross_signing_key(&alice, "master", &master, &master)});
    server.post(&alice, "/v3/keys/device_signing/upload", body).await;
    let stage = password_stage("alice", "password-of-alice");
    server.authenticated(Some(&alice), "/v3/account/deactivate", json!({}), stage).await;
    let shown = query(&server, &bob, &alice).await;
    assert_eq!((&shown["device_keys"][&alice.id], &shown["master_keys"]), (&json!({}), &json!({})));
}

#[tokio::test]
async fn device_lists_follow_encrypted_rooms() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let mut since = server.sync(&bob, "").await["next_batch"].as_str().unwrap().to_owned();
    let first = since.clone();
    let mut lists = async || {
        let news = server.sync(&bob, &format!("since={since}")).await;
        since = news["next_batch"].as_str().unwrap().to_owned();
        news["device_lists"].clone()
    };
    assert_eq!(lists().await, Value::Null);

    let encryption = format!("/v3/rooms/{room}/state/m.room.encryption");
    server.put(&alice, &encryption, json!({"algorithm": "m.megolm.v1.aes-sha2"})).await;
    assert_eq!(lists().await, json!({"changed": [alice.id], "left": []}));
    let keys = json!({"device_keys": device_keys(&alice, &key())});
    upload(&server, &alice, keys.clone()).await;
    assert_eq!(lists().await, json!({"changed": [alice.id], "left": []}));
    upload(&server, &alice, keys).await;
    assert_eq!(lists().await, Value::Null);
    server.call(Some(&alice), Method::POST, &format!("/v3/rooms/{room}/leave"), Some(json!({}))).await;
    assert_eq!(lists().await, json!({"changed": [], "left": [alice.id]}));
    upload(&server, &alice, json!({"device_keys": device_keys(&alice, &key())})).await;
    assert_eq!(lists().await, Value::Null);

    let (status, changes) = server.get(&bob, &format!("/v3/keys/changes?from={first}&to={since}")).await;
    assert_eq!((status.as_u16(), changes), (200, json!({"changed": [], "left": []})));
}

#[tokio::test]
async fn a_poll_ends_when_keys_change() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let since = server.sync(&alice, "").await["next_batch"].as_str().unwrap().to_owned();
    let path = format!("since={since}&timeout=60000");
    let keys = json!({"device_keys": device_keys(&alice, &key())});
    let (news, _) = tokio::join!(server.sync(&alice, &path), upload(&server, &alice, keys));
    assert_eq!(news["device_lists"]["changed"], json!([alice.id]));
}
