//! Sync: what is new, told once, and at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Server, User, bodies, types};

fn next(answer: &Value) -> String {
    answer["next_batch"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_first_answer_has_everything_and_the_next_nothing() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({"name": "Room"})).await;
    server.say(&alice, &room, "hello").await;
    let first = server.sync(&alice, "").await;
    let joined = &first["rooms"]["join"][&room];
    assert_eq!(joined["timeline"]["limited"], false);
    assert_eq!(types(&joined["timeline"]["events"])[0], "m.room.create");
    assert_eq!(joined["state"]["events"], json!([]));
    assert_eq!(joined["summary"]["m.joined_member_count"], 1);
    assert!(joined["timeline"]["events"][0].get("room_id").is_none());

    let second = server.sync(&alice, &format!("since={}", next(&first))).await;
    assert_eq!(second, json!({"next_batch": next(&first), "device_unused_fallback_key_types": []}));
}

#[tokio::test]
async fn a_waiting_client_is_told_at_once() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let since = next(&server.sync(&bob, "").await);
    let begun = Instant::now();
    let query = format!("since={since}&timeout=20000");
    let (news, _) = tokio::join!(server.sync(&bob, &query), server.say(&alice, &room, "hello"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(bodies(&news["rooms"]["join"][&room]["timeline"]["events"]), ["hello"]);
    assert_eq!(news["rooms"]["join"][&room]["unread_notifications"]["notification_count"], 1);
}

#[tokio::test]
async fn a_gap_is_named_and_its_state_told() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({"name": "Room"})).await;
    let since = next(&server.sync(&alice, "").await);
    server.put(&alice, &format!("/v3/rooms/{room}/state/m.room.topic"), json!({"topic": "new"})).await;
    for text in ["a", "b", "c"] {
        server.say(&alice, &room, text).await;
    }
    let filter = r#"{"room":{"timeline":{"limit":2}}}"#;
    let news = server.sync(&alice, &format!("since={since}&filter={filter}")).await;
    let joined = &news["rooms"]["join"][&room];
    assert_eq!(joined["timeline"]["limited"], true);
    assert_eq!(bodies(&joined["timeline"]["events"]), ["b", "c"]);
    assert_eq!(types(&joined["state"]["events"]), ["m.room.topic"]);

    let from = joined["timeline"]["prev_batch"].as_str().unwrap();
    let path = format!("/v3/rooms/{room}/messages?dir=b&from={from}&to={since}");
    let (_, gap) = server.get(&alice, &path).await;
    assert_eq!(types(&gap["chunk"]), ["m.room.message", "m.room.topic"]);
    assert!(gap.get("end").is_none());

    let after = server.sync(&alice, &format!("since={since}&use_state_after=true")).await;
    let joined = &after["rooms"]["join"][&room];
    assert!(joined.get("state").is_none());
    assert_eq!(types(&joined["state_after"]["events"]), ["m.room.topic"]);
}

/// What a newcomer may not see of a room changes its state all the same, and nothing older may be told after it.
#[tokio::test]
async fn an_unseen_change_of_state_is_not_undone_by_the_timeline() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat", "name": "old"})).await;
    let path = |event_type: &str| format!("/v3/rooms/{room}/state/{event_type}");
    server.put(&alice, &path("m.room.history_visibility"), json!({"history_visibility": "joined"})).await;
    server.put(&alice, &path("m.room.name"), json!({"name": "new"})).await;
    server.join(&bob, &room).await;
    let joined = server.sync(&bob, "").await["rooms"]["join"][&room].clone();
    let told = joined["state"]["events"].as_array().unwrap().iter();
    let mut told = told.chain(joined["timeline"]["events"].as_array().unwrap());
    let name = told.rfind(|event| event["type"] == "m.room.name").unwrap();
    assert_eq!(name["content"]["name"], "new");
    assert_eq!(joined["timeline"]["limited"], true);

    let after = server.sync(&bob, "use_state_after=true").await["rooms"]["join"][&room].clone();
    let told = after["state_after"]["events"].as_array().unwrap().iter();
    let names: Vec<_> = told.filter(|event| event["type"] == "m.room.name").collect();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["content"]["name"], "new");
}

#[tokio::test]
async fn rooms_come_and_go_by_section() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let start = next(&server.sync(&bob, "").await);
    let room = server.room(&alice, json!({"invite": [bob.id], "name": "Room"})).await;
    let invited = server.sync(&bob, &format!("since={start}")).await;
    let stripped = &invited["rooms"]["invite"][&room]["invite_state"]["events"];
    assert!(types(stripped).contains(&"m.room.create") && types(stripped).contains(&"m.room.name"));
    assert!(stripped[0].get("event_id").is_none());

    server.join(&bob, &room).await;
    let joined = server.sync(&bob, &format!("since={}", next(&invited))).await;
    assert!(joined["rooms"]["join"].get(&room).is_some() && joined["rooms"].get("invite").is_none());

    server.post(&bob, &format!("/v3/rooms/{room}/leave"), json!({})).await;
    server.say(&alice, &room, "secret").await;
    let left = server.sync(&bob, &format!("since={}", next(&joined))).await;
    let events = &left["rooms"]["leave"][&room]["timeline"]["events"];
    assert_eq!(types(events), ["m.room.member"]);
    let silent = server.sync(&bob, &format!("since={}", next(&left))).await;
    assert!(silent.get("rooms").is_none());

    assert!(server.sync(&bob, "").await.get("rooms").is_none());
    let all = server.sync(&bob, r#"filter={"room":{"include_leave":true}}"#).await;
    assert!(all["rooms"]["leave"].get(&room).is_some());
    server.post(&bob, &format!("/v3/rooms/{room}/forget"), json!({})).await;
    let all = server.sync(&bob, r#"filter={"room":{"include_leave":true}}"#).await;
    assert!(all.get("rooms").is_none());
}

#[tokio::test]
async fn a_rejected_invite_is_seen_to_end() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"invite": [bob.id]})).await;
    let since = next(&server.sync(&bob, "").await);
    server.post(&bob, &format!("/v3/rooms/{room}/leave"), json!({})).await;
    let news = server.sync(&bob, &format!("since={since}")).await;
    let events = &news["rooms"]["leave"][&room]["timeline"]["events"];
    assert_eq!(
        (types(events), &events[0]["content"]["membership"]),
        (vec!["m.room.member"], &json!("leave"))
    );
}

#[tokio::test]
async fn typing_is_told_to_members_and_ends() {
    let server = Server::start().await;
    let (alice, bob, eve) = (server.user("alice").await, server.user("bob").await, server.user("eve").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let since = next(&server.sync(&bob, "").await);
    let path = |user: &User| format!("/v3/rooms/{room}/typing/{}", user.id);
    assert_eq!(server.put(&eve, &path(&eve), json!({"typing": true})).await.0, 403);
    assert_eq!(server.put(&alice, &path(&bob), json!({"typing": true})).await.0, 403);
    server.put(&alice, &path(&alice), json!({"typing": true, "timeout": 50})).await;

    let news = server.sync(&bob, &format!("since={since}&timeout=20000")).await;
    let told = |news: &Value| news["rooms"]["join"][&room]["ephemeral"]["events"].clone();
    assert_eq!(told(&news), json!([{"type": "m.typing", "content": {"user_ids": [alice.id]}}]));
    let news = server.sync(&bob, &format!("since={}&timeout=20000", next(&news))).await;
    assert_eq!(told(&news), json!([{"type": "m.typing", "content": {"user_ids": []}}]));
    assert!(server.sync(&eve, "").await.get("rooms").is_none());
}

#[tokio::test]
async fn private_receipts_stay_private() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let event = server.say(&alice, &room, "hello").await;
    let since = (next(&server.sync(&alice, "").await), next(&server.sync(&bob, "").await));
    let path = |kind: &str| format!("/v3/rooms/{room}/receipt/{kind}/{event}");
    let receipts =
        |news: &Value| news["rooms"]["join"][&room]["ephemeral"]["events"][0]["content"][&event].clone();

    server.post(&bob, &path("m.read.private"), json!({})).await;
    assert!(server.sync(&alice, &format!("since={}", since.0)).await.get("rooms").is_none());
    let own = server.sync(&bob, &format!("since={}", since.1)).await;
    assert!(receipts(&own)["m.read.private"].get(&bob.id).is_some());
    assert_eq!(own["rooms"]["join"][&room]["unread_notifications"]["notification_count"], 0);

    server.post(&bob, &path("m.read"), json!({"thread_id": "main"})).await;
    let seen = server.sync(&alice, &format!("since={}", since.0)).await;
    assert_eq!(receipts(&seen)["m.read"][&bob.id]["thread_id"], "main");

    let markers = json!({"m.fully_read": event});
    server.post(&bob, &format!("/v3/rooms/{room}/read_markers"), markers).await;
    let news = server.sync(&bob, &format!("since={}", next(&own))).await;
    let data = &news["rooms"]["join"][&room]["account_data"]["events"];
    assert_eq!(data, &json!([{"type": "m.fully_read", "content": {"event_id": event}}]));
}

#[tokio::test]
async fn account_data_and_tags_reach_other_clients() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let since = next(&server.sync(&alice, "").await);
    server.put(&alice, &format!("/v3/user/{}/account_data/org.example", alice.id), json!({"a": 1})).await;
    let tags = format!("/v3/user/{}/rooms/{room}/tags/u.work", alice.id);
    assert_eq!(server.put(&alice, &tags, json!({"order": 2})).await.0, 400);
    assert_eq!(server.put(&alice, &tags, json!({"order": 0.5})).await.0, 200);
    let news = server.sync(&alice, &format!("since={since}")).await;
    assert_eq!(news["account_data"]["events"], json!([{"type": "org.example", "content": {"a": 1}}]));
    let data = &news["rooms"]["join"][&room]["account_data"]["events"][0];
    assert_eq!(data, &json!({"type": "m.tag", "content": {"tags": {"u.work": {"order": 0.5}}}}));
}

#[tokio::test]
async fn messages_to_devices_last_until_they_are_acknowledged() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let messages = json!({"messages": {(bob.id.as_str()): {"*": {"secret": 1}}}});
    for _ in 0..2 {
        server.put(&alice, "/v3/sendToDevice/org.example/1", messages.clone()).await;
    }
    let expected = json!([{"type": "org.example", "sender": alice.id, "content": {"secret": 1}}]);
    let first = server.sync(&bob, "").await;
    assert_eq!(first["to_device"]["events"], expected);
    assert_eq!(server.sync(&bob, "").await["to_device"]["events"], expected);
    let after = server.sync(&bob, &format!("since={}", next(&first))).await;
    assert!(after.get("to_device").is_none());
    assert!(server.sync(&bob, "").await.get("to_device").is_none());
}

#[tokio::test]
async fn members_are_loaded_lazily() {
    let server = Server::start().await;
    let (alice, bob, eve) = (server.user("alice").await, server.user("bob").await, server.user("eve").await);
    let room = server.room(&alice, json!({"preset": "public_chat", "name": "Room"})).await;
    server.join(&bob, &room).await;
    server.join(&eve, &room).await;
    server.say(&eve, &room, "hello").await;
    let filter = r#"{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}}"#;
    let answer = server.sync(&alice, &format!("filter={filter}")).await;
    let state = answer["rooms"]["join"][&room]["state"]["events"].as_array().unwrap();
    let mut members: Vec<_> = state
        .iter()
        .filter(|e| e["type"] == "m.room.member")
        .map(|e| e["state_key"].as_str().unwrap())
        .collect();
    members.sort_unstable();
    assert_eq!(members, [alice.id.as_str(), eve.id.as_str()]);
}

#[tokio::test]
async fn closing_ends_the_wait() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let since = next(&server.sync(&alice, "").await);
    let request = server
        .request(reqwest::Method::GET, &format!("/_matrix/client/v3/sync?since={since}&timeout=60000"))
        .bearer_auth(&alice.token);
    let waiting = tokio::spawn(request.send());
    // The client has to be waiting before the server closes; a second request shows that the first is in.
    server.sync(&alice, "").await;
    let begun = Instant::now();
    server.running.shut_down().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(waiting);
}
