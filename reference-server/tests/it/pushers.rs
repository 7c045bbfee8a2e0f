//! Pushers, and what they tell push gateways.

use std::path::Path;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use reference_server::Config;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::{Server, User, password_stage};
use crate::loopback;

/// A push gateway: what it is told, and where it is.
struct Gateway {
    told: mpsc::UnboundedReceiver<Value>,
    url: String,
}

impl Gateway {
    /// Fails at first, and rejects the key `rejected`.
    async fn start(folder: &Path) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let router = Router::new().route("/_matrix/push/v1/notify", post(notify)).with_state(tell);
        let name = loopback::serve_tls(folder, router).await;
        Self { told, url: format!("https://{name}/_matrix/push/v1/notify") }
    }

    async fn next(&mut self) -> Value {
        tokio::time::timeout(Duration::from_secs(10), self.told.recv()).await.unwrap().unwrap()
    }
}

async fn notify(
    State(tell): State<mpsc::UnboundedSender<Value>>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, axum::http::StatusCode> {
    let notification = body["notification"].clone();
    tell.send(notification.clone()).unwrap();
    if notification["content"]["body"] == "fail" {
        return Err(axum::http::StatusCode::BAD_GATEWAY);
    }
    Ok(Json(json!({"rejected": ["rejected"]})))
}

async fn server(folder: &Path) -> Server {
    let mut config = Config::new("test.example");
    config.outgoing.authorities = Some(folder.join("ca.pem"));
    config.outgoing.private_addresses = true;
    Server::with(config).await
}

fn pusher(pushkey: &str, url: &str) -> Value {
    json!({
        "kind": "http", "app_id": "org.example.app", "pushkey": pushkey, "lang": "en",
        "app_display_name": "App", "device_display_name": "Phone", "data": {"url": url, "more": 1},
    })
}

async fn set(server: &Server, user: &User, body: Value) -> u16 {
    server.post(user, "/v3/pushers/set", body).await.0.as_u16()
}

async fn keys(server: &Server, user: &User) -> Vec<String> {
    let (_, answer) = server.get(user, "/v3/pushers").await;
    let pushers = answer["pushers"].as_array().unwrap().iter();
    pushers.map(|pusher| pusher["pushkey"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_gateway_is_told_of_what_notifies() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(folder.path()).await;
    let server = server(folder.path()).await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat", "name": "Room"})).await;
    server.join(&bob, &room).await;
    server.say(&alice, &room, "before").await;
    assert_eq!(set(&server, &bob, pusher("key", &gateway.url)).await, 200);

    server.say(&bob, &room, "own").await;
    let event = server.say(&alice, &room, "told").await;
    let told = gateway.next().await;
    for (name, value) in [
        ("event_id", json!(event)),
        ("room_id", json!(room)),
        ("type", json!("m.room.message")),
        ("sender", json!(alice.id)),
        ("room_name", json!("Room")),
        ("content", json!({"msgtype": "m.text", "body": "told"})),
        ("counts", json!({"unread": 1})),
        ("prio", json!("high")),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    let device = &told["devices"][0];
    assert_eq!((&device["app_id"], &device["pushkey"]), (&json!("org.example.app"), &json!("key")));
    assert_eq!((&device["data"], &device["tweaks"]), (&json!({"more": 1}), &json!({"sound": "default"})));

    let mut brief = pusher("key", &gateway.url);
    brief["data"]["format"] = json!("event_id_only");
    set(&server, &bob, brief).await;
    let event = server.say(&alice, &room, "brief").await;
    let told = gateway.next().await;
    assert_eq!((&told["event_id"], told.get("content")), (&json!(event), None));
    assert_eq!(told["counts"], json!({"unread": 2}));
}

#[tokio::test]
async fn a_failed_notification_is_repeated_and_a_rejected_key_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(folder.path()).await;
    let server = server(folder.path()).await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    set(&server, &bob, pusher("key", &gateway.url)).await;
    server.say(&alice, &room, "fail").await;
    let first = gateway.next().await;
    assert_eq!(gateway.next().await["event_id"], first["event_id"]);

    set(&server, &alice, pusher("rejected", &gateway.url)).await;
    server.say(&bob, &room, "hello").await;
    while gateway.next().await["devices"][0]["pushkey"] != "rejected" {}
    for _ in 0..100 {
        if keys(&server, &alice).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the rejected pusher is still there");
}

#[tokio::test]
async fn a_pusher_belongs_to_one_user_and_one_device() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path()).await;
    let server = server(folder.path()).await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let body = password_stage("alice", "password-of-alice");
    let phone = User::from(&server.call(None, reqwest::Method::POST, "/v3/login", Some(body)).await.1);
    set(&server, &alice, pusher("one", &gateway.url)).await;
    set(&server, &phone, pusher("two", &gateway.url)).await;
    assert_eq!(keys(&server, &alice).await, ["one", "two"]);

    let mut appended = pusher("one", &gateway.url);
    appended["append"] = json!(true);
    set(&server, &bob, appended).await;
    assert_eq!(keys(&server, &alice).await, ["one", "two"]);
    set(&server, &bob, pusher("one", &gateway.url)).await;
    assert_eq!(
        (keys(&server, &alice).await, keys(&server, &bob).await),
        (vec!["two".to_owned()], vec!["one".to_owned()])
    );
    server.post(&phone, "/v3/logout", json!({})).await;
    assert!(keys(&server, &alice).await.is_empty());
    let removal = json!({"kind": null, "app_id": "org.example.app", "pushkey": "one"});
    assert_eq!(set(&server, &bob, removal).await, 200);
    assert!(keys(&server, &bob).await.is_empty());

    for wrong in [
        json!({"kind": "email"}),
        json!({"lang": null}),
        json!({"pushkey": "k".repeat(513)}),
        json!({"app_id": "a".repeat(65)}),
        json!({"data": {"url": "http://push.example/_matrix/push/v1/notify"}}),
        json!({"data": {"url": "https://push.example/elsewhere"}}),
        json!({"data": {}}),
    ] {
        let mut body = pusher("key", &gateway.url);
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(set(&server, &bob, body).await, 400, "{wrong}");
    }
}
