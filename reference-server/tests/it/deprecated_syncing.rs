//! The event stream that `/sync` has replaced.

use serde_json::json;

use crate::client::{Server, bodies};

#[tokio::test]
async fn the_first_view_and_the_stream_fit_together() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    let left = server.room(&alice, json!({"preset": "public_chat"})).await;
    let invited = server.room(&alice, json!({"invite": [bob.id]})).await;
    for joined in [&room, &left] {
        server.join(&bob, joined).await;
    }
    server.say(&alice, &left, "before").await;
    server.post(&bob, &format!("/v3/rooms/{left}/leave"), json!({})).await;
    server.say(&alice, &left, "after").await;
    server.say(&alice, &room, "one").await;
    server.say(&alice, &room, "two").await;

    let (_, view) = server.get(&bob, "/v3/initialSync?limit=1&archived=true").await;
    let info = |room: &str| {
        let rooms = view["rooms"].as_array().unwrap();
        rooms.iter().find(|info| info["room_id"] == room).unwrap().clone()
    };
    assert_eq!(bodies(&info(&room)["messages"]["chunk"]), ["two"]);
    assert_eq!(
        (info(&room)["membership"].as_str(), info(&left)["membership"].as_str()),
        (Some("join"), Some("leave"))
    );
    assert!(!info(&left).to_string().contains("after"));
    assert_eq!(info(&invited)["invite"]["content"]["membership"], "invite");
    let (_, present) = server.get(&bob, "/v3/initialSync").await;
    assert_eq!(present["rooms"].as_array().unwrap().len(), 2);

    let stream = |from: &str| format!("/v3/events?from={from}&timeout=60000");
    let path = stream(view["end"].as_str().unwrap());
    let ((status, news), event) = tokio::join!(server.get(&bob, &path), server.say(&alice, &room, "three"));
    assert_eq!((status.as_u16(), bodies(&news["chunk"])), (200, vec!["three"]));
    assert_eq!(news["start"], view["end"]);
    server.say(&alice, &room, "four").await;
    let (_, more) = server.get(&bob, &stream(news["end"].as_str().unwrap())).await;
    assert_eq!(bodies(&more["chunk"]), ["four"]);

    let path = format!("/v3/events/{event}");
    assert_eq!(server.get(&bob, &path).await.1["content"]["body"], "three");
    let eve = server.user("eve").await;
    assert_eq!(server.get(&eve, &path).await.0, 404);
}

#[tokio::test]
async fn rooms_that_the_world_may_read_are_followed_from_outside() {
    let server = Server::start().await;
    let (alice, eve) = (server.user("alice").await, server.user("eve").await);
    let visible = json!({
        "type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "world_readable"},
    });
    let open = server.room(&alice, json!({"initial_state": [visible]})).await;
    let closed = server.room(&alice, json!({})).await;
    let (_, view) = server.get(&eve, &format!("/v3/rooms/{open}/initialSync")).await;
    let from = view["messages"]["end"].as_str().unwrap().to_owned();
    let path = |room: &str| format!("/v3/events?from={from}&timeout=60000&room_id={room}");
    assert_eq!(server.get(&eve, &path(&closed)).await.0, 403);
    let open_path = path(&open);
    let ((_, news), _) = tokio::join!(server.get(&eve, &open_path), server.say(&alice, &open, "seen"));
    assert_eq!(bodies(&news["chunk"]), ["seen"]);
}
