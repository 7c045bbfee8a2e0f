//! Rooms: creation, membership, state, messages, history, aliases, the directory.

use reference_server::Config;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::client::{Server, bodies, types};

#[rstest]
#[tokio::test]
async fn a_room_of_every_version_takes_events(
    #[values("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")] version: &str,
) {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let body = json!({"room_version": version, "preset": "public_chat", "name": "Room", "topic": "Topic"});
    let room = server.room(&alice, body).await;
    assert_eq!(room.contains(':'), version != "12");
    server.join(&bob, &room).await;
    let event = server.say(&bob, &room, "hello").await;

    let (_, create) = server.get(&bob, &format!("/v3/rooms/{room}/state/m.room.create/?format=event")).await;
    assert_eq!(create["content"]["room_version"], version);
    assert_eq!(create["room_id"], room.as_str());
    // Room version 3 has event ids with slashes.
    let event_in_path = event.replace('/', "%2F");
    let path = format!("/v3/rooms/{room}/redact/{event_in_path}/1");
    let (status, answer) = server.put(&bob, &path, json!({"reason": "typo"})).await;
    assert_eq!(status, 200, "{answer}");
    let (_, redacted) = server.get(&alice, &format!("/v3/rooms/{room}/event/{event_in_path}")).await;
    assert_eq!(redacted["content"], json!({}));
    let because = &redacted["unsigned"]["redacted_because"];
    assert_eq!((&because["redacts"], &because["content"]["reason"]), (&json!(event), &json!("typo")));
}

#[tokio::test]
async fn creation_makes_events_in_the_order_of_the_specification() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let body = json!({
        "room_alias_name": "pub", "name": "Pub", "topic": "Beer", "invite": [bob.id], "is_direct": true,
        "initial_state": [{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}],
    });
    let room = server.room(&alice, body).await;
    let (_, page) = server.get(&alice, &format!("/v3/rooms/{room}/messages?dir=f&limit=50")).await;
    assert_eq!(
        types(&page["chunk"]),
        [
            "m.room.create",
            "m.room.member",
            "m.room.power_levels",
            "m.room.canonical_alias",
            "m.room.join_rules",
            "m.room.guest_access",
            "m.room.history_visibility",
            "m.room.name",
            "m.room.topic",
            "m.room.member"
        ]
    );
    let invite = &page["chunk"][9]["content"];
    assert_eq!((&invite["membership"], &invite["is_direct"]), (&json!("invite"), &json!(true)));
    let rich = json!([{"body": "Beer", "mimetype": "text/plain"}]);
    assert_eq!(page["chunk"][8]["content"]["m.topic"]["m.text"], rich);
    let (_, alias) = server.call(None, Method::GET, "/v3/directory/room/%23pub:test.example", None).await;
    assert_eq!(alias["room_id"], room.as_str());
}

#[rstest]
#[case(json!({"room_version": 1}), 400, "M_BAD_JSON")]
#[case(json!({"room_version": "99"}), 400, "M_UNSUPPORTED_ROOM_VERSION")]
#[case(json!({"preset": "other"}), 400, "M_INVALID_PARAM")]
#[case(json!({"name": "x", "power_level_content_override": {"users": {"@alice:test.example": 0}}, "room_version": "11"}), 400, "M_INVALID_ROOM_STATE")]
#[case(json!({"power_level_content_override": {"users": {"@alice:test.example": 100}}}), 400, "M_BAD_JSON")]
#[case(json!({"creation_content": {"additional_creators": ["nobody"]}}), 400, "M_BAD_JSON")]
#[case(json!({"initial_state": [{"type": "x", "content": {"number": 1.5}}]}), 400, "M_BAD_JSON")]
#[tokio::test]
async fn a_room_that_can_not_be_is_refused(#[case] body: Value, #[case] status: u16, #[case] errcode: &str) {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let answer = server.post(&alice, "/v3/createRoom", body).await;
    assert_eq!((answer.0.as_u16(), &answer.1["errcode"]), (status, &json!(errcode)), "{}", answer.1);
}

#[tokio::test]
async fn membership_goes_its_ways() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({})).await;
    let act = async |user, what: &str, target: &str| {
        server.post(user, &format!("/v3/rooms/{room}/{what}"), json!({"user_id": target})).await.0.as_u16()
    };
    assert_eq!(act(&bob, "join", "").await, 403);
    assert_eq!(act(&alice, "kick", &bob.id).await, 403);
    assert_eq!(act(&alice, "invite", &bob.id).await, 200);
    assert_eq!(act(&alice, "invite", &bob.id).await, 200);
    assert_eq!(act(&bob, "join", "").await, 200);
    assert_eq!(act(&bob, "ban", &alice.id).await, 403);
    assert_eq!(server.get(&bob, "/v3/joined_rooms").await.1, json!({"joined_rooms": [room]}));
    assert_eq!(act(&bob, "forget", "").await, 400);
    assert_eq!(act(&alice, "ban", &bob.id).await, 200);
    assert_eq!(act(&alice, "invite", &bob.id).await, 403);
    assert_eq!(act(&alice, "unban", &bob.id).await, 200);
    assert_eq!(act(&alice, "unban", &bob.id).await, 403);
    assert_eq!(act(&bob, "forget", "").await, 200);
    assert_eq!(server.get(&bob, &format!("/v3/rooms/{room}/messages?dir=b")).await.0, 403);
}

#[tokio::test]
async fn who_has_left_reads_up_to_there() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat", "name": "before"})).await;
    server.join(&bob, &room).await;
    server.say(&alice, &room, "one").await;
    server.post(&bob, &format!("/v3/rooms/{room}/leave"), json!({})).await;
    server.say(&alice, &room, "two").await;
    server.put(&alice, &format!("/v3/rooms/{room}/state/m.room.name"), json!({"name": "after"})).await;

    let (_, name) = server.get(&bob, &format!("/v3/rooms/{room}/state/m.room.name/")).await;
    assert_eq!(name, json!({"name": "before"}));
    let (_, page) = server.get(&bob, &format!("/v3/rooms/{room}/messages?dir=b")).await;
    assert_eq!(bodies(&page["chunk"]), ["one"]);
    assert_eq!(server.get(&bob, &format!("/v3/rooms/{room}/joined_members")).await.0, 403);
}

#[tokio::test]
async fn history_is_visible_as_it_was_set() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let hidden = json!([{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}]);
    let room = server.room(&alice, json!({"preset": "public_chat", "initial_state": hidden})).await;
    let before = server.say(&alice, &room, "before").await;
    server.join(&bob, &room).await;
    let after = server.say(&alice, &room, "after").await;
    assert_eq!(server.get(&bob, &format!("/v3/rooms/{room}/event/{before}")).await.0, 404);
    assert_eq!(server.get(&bob, &format!("/v3/rooms/{room}/event/{after}")).await.0, 200);
    let (_, page) = server.get(&bob, &format!("/v3/rooms/{room}/messages?dir=b")).await;
    assert_eq!(bodies(&page["chunk"]), ["after"]);
}

#[tokio::test]
async fn pages_meet_without_gap_or_overlap() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    // More than are kept in memory.
    let said: Vec<_> = (0..150).map(|number| number.to_string()).collect();
    for text in &said {
        server.say(&alice, &room, text).await;
    }
    for dir in ["b", "f"] {
        let mut read = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("/v3/rooms/{room}/messages?dir={dir}&limit=40{from}");
            let (_, page) = server.get(&alice, &path).await;
            read.extend(bodies(&page["chunk"]).into_iter().map(str::to_owned));
            let Some(end) = page["end"].as_str() else { break };
            from = format!("&from={end}");
        }
        if dir == "b" {
            read.reverse();
        }
        assert_eq!(read, said, "{dir}");
    }
    let (_, page) = server.get(&alice, &format!("/v3/rooms/{room}/messages?dir=b&from=nonsense")).await;
    assert_eq!(page["errcode"], "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_transaction_is_carried_out_once() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let first = server.say(&alice, &room, "text").await;
    let again = server.say(&alice, &room, "text").await;
    assert_eq!(first, again);
    let other_type = format!("/v3/rooms/{room}/send/org.example.other/text");
    assert_ne!(server.put(&alice, &other_type, json!({})).await.1["event_id"], first.as_str());
    let (_, event) = server.get(&alice, &format!("/v3/rooms/{room}/event/{first}")).await;
    assert_eq!(event["unsigned"]["transaction_id"], "text");
}

#[tokio::test]
async fn the_same_state_is_not_set_twice() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let path = format!("/v3/rooms/{room}/state/m.room.topic");
    let first = server.put(&alice, &path, json!({"topic": "a"})).await.1;
    assert_eq!(server.put(&alice, &path, json!({"topic": "a"})).await.1, first);
    let third = server.put(&alice, &format!("{path}/"), json!({"topic": "b"})).await.1;
    assert_ne!(third, first);
    let event = third["event_id"].as_str().unwrap();
    let (_, event) = server.get(&alice, &format!("/v3/rooms/{room}/event/{event}")).await;
    assert_eq!(event["unsigned"]["replaces_state"], first["event_id"]);
    assert_eq!(event["unsigned"]["prev_content"], json!({"topic": "a"}));
}

#[rstest]
#[case(json!({"msgtype": "m.text", "body": "x".repeat(65_536)}), 413, "M_TOO_LARGE")]
#[case(json!({"msgtype": "m.text", "body": "x", "number": 9_007_199_254_740_992_i64}), 400, "M_BAD_JSON")]
#[case(json!({"msgtype": "m.text", "body": "x", "number": 1.5}), 400, "M_BAD_JSON")]
#[case(json!({"body": "x"}), 400, "M_MISSING_PARAM")]
#[tokio::test]
async fn an_event_that_can_not_be_is_refused(
    #[case] content: Value,
    #[case] status: u16,
    #[case] errcode: &str,
) {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let answer = server.put(&alice, &format!("/v3/rooms/{room}/send/m.room.message/1"), content).await;
    assert_eq!((answer.0.as_u16(), &answer.1["errcode"]), (status, &json!(errcode)));
}

#[tokio::test]
async fn others_events_are_redacted_with_power_only() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let event = server.say(&alice, &room, "hello").await;
    let path = |number: u8| format!("/v3/rooms/{room}/redact/{event}/{number}");
    assert_eq!(server.put(&bob, &path(1), json!({})).await.0, 403);
    assert_eq!(server.put(&alice, &path(2), json!({})).await.0, 200);
}

#[tokio::test]
async fn restricted_rooms_let_members_of_others_in() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let door = server.room(&alice, json!({"preset": "public_chat"})).await;
    let allow = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": door}]});
    let rules = json!([{"type": "m.room.join_rules", "content": allow}]);
    let inner = server.room(&alice, json!({"initial_state": rules})).await;
    assert_eq!(server.post(&bob, &format!("/v3/rooms/{inner}/join"), json!({})).await.0, 403);
    server.join(&bob, &door).await;
    server.join(&bob, &inner).await;
    let (_, member) = server.get(&alice, &format!("/v3/rooms/{inner}/state/m.room.member/{}", bob.id)).await;
    assert_eq!(member["join_authorised_via_users_server"], alice.id);
}

#[tokio::test]
async fn canonical_aliases_lead_to_their_room() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let other = server.room(&alice, json!({"room_alias_name": "other"})).await;
    let path = format!("/v3/rooms/{room}/state/m.room.canonical_alias");
    let set = async |content: Value| server.put(&alice, &path, content).await.1["errcode"].clone();
    assert_eq!(set(json!({"alias": "#other:test.example"})).await, "M_BAD_ALIAS");
    assert_eq!(set(json!({"alias": "#none:test.example"})).await, "M_BAD_ALIAS");
    assert_eq!(set(json!({"alt_aliases": ["malformed"]})).await, "M_INVALID_PARAM");
    let alias = "/v3/directory/room/%23mine:test.example";
    assert_eq!(server.put(&alice, alias, json!({"room_id": room})).await.0, 200);
    assert_eq!(server.put(&alice, alias, json!({"room_id": other})).await.0, 409);
    assert_eq!(set(json!({"alias": "#mine:test.example"})).await, Value::Null);

    assert_eq!(server.call(Some(&alice), Method::DELETE, alias, None).await.0, 200);
    assert_eq!(server.get(&alice, &path).await.1, json!({}));
}

#[tokio::test]
async fn the_directory_is_searched_in_pages() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    for name in ["apple", "apple pie", "pear"] {
        server.room(&alice, json!({"name": name, "visibility": "public"})).await;
    }
    server.room(&alice, json!({"name": "apple in private"})).await;
    let search = json!({"limit": 1, "filter": {"generic_search_term": "APPLE"}});
    let (_, first) = server.post(&alice, "/v3/publicRooms", search.clone()).await;
    assert_eq!(first["total_room_count_estimate"], 2);
    let mut search = search;
    search["since"] = first["next_batch"].clone();
    let (_, second) = server.post(&alice, "/v3/publicRooms", search).await;
    assert_ne!(first["chunk"][0]["room_id"], second["chunk"][0]["room_id"]);
    assert!(second.get("next_batch").is_none());
    let (_, all) = server.call(None, Method::GET, "/v3/publicRooms", None).await;
    assert_eq!(all["chunk"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn context_surrounds_an_event() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let mut ids = Vec::new();
    for text in ["a", "b", "c", "d", "e"] {
        ids.push(server.say(&alice, &room, text).await);
    }
    let (_, context) = server.get(&alice, &format!("/v3/rooms/{room}/context/{}?limit=2", ids[2])).await;
    assert_eq!(context["event"]["content"]["body"], "c");
    assert_eq!((bodies(&context["events_before"]), bodies(&context["events_after"])), (vec!["b"], vec!["d"]));
    let end = context["end"].as_str().unwrap();
    let (_, page) = server.get(&alice, &format!("/v3/rooms/{room}/messages?dir=f&from={end}")).await;
    assert_eq!(bodies(&page["chunk"]), ["e"]);
}

#[tokio::test]
async fn a_room_outlives_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new("test.example");
    config.data = Some(folder.path().to_owned());
    let server = Server::with(config.clone()).await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({"name": "Room"})).await;
    let event = server.say(&alice, &room, "hello").await;
    let token = server.sync(&alice, "").await["next_batch"].as_str().unwrap().to_owned();
    server.running.shut_down().await;

    let server = Server::with(config).await;
    let first = server.sync(&alice, "").await;
    assert_eq!(bodies(&first["rooms"]["join"][&room]["timeline"]["events"]), ["hello"]);
    assert_eq!(
        server.get(&alice, &format!("/v3/rooms/{room}/event/{event}")).await.1["content"]["body"],
        "hello"
    );
    server.say(&alice, &room, "again").await;
    let news = server.sync(&alice, &format!("since={token}")).await;
    assert_eq!(bodies(&news["rooms"]["join"][&room]["timeline"]["events"]), ["again"]);
}
