//! Upgrades, relations, push rules, guests, profiles in rooms, directories of users, summaries.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::client::{Server, User, bodies, types};

#[rstest]
#[case("10", "11")]
#[case("11", "12")]
#[case("12", "12")]
#[case("12", "11")]
#[tokio::test]
async fn an_upgrade_takes_state_and_aliases_along(#[case] from: &str, #[case] to: &str) {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let body = json!({
        "room_version": from, "preset": "public_chat", "name": "Room", "room_alias_name": "alias",
        "creation_content": {"type": "m.space"},
    });
    let old = server.room(&alice, body).await;
    server.join(&bob, &old).await;
    let upgrade = format!("/v3/rooms/{old}/upgrade");
    assert_eq!(server.post(&bob, &upgrade, json!({"new_version": to})).await.0, 403);
    let unknown = server.post(&alice, &upgrade, json!({"new_version": "99"})).await;
    assert_eq!(unknown.1["errcode"], "M_UNSUPPORTED_ROOM_VERSION");
    let (status, answer) = server.post(&alice, &upgrade, json!({"new_version": to})).await;
    assert_eq!(status, 200, "{answer}");
    let new = answer["replacement_room"].as_str().unwrap();

    let state =
        async |room: &str, what: &str| server.get(&alice, &format!("/v3/rooms/{room}/state/{what}/")).await.1;
    let create = state(new, "m.room.create").await;
    assert_eq!((&create["predecessor"]["room_id"], &create["type"]), (&json!(old), &json!("m.space")));
    assert_eq!(state(new, "m.room.name").await, json!({"name": "Room"}));
    assert_eq!(state(&old, "m.room.tombstone").await["replacement_room"], new);
    assert_eq!(state(&old, "m.room.power_levels").await["events_default"], 50);
    assert_eq!(state(new, "m.room.power_levels").await["events_default"], 0);
    let (_, alias) = server.call(None, Method::GET, "/v3/directory/room/%23alias:test.example", None).await;
    assert_eq!(alias["room_id"], new);
    assert_eq!(
        server.put(&alice, &format!("/v3/rooms/{new}/state/m.room.name"), json!({"name": "x"})).await.0,
        200
    );
}

#[tokio::test]
async fn relations_are_listed_in_pages() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let root = server.say(&alice, &room, "root").await;
    let relate = async |number: u8, event_type: &str, rel_type: &str, parent: &str| {
        let content = json!({
            "msgtype": "m.text", "body": number.to_string(),
            "m.relates_to": {"rel_type": rel_type, "event_id": parent, "key": "k"},
        });
        let path = format!("/v3/rooms/{room}/send/{event_type}/r{number}");
        server.put(&alice, &path, content).await
    };
    let (_, first) = relate(1, "m.room.message", "m.thread", &root).await;
    relate(2, "m.room.message", "m.reference", &root).await;
    relate(3, "m.reaction", "m.annotation", &root).await;
    relate(4, "m.reaction", "m.annotation", first["event_id"].as_str().unwrap()).await;
    let (status, again) = relate(5, "m.reaction", "m.annotation", &root).await;
    assert_eq!((status.as_u16(), &again["errcode"]), (400, &json!("M_DUPLICATE_ANNOTATION")));

    let list = async |rest: &str| {
        let (_, page) = server.get(&alice, &format!("/v1/rooms/{room}/relations/{root}{rest}")).await;
        page
    };
    assert_eq!(bodies(&list("").await["chunk"]), ["3", "2", "1"]);
    assert_eq!(bodies(&list("?dir=f&recurse=true").await["chunk"]), ["1", "2", "3", "4"]);
    assert_eq!(bodies(&list("/m.thread").await["chunk"]), ["1"]);
    assert_eq!(bodies(&list("/m.annotation/m.room.message").await["chunk"]), [""; 0]);
    let page = list("?limit=2").await;
    assert_eq!(bodies(&page["chunk"]), ["3", "2"]);
    let next = page["next_batch"].as_str().unwrap();
    let page = list(&format!("?limit=2&from={next}")).await;
    assert_eq!(bodies(&page["chunk"]), ["1"]);
    assert!(page.get("next_batch").is_none());
}

#[tokio::test]
async fn push_rules_are_changed_and_told() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let first = server.sync(&alice, "").await;
    assert!(types(&first["account_data"]["events"]).contains(&"m.push_rules"));
    let since = first["next_batch"].as_str().unwrap();
    let rule = "/v3/pushrules/global/content/cake";
    let body = json!({"pattern": "cake*lie", "actions": ["notify"]});
    assert_eq!(server.put(&alice, rule, json!({"actions": []})).await.1["errcode"], "M_MISSING_PARAM");
    assert_eq!(server.put(&alice, rule, body.clone()).await.0, 200);
    assert_eq!(server.put(&alice, "/v3/pushrules/global/content/.dot", body.clone()).await.0, 400);
    assert_eq!(server.put(&alice, "/v3/pushrules/global/none/x", body).await.0, 400);
    assert_eq!(server.put(&alice, &format!("{rule}/enabled"), json!({"enabled": false})).await.0, 200);
    let (_, got) = server.get(&alice, rule).await;
    let expected = json!({
        "rule_id": "cake", "default": false, "enabled": false, "pattern": "cake*lie", "actions": ["notify"],
    });
    assert_eq!(got, expected);
    let news = server.sync(&alice, &format!("since={since}")).await;
    let told = &news["account_data"]["events"][0];
    assert_eq!(
        (&told["type"], &told["content"]["global"]["content"][0]),
        (&json!("m.push_rules"), &expected)
    );

    assert_eq!(server.call(Some(&alice), Method::DELETE, rule, None).await.0, 200);
    assert_eq!(server.get(&alice, rule).await.0, 404);
    let (_, all) = server.get(&alice, "/v3/pushrules/").await;
    assert_eq!(all["global"]["override"][0]["rule_id"], ".m.rule.master");
}

#[tokio::test]
async fn guests_come_and_go_with_guest_access() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let (_, answer) = server.call(None, Method::POST, "/v3/register?kind=guest", Some(json!({}))).await;
    let guest = User::from(&answer);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    let join = format!("/v3/rooms/{room}/join");
    assert_eq!(server.post(&guest, &join, json!({})).await.1["errcode"], "M_GUEST_ACCESS_FORBIDDEN");
    let access = format!("/v3/rooms/{room}/state/m.room.guest_access");
    server.put(&alice, &access, json!({"guest_access": "can_join"})).await;
    assert_eq!(server.post(&guest, &join, json!({})).await.0, 200);
    server.say(&guest, &room, "hello").await;
    server.put(&alice, &access, json!({"guest_access": "forbidden"})).await;
    let (_, member) = server.get(&alice, &format!("/v3/rooms/{room}/state/m.room.member/{}", guest.id)).await;
    assert_eq!(member["membership"], "leave");
}

#[tokio::test]
async fn a_new_name_reaches_rooms_and_the_user_directory() {
    let server = Server::start().await;
    let (alice, bob, eve) = (server.user("alice").await, server.user("bob").await, server.user("eve").await);
    let room = server.room(&alice, json!({"invite": [bob.id]})).await;
    server.join(&bob, &room).await;
    let profile = format!("/v3/profile/{}/displayname", alice.id);
    server.put(&alice, &profile, json!({"displayname": "Wonderland"})).await;
    let member = format!("/v3/rooms/{room}/state/m.room.member/{}", alice.id);
    assert_eq!(server.get(&bob, &member).await.1["displayname"], "Wonderland");

    let search =
        async |user| server.post(user, "/v3/user_directory/search", json!({"search_term": "WONDER"})).await.1;
    let expected =
        json!({"results": [{"user_id": alice.id, "display_name": "Wonderland"}], "limited": false});
    assert_eq!(search(&bob).await, expected);
    assert_eq!(search(&eve).await["results"], json!([]));

    let (_, shared) = server.get(&bob, &format!("/v1/mutual_rooms?user_id={}", alice.id)).await;
    assert_eq!(shared, json!({"joined": [room], "count": 1}));
    assert_eq!(server.get(&bob, "/v1/mutual_rooms").await.1["errcode"], "M_MISSING_PARAM");
    assert_eq!(server.get(&bob, &format!("/v1/mutual_rooms?user_id={}", bob.id)).await.0, 400);
}

#[tokio::test]
async fn a_summary_is_for_those_who_could_come_in() {
    let server = Server::start().await;
    let (alice, eve) = (server.user("alice").await, server.user("eve").await);
    let open = server.room(&alice, json!({"preset": "public_chat", "name": "Open"})).await;
    let closed = server.room(&alice, json!({})).await;
    let (_, summary) = server.call(None, Method::GET, &format!("/v1/room_summary/{open}"), None).await;
    assert_eq!((&summary["name"], &summary["room_version"]), (&json!("Open"), &json!("12")));
    assert!(summary.get("membership").is_none());
    assert_eq!(server.get(&eve, &format!("/v1/room_summary/{closed}")).await.0, 404);
    assert_eq!(server.get(&alice, &format!("/v1/room_summary/{closed}")).await.1["membership"], "join");
}

#[tokio::test]
async fn an_event_is_found_by_its_time() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let room = server.room(&alice, json!({})).await;
    let last = server.say(&alice, &room, "last").await;
    let find = async |ts: i64, dir: &str| {
        server.get(&alice, &format!("/v1/rooms/{room}/timestamp_to_event?ts={ts}&dir={dir}")).await
    };
    let far = 9_000_000_000_000;
    assert_eq!(find(far, "b").await.1["event_id"], last.as_str());
    assert_eq!(find(far, "f").await.0, 404);
    assert_eq!(find(0, "b").await.0, 404);
    assert!(find(0, "f").await.1["event_id"].is_string());
}

#[tokio::test]
async fn an_openid_token_opens_nothing() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let path = format!("/v3/user/{}/openid/request_token", alice.id);
    let (_, token) = server.post(&alice, &path, json!({})).await;
    assert_eq!(
        (&token["token_type"], &token["matrix_server_name"]),
        (&json!("Bearer"), &json!("test.example"))
    );
    let holder = User { token: token["access_token"].as_str().unwrap().to_owned(), ..alice };
    assert_eq!(server.get(&holder, "/v3/account/whoami").await.0, 401);
}

#[tokio::test]
async fn reports_are_taken_of_what_is_there() {
    let server = Server::start().await;
    let (alice, eve) = (server.user("alice").await, server.user("eve").await);
    let room = server.room(&alice, json!({})).await;
    let event = server.say(&alice, &room, "bad").await;
    let report = async |user, path: String| server.post(user, &path, json!({"reason": "r"})).await.0.as_u16();
    assert_eq!(report(&eve, format!("/v3/rooms/{room}/report")).await, 200);
    assert_eq!(report(&eve, format!("/v3/rooms/{room}/report/{event}")).await, 404);
    assert_eq!(report(&alice, format!("/v3/rooms/{room}/report/{event}")).await, 200);
    assert_eq!(report(&eve, format!("/v3/users/{}/report", alice.id)).await, 200);
    assert_eq!(report(&eve, "/v3/users/@nobody:test.example/report".to_owned()).await, 404);
    let missing: Value = server.post(&eve, &format!("/v3/rooms/{room}/report"), json!({})).await.1;
    assert_eq!(missing["errcode"], "M_MISSING_PARAM");
}

#[tokio::test]
async fn what_relates_to_an_event_is_told_along_with_it() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let root = server.say(&alice, &room, "root").await;
    let relate = async |user: &User, text: &str, rel_type: &str, parent: &str| {
        let content = json!({
            "msgtype": "m.text", "body": text, "m.new_content": {"msgtype": "m.text", "body": text},
            "m.relates_to": {"rel_type": rel_type, "event_id": parent},
        });
        server.put(user, &format!("/v3/rooms/{room}/send/m.room.message/{text}"), content).await.1
    };
    let first = relate(&alice, "first", "m.replace", &root).await;
    let second = relate(&alice, "second", "m.replace", &root).await;
    relate(&bob, "forged", "m.replace", &root).await;
    let reply = relate(&bob, "reply", "m.thread", &root).await;
    let reference = relate(&bob, "reference", "m.reference", &root).await;
    let id = |event: &Value| event["event_id"].as_str().unwrap().to_owned();

    let relations = async |user| {
        let (_, event) = server.get(user, &format!("/v3/rooms/{room}/event/{root}")).await;
        event["unsigned"]["m.relations"].clone()
    };
    let told = relations(&alice).await;
    assert_eq!(told["m.replace"]["event_id"], second["event_id"]);
    assert_eq!(told["m.reference"]["chunk"], json!([{"event_id": id(&reference)}]));
    assert_eq!(
        (&told["m.thread"]["count"], &told["m.thread"]["current_user_participated"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(told["m.thread"]["latest_event"]["event_id"], reply["event_id"]);
    assert_eq!(relate(&bob, "nested", "m.thread", &id(&reply)).await["errcode"], "M_UNKNOWN");

    let (_, threads) = server.get(&bob, &format!("/v1/rooms/{room}/threads")).await;
    assert_eq!(bodies(&threads["chunk"]), ["root"]);
    for event in [&second, &reply] {
        let path = format!("/v3/rooms/{room}/redact/{}/r{}", id(event), id(event));
        assert_eq!(server.put(&alice, &path, json!({})).await.0, 200);
    }
    let told = relations(&bob).await;
    assert_eq!(told["m.replace"]["event_id"], first["event_id"]);
    assert!(told.get("m.thread").is_none());
}

#[tokio::test]
async fn a_backup_keeps_the_better_key() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    assert_eq!(server.get(&alice, "/v3/room_keys/version").await.0, 404);
    let body =
        json!({"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "k"}});
    let (_, begun) = server.post(&alice, "/v3/room_keys/version", body.clone()).await;
    let version = begun["version"].as_str().unwrap();
    let path = format!("/v3/room_keys/keys/!room:test.example/session?version={version}");
    let key = |verified: bool, first: u8, forwarded: u8| {
        json!({
            "is_verified": verified, "first_message_index": first, "forwarded_count": forwarded,
            "session_data": {"ciphertext": format!("{verified} {first} {forwarded}")},
        })
    };
    let kept = async || server.get(&alice, &path).await.1["session_data"]["ciphertext"].clone();
    for (new, expected) in [
        (key(false, 5, 5), "false 5 5"),
        (key(false, 6, 0), "false 5 5"),
        (key(false, 5, 4), "false 5 4"),
        (key(false, 1, 9), "false 1 9"),
        (key(true, 9, 9), "true 9 9"),
        (key(false, 0, 0), "true 9 9"),
    ] {
        assert_eq!(server.put(&alice, &path, new).await.1["count"], 1);
        assert_eq!(kept().await, expected);
    }
    let (_, second) = server.post(&alice, "/v3/room_keys/version", body).await;
    let (status, answer) = server.put(&alice, &path, key(true, 0, 0)).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (403, &json!("M_WRONG_ROOM_KEYS_VERSION")));
    assert_eq!(answer["current_version"], second["version"]);
    let first = format!("/v3/room_keys/version/{version}");
    assert_eq!(server.get(&alice, &first).await.1["count"], 1);
    assert_eq!(server.call(Some(&alice), Method::DELETE, &first, None).await.0, 200);
    assert_eq!(server.call(Some(&alice), Method::DELETE, &first, None).await.0, 200);
    assert_eq!(server.get(&alice, &path).await.0, 404);
}

#[tokio::test]
async fn what_an_erased_user_said_is_hidden_from_newcomers() {
    let server = Server::start().await;
    let (alice, bob, eve) = (server.user("alice").await, server.user("bob").await, server.user("eve").await);
    let room = server.room(&bob, json!({"preset": "public_chat"})).await;
    server.join(&alice, &room).await;
    let event = server.say(&alice, &room, "forget me").await;
    let stage = crate::client::password_stage("alice", "password-of-alice");
    server.authenticated(Some(&alice), "/v3/account/deactivate", json!({"erase": true}), stage).await;
    server.join(&eve, &room).await;
    let content =
        async |user| server.get(user, &format!("/v3/rooms/{room}/event/{event}")).await.1["content"].clone();
    assert_eq!(content(&bob).await["body"], "forget me");
    assert_eq!(content(&eve).await, json!({}));
}

#[tokio::test]
async fn a_space_is_walked_in_its_order() {
    let server = Server::start().await;
    let (alice, eve) = (server.user("alice").await, server.user("eve").await);
    let space = async |name: &str| {
        let body = json!({"name": name, "preset": "public_chat", "creation_content": {"type": "m.space"}});
        server.room(&alice, body).await
    };
    let (root, branch) = (space("root").await, space("branch").await);
    let leaf = server.room(&alice, json!({"name": "leaf", "preset": "public_chat"})).await;
    let hidden = server.room(&alice, json!({"name": "hidden"})).await;
    let last = server.room(&alice, json!({"name": "last", "preset": "public_chat"})).await;
    let link = async |parent: &str, child: &str, order: Option<&str>, suggested: bool| {
        let mut content = json!({"via": ["test.example"], "suggested": suggested});
        if let Some(order) = order {
            content["order"] = order.into();
        }
        server.put(&alice, &format!("/v3/rooms/{parent}/state/m.space.child/{child}"), content).await
    };
    link(&root, &last, None, true).await;
    link(&root, &hidden, Some("c"), false).await;
    link(&root, &branch, Some("b"), false).await;
    link(&branch, &leaf, None, false).await;
    link(&branch, &root, None, false).await;

    let path = format!("/v1/rooms/{root}/hierarchy");
    let names = |page: &Value| -> Vec<String> {
        page["rooms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|room| room["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let walk = async |user, rest: &str| server.get(user, &format!("{path}{rest}")).await.1;
    let whole = walk(&alice, "").await;
    assert_eq!(names(&whole), ["root", "branch", "leaf", "hidden", "last"]);
    assert_eq!(whole["rooms"][0]["children_state"][0]["state_key"], branch.as_str());
    assert_eq!(names(&walk(&eve, "").await), ["root", "branch", "leaf", "last"]);
    assert_eq!(names(&walk(&alice, "?max_depth=1").await), ["root", "branch", "hidden", "last"]);
    assert_eq!(names(&walk(&alice, "?suggested_only=true").await), ["root", "last"]);
    let first = walk(&eve, "?limit=3").await;
    let from = first["next_batch"].as_str().unwrap();
    assert_eq!(names(&walk(&eve, &format!("?limit=3&from={from}")).await), ["last"]);
    assert_eq!(walk(&eve, &format!("?max_depth=1&from={from}")).await["errcode"], "M_INVALID_PARAM");
    assert_eq!(server.get(&eve, &format!("/v1/rooms/{hidden}/hierarchy")).await.0, 403);
}

#[tokio::test]
async fn a_room_is_seen_at_a_glance() {
    let server = Server::start().await;
    let (alice, eve) = (server.user("alice").await, server.user("eve").await);
    let room = server.room(&alice, json!({"name": "Room"})).await;
    server.say(&alice, &room, "hello").await;
    let path = format!("/v3/rooms/{room}/initialSync");
    let (_, glance) = server.get(&alice, &path).await;
    assert_eq!((&glance["membership"], &glance["visibility"]), (&json!("join"), &json!("private")));
    assert_eq!(bodies(&glance["messages"]["chunk"]), ["hello"]);
    assert!(types(&glance["state"]).contains(&"m.room.name"));
    assert_eq!(server.get(&eve, &path).await.0, 403);
}
