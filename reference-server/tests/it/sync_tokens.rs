//! Sync tokens: what a client has not confirmed is told again, and nothing is told twice otherwise.

use std::time::{Duration, Instant};

use reference_server::Config;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Server, bodies};

fn next(answer: &Value) -> String {
    answer["next_batch"].as_str().unwrap().to_owned()
}

/// Without what depends on the time of day.
fn ageless(mut answer: Value) -> Value {
    if let Some(rooms) = answer["rooms"]["join"].as_object_mut() {
        for room in rooms.values_mut() {
            for part in ["state", "timeline"] {
                for event in room[part]["events"].as_array_mut().unwrap() {
                    event["unsigned"].as_object_mut().unwrap().remove("age");
                }
            }
        }
    }
    answer
}

#[tokio::test]
async fn the_same_token_gives_the_same_answer() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let since = next(&server.sync(&bob, "").await);
    let event = server.say(&alice, &room, "hello").await;
    server.post(&alice, &format!("/v3/rooms/{room}/receipt/m.read/{event}"), json!({})).await;
    server
        .put(&alice, "/v3/sendToDevice/org.example/1", json!({"messages": {(bob.id.as_str()): {"*": {}}}}))
        .await;
    let lazy = r#"{"room":{"state":{"lazy_load_members":true}}}"#;
    let query = format!("since={since}&filter={lazy}");
    let (first, second) = (server.sync(&bob, &query).await, server.sync(&bob, &query).await);
    assert_eq!(bodies(&first["rooms"]["join"][&room]["timeline"]["events"]), ["hello"]);
    assert_eq!(first["to_device"]["events"].as_array().unwrap().len(), 1);
    assert_eq!(ageless(first), ageless(second));
}

#[tokio::test]
async fn a_token_of_nobody_is_refused() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    for token in ["s999999", "nonsense", "s-1", "s"] {
        let (status, answer) = server.get(&alice, &format!("/v3/sync?since={token}")).await;
        assert_eq!(
            (status, &answer["errcode"]),
            (StatusCode::BAD_REQUEST, &json!("M_INVALID_PARAM")),
            "{token}"
        );
    }
}

#[tokio::test]
async fn a_token_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new("test.example");
    config.data = Some(folder.path().to_owned());
    let server = Server::with(config.clone()).await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    // Typing takes places in the stream that nothing keeps.
    for typing in [true, false, true] {
        server.put(&alice, &format!("/v3/rooms/{room}/typing/{}", alice.id), json!({"typing": typing})).await;
    }
    let since = next(&server.sync(&alice, "").await);
    server.running.shut_down().await;

    let server = Server::with(config).await;
    let silent = server.sync(&alice, &format!("since={since}&set_presence=offline")).await;
    assert!(silent.get("rooms").is_none(), "{silent}");
    server.say(&alice, &room, "again").await;
    let news = server.sync(&alice, &format!("since={since}")).await;
    assert_eq!(bodies(&news["rooms"]["join"][&room]["timeline"]["events"]), ["again"]);
}

#[tokio::test]
async fn a_poll_waits_as_long_as_it_was_told() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let since = next(&server.sync(&alice, "").await);
    let begun = Instant::now();
    let answer = server.sync(&alice, &format!("since={since}&timeout=150")).await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!(answer, json!({"next_batch": since, "device_unused_fallback_key_types": []}));
    let begun = Instant::now();
    server.sync(&alice, &format!("since={since}&timeout=60000&full_state=true")).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "full_state does not wait");
}

#[tokio::test]
async fn members_who_are_known_are_spared_unless_asked_for() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat", "name": "Room"})).await;
    server.join(&bob, &room).await;
    for text in ["a", "b"] {
        server.say(&alice, &room, text).await;
    }
    let lazy = r#"filter={"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}}"#;
    let redundant =
        r#"filter={"room":{"state":{"lazy_load_members":true,"include_redundant_members":true}}}"#;
    let members = |answer: &Value| -> usize {
        answer["rooms"]["join"][&room]["state"]["events"].as_array().unwrap().len()
    };
    let since = next(&server.sync(&bob, lazy).await);
    server.say(&alice, &room, "c").await;
    assert_eq!(members(&server.sync(&bob, &format!("since={since}&{lazy}")).await), 0);
    assert_eq!(members(&server.sync(&bob, &format!("since={since}&{redundant}")).await), 1);
}

#[tokio::test]
async fn a_long_queue_to_a_device_comes_in_parts() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    for transaction in 0..150 {
        let messages = json!({"messages": {(alice.id.as_str()): {"*": {"n": transaction}}}});
        server.put(&alice, &format!("/v3/sendToDevice/org.example/{transaction}"), messages).await;
    }
    let numbers = |answer: &Value| -> Vec<u64> {
        let events = answer["to_device"]["events"].as_array().unwrap();
        events.iter().map(|event| event["content"]["n"].as_u64().unwrap()).collect()
    };
    let first = server.sync(&alice, "").await;
    assert_eq!(numbers(&first), (0..100).collect::<Vec<_>>());
    let second = server.sync(&alice, &format!("since={}", next(&first))).await;
    assert_eq!(numbers(&second), (100..150).collect::<Vec<_>>());
    let third = server.sync(&alice, &format!("since={}", next(&second))).await;
    assert!(third.get("to_device").is_none());
}

#[tokio::test]
async fn whoever_comes_back_gets_a_timeline_that_begins_anew() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    server.post(&bob, &format!("/v3/rooms/{room}/leave"), json!({})).await;
    let since = next(&server.sync(&bob, "").await);
    server.put(&alice, &format!("/v3/rooms/{room}/state/m.room.topic"), json!({"topic": "later"})).await;
    let left = server.sync(&bob, r#"filter={"room":{"include_leave":true}}"#).await;
    assert!(!left.to_string().contains("later"), "nothing after the departure");
    server.join(&bob, &room).await;
    let news = server.sync(&bob, &format!("since={since}")).await;
    let joined = &news["rooms"]["join"][&room];
    assert_eq!(joined["timeline"]["limited"], true);
    assert!(joined.to_string().contains("later"));

    server.post(&alice, &format!("/v3/rooms/{room}/ban"), json!({"user_id": bob.id})).await;
    let banned = server.sync(&bob, &format!("since={}", next(&news))).await;
    let events = &banned["rooms"]["leave"][&room]["timeline"]["events"];
    assert_eq!(events[0]["content"]["membership"], "ban");
}
