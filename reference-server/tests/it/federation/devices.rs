//! What is between devices of different servers: messages, lists, keys; and who types and reads.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::world::{Place, World, encoded};
use crate::client::User;

async fn two_in_a_room(world: &World) -> (Place, User, Place, User, String) {
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let encryption = json!([{"type": "m.room.encryption", "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]);
    let room = here.room(&alice, json!({"preset": "public_chat", "initial_state": encryption})).await;
    there.join_through(&bob, &room, &here).await;
    (here, alice, there, bob, room)
}

#[tokio::test]
async fn a_message_to_a_device_arrives_once() {
    let world = World::new();
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let messages = json!({"messages": {&bob.id: {&bob.device: {"secret": 1}}}});
    for _ in 0..2 {
        let (status, answer) =
            here.put(&alice, "/v3/sendToDevice/org.example.secret/1", messages.clone()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let has = |sync: &Value| sync["to_device"]["events"].as_array().is_some_and(|events| !events.is_empty());
    let sync = there.until(&bob, "the message", has).await;
    assert_eq!(
        sync["to_device"]["events"],
        json!([{"type": "org.example.secret", "sender": alice.id, "content": {"secret": 1}}])
    );
}

#[tokio::test]
async fn a_new_name_of_a_device_reaches_those_who_follow() {
    let world = World::new();
    let (here, alice, there, bob, _) = two_in_a_room(&world).await;
    let since = there.sync(&bob, "").await["next_batch"].as_str().unwrap().to_owned();
    let key = protocol::keys::SigningKey::generate("a").unwrap();
    let mut keys = json!({
        "user_id": alice.id, "device_id": alice.device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {format!("ed25519:{}", alice.device): key.verify_key().to_base64()},
    });
    let text =
        protocol::signatures::signed_text(keys.as_object().unwrap(), protocol::canonical_json::Form::Strict);
    let signature = protocol::base64::encode(key.sign(text.unwrap().as_bytes()));
    keys["signatures"] = json!({&alice.id: {format!("ed25519:{}", alice.device): signature}});
    let one_time = json!({"signed_curve25519:1": {"key": "aaaa", "signatures": {}}});
    let upload = json!({"device_keys": keys, "one_time_keys": one_time});
    let (status, answer) = here.post(&alice, "/v3/keys/upload", upload).await;
    assert_eq!(status, StatusCode::OK, "{answer}");

    let changed = |sync: &Value| {
        sync["device_lists"]["changed"].as_array().is_some_and(|changed| changed.contains(&json!(alice.id)))
    };
    let sync = there.until_after(&bob, format!("&since={since}"), "the change", changed).await;
    let since = format!("&since={}", sync["next_batch"].as_str().unwrap());
    let (_, answer) = there.post(&bob, "/v3/keys/query", json!({"device_keys": {&alice.id: []}})).await;
    assert_eq!(answer["device_keys"][&alice.id][&alice.device]["keys"], keys["keys"], "{answer}");

    let path = format!("/v3/devices/{}", encoded(&alice.device));
    assert_eq!(here.put(&alice, &path, json!({"display_name": "telephone"})).await.0, StatusCode::OK);
    there.until_after(&bob, since, "the change of name", changed).await;
    let (_, answer) = there.post(&bob, "/v3/keys/query", json!({"device_keys": {&alice.id: []}})).await;
    let device = &answer["device_keys"][&alice.id][&alice.device];
    assert_eq!(device["unsigned"]["device_display_name"], "telephone", "{answer}");
    let wanted = json!({"one_time_keys": {&alice.id: {&alice.device: "signed_curve25519"}}});
    let (_, answer) = there.post(&bob, "/v3/keys/claim", wanted).await;
    let claimed = &answer["one_time_keys"][&alice.id][&alice.device]["signed_curve25519:1"];
    assert_eq!(claimed["key"], "aaaa", "{answer}");
}

#[tokio::test]
async fn who_types_and_reads_is_seen_elsewhere() {
    let world = World::new();
    let (here, alice, there, bob, room) = two_in_a_room(&world).await;
    let path = format!("/v3/rooms/{}/typing/{}", encoded(&room), encoded(&alice.id));
    assert_eq!(here.put(&alice, &path, json!({"typing": true, "timeout": 20000})).await.0, StatusCode::OK);
    let ephemeral = |sync: &Value| sync["rooms"]["join"][&room]["ephemeral"]["events"].to_string();
    there.until(&bob, "alice typing", |sync| ephemeral(sync).contains(&alice.id)).await;

    let said = there.say(&bob, &room, "read this").await;
    here.until(&alice, "the message", |sync| sync.to_string().contains("read this")).await;
    let path = format!("/v3/rooms/{}/receipt/m.read/{}", encoded(&room), encoded(&said));
    assert_eq!(here.post(&alice, &path, json!({})).await.0, StatusCode::OK);
    there.until(&bob, "the receipt", |sync| ephemeral(sync).contains("m.receipt")).await;

    let path = format!("/v3/presence/{}/status", encoded(&alice.id));
    assert_eq!(
        here.put(&alice, &path, json!({"presence": "online", "status_msg": "busy"})).await.0,
        StatusCode::OK
    );
    let busy = |sync: &Value| sync["presence"]["events"].to_string().contains("busy");
    there.until(&bob, "alice's presence", busy).await;
}
