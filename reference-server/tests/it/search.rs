//! Full-text search.

use serde_json::{Value, json};

use crate::client::{Server, User};

async fn search(server: &Server, user: &User, next_batch: &str, criteria: Value) -> Value {
    let body = json!({"search_categories": {"room_events": criteria}});
    let (status, answer) = server.post(user, &format!("/v3/search{next_batch}"), body).await;
    assert_eq!(status, 200, "{answer}");
    answer["search_categories"]["room_events"].clone()
}

fn found(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap().iter();
    results.map(|result| result["result"]["event_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_was_seen_is_found_and_nothing_else() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat", "name": "Martian Club"})).await;
    server.join(&bob, &room).await;
    let first = server.say(&alice, &room, "martians").await;
    server.post(&bob, &format!("/v3/rooms/{room}/leave"), json!({})).await;
    let second = server.say(&alice, &room, "martian-men").await;
    let elsewhere = server.room(&alice, json!({})).await;
    server.say(&alice, &elsewhere, "martians-elsewhere").await;
    let recent = |term: &str| json!({"search_term": term, "order_by": "recent", "keys": ["content.body"]});

    assert_eq!(found(&search(&server, &bob, "", recent("Martian")).await), [&first]);
    let filter = json!({"search_term": "martian", "filter": {"rooms": [room]}, "keys": ["content.body"]});
    let by_alice = search(&server, &alice, "", filter).await;
    assert_eq!((found(&by_alice).len(), &by_alice["count"]), (2, &json!(2)));
    assert_eq!(found(&search(&server, &alice, "", recent("men martian")).await), [&second]);
    let name = json!({"search_term": "martian club", "keys": ["content.name"]});
    assert_eq!(search(&server, &alice, "", name).await["results"][0]["result"]["type"], "m.room.name");
    for harmless in ["", "  ", "\"", "martians OR", "men*", "NEAR(men)", "body:men"] {
        search(&server, &alice, "", recent(harmless)).await;
    }

    let redact = format!("/v3/rooms/{room}/redact/{second}/1");
    server.put(&alice, &redact, json!({})).await;
    assert_eq!(found(&search(&server, &alice, "", recent("men martian")).await), [""; 0]);
    let encryption = format!("/v3/rooms/{room}/state/m.room.encryption");
    server.put(&alice, &encryption, json!({"algorithm": "m.megolm.v1.aes-sha2"})).await;
    assert_eq!(found(&search(&server, &bob, "", recent("martian")).await), [""; 0]);
}

#[tokio::test]
async fn results_come_in_pages_groups_and_context() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let profile = format!("/v3/profile/{}/displayname", alice.id);
    server.put(&alice, &profile, json!({"displayname": "Alice"})).await;
    let rooms = [server.room(&alice, json!({})).await, server.room(&alice, json!({})).await];
    let mut sent = Vec::new();
    for (number, room) in [0, 0, 1].into_iter().enumerate() {
        sent.push(server.say(&alice, &rooms[room], &format!("quince-{number}")).await);
    }
    let criteria = json!({
        "search_term": "quince", "order_by": "recent", "filter": {"limit": 2}, "include_state": true,
        "groupings": {"group_by": [{"key": "room_id"}, {"key": "sender"}]},
        "event_context": {"before_limit": 1, "after_limit": 1, "include_profile": true},
    });
    let page = search(&server, &alice, "", criteria.clone()).await;
    assert_eq!(found(&page), [&sent[2], &sent[1]]);
    assert_eq!((&page["count"], &page["highlights"]), (&json!(3), &json!(["quince"])));
    let groups = json!({
        "room_id": {
            (rooms[1].as_str()): {"order": 1, "results": [sent[2]]},
            (rooms[0].as_str()): {"order": 2, "results": [sent[1]]},
        },
        "sender": {(alice.id.as_str()): {"order": 1, "results": [sent[2], sent[1]]}},
    });
    assert_eq!(page["groups"], groups);
    assert_eq!(page["state"].as_object().unwrap().len(), 2);
    let context = &page["results"][1]["context"];
    assert_eq!(context["events_before"][0]["event_id"], sent[0].as_str());
    assert_eq!(context["events_after"], json!([]));
    assert_eq!(context["profile_info"], json!({(alice.id.as_str()): {"displayname": "Alice"}}));

    let next = format!("?next_batch={}", page["next_batch"].as_str().unwrap());
    let page = search(&server, &alice, &next, criteria).await;
    assert_eq!((found(&page), page.get("next_batch")), (vec![sent[0].as_str()], None));
}
