//! Unread counts, receipts and threads.

use serde_json::{Value, json};

use crate::client::{Server, User};

/// Alice and Bob in a room, and Bob's sync token.
async fn stage() -> (Server, User, User, String, String) {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let since = server.sync(&bob, "").await["next_batch"].as_str().unwrap().to_owned();
    (server, alice, bob, room, since)
}

async fn send(server: &Server, user: &User, room: &str, transaction: &str, content: Value) -> String {
    let path = format!("/v3/rooms/{room}/send/m.room.message/{transaction}");
    let (status, answer) = server.put(user, &path, content).await;
    assert_eq!(status, 200, "{answer}");
    answer["event_id"].as_str().unwrap().to_owned()
}

fn text(body: &str) -> Value {
    json!({"msgtype": "m.text", "body": body})
}

fn in_thread(root: &str) -> Value {
    json!({"msgtype": "m.text", "body": "reply", "m.relates_to": {"rel_type": "m.thread", "event_id": root}})
}

fn counts(answer: &Value, room: &str) -> (u64, u64) {
    let unread = &answer["rooms"]["join"][room]["unread_notifications"];
    (unread["notification_count"].as_u64().unwrap(), unread["highlight_count"].as_u64().unwrap())
}

#[tokio::test]
async fn messages_of_others_count_until_they_are_read() {
    let (server, alice, bob, room, since) = stage().await;
    let first = send(&server, &alice, &room, "1", text("one")).await;
    send(&server, &alice, &room, "2", json!({"msgtype": "m.notice", "body": "not counted"})).await;
    let mention = json!({"msgtype": "m.text", "body": "two", "m.mentions": {"user_ids": [bob.id]}});
    send(&server, &alice, &room, "3", mention).await;
    let news = server.sync(&bob, &format!("since={since}")).await;
    assert_eq!(counts(&news, &room), (2, 1));

    server.post(&bob, &format!("/v3/rooms/{room}/receipt/m.read.private/{first}"), json!({})).await;
    let since = news["next_batch"].as_str().unwrap();
    let news = server.sync(&bob, &format!("since={since}")).await;
    assert_eq!(counts(&news, &room), (1, 1));
    assert_eq!(counts(&server.sync(&bob, "").await, &room), (1, 1));
}

#[tokio::test]
async fn sending_is_reading() {
    let (server, alice, bob, room, since) = stage().await;
    send(&server, &alice, &room, "1", text("one")).await;
    send(&server, &bob, &room, "1", text("answer")).await;
    let news = server.sync(&bob, &format!("since={since}")).await;
    assert_eq!(counts(&news, &room), (0, 0));
}

#[tokio::test]
async fn the_whole_room_is_mentioned_by_those_who_may() {
    let (server, alice, bob, room, since) = stage().await;
    let everybody = json!({"msgtype": "m.text", "body": "all", "m.mentions": {"room": true}});
    send(&server, &alice, &room, "1", everybody.clone()).await;
    let news = server.sync(&bob, &format!("since={since}")).await;
    assert_eq!(counts(&news, &room), (1, 1));
    send(&server, &bob, &room, "1", everybody).await;
    assert_eq!(counts(&server.sync(&alice, "").await, &room), (1, 0));
}

#[tokio::test]
async fn threads_are_counted_and_read_apart() {
    let (server, alice, bob, room, _) = stage().await;
    let root = send(&server, &alice, &room, "1", text("root")).await;
    send(&server, &alice, &room, "2", in_thread(&root)).await;
    let last = send(&server, &alice, &room, "3", in_thread(&root)).await;
    let apart = r#"filter={"room":{"timeline":{"unread_thread_notifications":true}}}"#;
    let threads = |answer: &Value| answer["rooms"]["join"][&room]["unread_thread_notifications"].clone();

    let news = server.sync(&bob, apart).await;
    assert_eq!(counts(&news, &room), (1, 0));
    assert_eq!(threads(&news), json!({(root.as_str()): {"notification_count": 2, "highlight_count": 0}}));
    assert_eq!(counts(&server.sync(&bob, "").await, &room), (3, 0));

    let receipt = format!("/v3/rooms/{room}/receipt/m.read/{last}");
    let (status, answer) = server.post(&bob, &receipt, json!({"thread_id": "main"})).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_INVALID_PARAM")));
    assert_eq!(server.post(&bob, &receipt, json!({"thread_id": root})).await.0, 200);
    let news = server.sync(&bob, apart).await;
    assert_eq!((counts(&news, &room), threads(&news)), ((1, 0), Value::Null));

    assert_eq!(server.post(&bob, &receipt, json!({})).await.0, 200);
    assert_eq!(counts(&server.sync(&bob, apart).await, &room), (0, 0));
}

#[tokio::test]
async fn a_thread_and_the_room_have_receipts_of_their_own_on_one_event() {
    let (server, alice, bob, room, _) = stage().await;
    let event = send(&server, &alice, &room, "1", text("root")).await;
    let receipt = format!("/v3/rooms/{room}/receipt/m.read/{event}");
    for body in [json!({}), json!({"thread_id": "main"})] {
        assert_eq!(server.post(&bob, &receipt, body).await.0, 200);
    }
    let answer = server.sync(&alice, "").await;
    let receipts = answer["rooms"]["join"][&room]["ephemeral"]["events"].as_array().unwrap();
    let threads: Vec<_> =
        receipts.iter().map(|receipt| &receipt["content"][&event]["m.read"][&bob.id]["thread_id"]).collect();
    assert_eq!(threads, [&Value::Null, &json!("main")]);
}

#[tokio::test]
async fn receipts_of_what_can_not_be_read_are_refused() {
    let (server, _, bob, room, _) = stage().await;
    let elsewhere = server.room(&bob, json!({})).await;
    let foreign = server.say(&bob, &elsewhere, "elsewhere").await;
    let own = server.say(&bob, &room, "here").await;
    let cases = [
        (format!("m.read/{foreign}"), json!({}), 404),
        (format!("m.unknown/{own}"), json!({}), 400),
        (format!("m.read/{own}"), json!({"thread_id": ""}), 400),
        (format!("m.read/{own}"), json!({"thread_id": 1}), 400),
        (format!("m.fully_read/{own}"), json!({"thread_id": "main"}), 400),
        (format!("m.fully_read/{foreign}"), json!({}), 404),
    ];
    for (path, body, expected) in cases {
        let (status, answer) = server.post(&bob, &format!("/v3/rooms/{room}/receipt/{path}"), body).await;
        assert_eq!(status, expected, "{path} {answer}");
    }
    let markers = json!({"m.fully_read": own, "m.read": foreign});
    assert_eq!(server.post(&bob, &format!("/v3/rooms/{room}/read_markers"), markers).await.0, 404);
    let path = format!("/v3/user/{}/rooms/{room}/account_data/m.fully_read", bob.id);
    assert_eq!(server.get(&bob, &path).await.0, 404, "nothing is marked when one can not be");
}

#[tokio::test]
async fn notifications_are_listed_in_pages_with_what_was_read() {
    let (server, alice, bob, room, _) = stage().await;
    let other = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &other).await;
    let root = send(&server, &alice, &room, "1", text("root")).await;
    let reply = send(&server, &alice, &room, "2", in_thread(&root)).await;
    send(&server, &alice, &room, "3", json!({"msgtype": "m.notice", "body": "silent"})).await;
    let mention = json!({"msgtype": "m.text", "body": "two", "m.mentions": {"user_ids": [bob.id]}});
    let mention = send(&server, &alice, &other, "4", mention).await;
    send(&server, &bob, &room, "5", text("own")).await;
    let receipt = format!("/v3/rooms/{room}/receipt/m.read/{reply}");
    assert_eq!(server.post(&bob, &receipt, json!({"thread_id": root})).await.0, 200);

    let list = async |query: &str| server.get(&bob, &format!("/v3/notifications?{query}")).await.1;
    let shown = |page: &Value| -> Vec<(String, bool)> {
        let notifications = page["notifications"].as_array().unwrap().iter();
        let show = |one: &Value| (one["event"]["event_id"].as_str().unwrap().to_owned(), one["read"] == true);
        notifications.map(show).collect()
    };
    let page = list("limit=2").await;
    assert_eq!(shown(&page), [(mention.clone(), false), (reply, true)]);
    assert_eq!(page["notifications"][0]["room_id"], other);
    let page = list(&format!("from={}", page["next_token"].as_str().unwrap())).await;
    assert_eq!(shown(&page), [(root, false)]);
    assert_eq!(page.get("next_token"), None);
    assert_eq!(shown(&list("only=highlight").await), [(mention, false)]);
}
