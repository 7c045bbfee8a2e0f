//! Who is there, and who is told.

use serde_json::{Value, json};

use crate::client::{Server, User};

async fn set(server: &Server, user: &User, body: Value) -> (u16, Value) {
    let (status, answer) = server.put(user, &format!("/v3/presence/{}/status", user.id), body).await;
    (status.as_u16(), answer)
}

async fn ask(server: &Server, user: &User, other: &User) -> (u16, Value) {
    let (status, answer) = server.get(user, &format!("/v3/presence/{}/status", other.id)).await;
    (status.as_u16(), answer)
}

fn next(answer: &Value) -> &str {
    answer["next_batch"].as_str().unwrap()
}

#[tokio::test]
async fn those_who_share_a_room_are_told_at_once() {
    let server = Server::start().await;
    let (alice, bob, eve) = (server.user("alice").await, server.user("bob").await, server.user("eve").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let first = server.sync(&bob, "").await;
    let query = format!("since={}&timeout=20000", next(&first));
    let message = json!({"presence": "unavailable", "status_msg": "away"});
    let (news, (status, _)) = tokio::join!(server.sync(&bob, &query), set(&server, &alice, message));
    assert_eq!(status, 200);
    let event = &news["presence"]["events"][0];
    assert_eq!((&event["type"], &event["sender"]), (&json!("m.presence"), &json!(alice.id)));
    assert_eq!(event["content"]["presence"], "unavailable");
    assert_eq!(event["content"]["status_msg"], "away");
    assert!(server.sync(&eve, "").await["presence"]["events"].to_string().find(&alice.id).is_none());

    let (status, content) = ask(&server, &bob, &alice).await;
    assert_eq!((status, &content["presence"]), (200, &json!("unavailable")));
    assert_eq!(ask(&server, &eve, &alice).await.0, 403);
    assert_eq!(set(&server, &alice, json!({"presence": "asleep"})).await.0, 400);
    assert_eq!(set(&server, &alice, json!({})).await.0, 400);
}

#[tokio::test]
async fn polling_says_who_is_there() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    server.sync(&alice, "set_presence=offline").await;
    assert_eq!(ask(&server, &bob, &alice).await.1["presence"], "offline");
    server.sync(&alice, "").await;
    assert_eq!(ask(&server, &bob, &alice).await.1["presence"], "online");
    server.sync(&alice, "set_presence=unavailable").await;
    assert_eq!(ask(&server, &bob, &alice).await.1["presence"], "unavailable");
}

#[tokio::test]
async fn a_new_member_hears_who_is_there() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    set(&server, &alice, json!({"presence": "online"})).await;
    let before = server.sync(&bob, "").await;
    server.join(&bob, &room).await;
    let news = server.sync(&bob, &format!("since={}", next(&before))).await;
    let events = news["presence"]["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["sender"] == alice.id.as_str()), "{events:?}");
    let filter = format!(r#"since={}&filter={{"presence":{{"types":[]}}}}"#, next(&before));
    assert!(server.sync(&bob, &filter).await.get("presence").is_none());
}
