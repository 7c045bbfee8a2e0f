//! What servers ask each other without changing anything: aliases, profiles, directories, spaces, media, moments.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{Place, World, encoded};
use crate::client::User;

async fn two(world: &World) -> (Place, User, Place, User) {
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    (here, alice, there, bob)
}

#[tokio::test]
async fn an_alias_leads_to_a_room_elsewhere() {
    let world = World::new();
    let (here, alice, there, bob) = two(&world).await;
    let room = here.room(&alice, json!({"preset": "public_chat", "room_alias_name": "den"})).await;
    let alias = encoded(&format!("#den:{}", here.name));
    let (status, answer) = there.get(&bob, &format!("/v3/directory/room/{alias}")).await;
    assert_eq!((status, &answer["room_id"]), (StatusCode::OK, &json!(room)), "{answer}");
    assert_eq!(answer["servers"], json!([here.name]));
    let (status, answer) = there.post(&bob, &format!("/v3/join/{alias}"), json!({})).await;
    assert_eq!((status, &answer["room_id"]), (StatusCode::OK, &json!(room)), "{answer}");
    let nowhere = encoded(&format!("#nowhere:{}", here.name));
    assert_eq!(there.get(&bob, &format!("/v3/directory/room/{nowhere}")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_profile_elsewhere_is_shown() {
    let world = World::new();
    let (here, alice, there, bob) = two(&world).await;
    let path = format!("/v3/profile/{}/displayname", encoded(&alice.id));
    assert_eq!(here.put(&alice, &path, json!({"displayname": "Alice"})).await.0, StatusCode::OK);
    assert_eq!(there.get(&bob, &path).await, (StatusCode::OK, json!({"displayname": "Alice"})));
    let nobody = format!("/v3/profile/{}", encoded(&format!("@nobody:{}", here.name)));
    assert_eq!(there.get(&bob, &nobody).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_directory_elsewhere_is_listed_and_searched() {
    let world = World::new();
    let (here, alice, there, bob) = two(&world).await;
    for name in ["red", "blue"] {
        here.room(&alice, json!({"visibility": "public", "name": name})).await;
    }
    let path = format!("/v3/publicRooms?server={}", encoded(&here.name));
    let (_, all) = there.get(&bob, &path).await;
    assert_eq!(all["chunk"].as_array().unwrap().len(), 2, "{all}");
    let wanted = json!({"filter": {"generic_search_term": "RED"}});
    let (_, found) = there.post(&bob, &path, wanted).await;
    assert_eq!(found["chunk"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["chunk"][0]["name"], "red");
}

#[tokio::test]
async fn a_space_reaches_over_servers() {
    let world = World::new();
    let (here, alice, there, bob) = two(&world).await;
    let open = here.room(&alice, json!({"preset": "public_chat", "name": "open"})).await;
    let closed = here.room(&alice, json!({"preset": "private_chat", "name": "closed"})).await;
    let child =
        |room: &str| json!({"type": "m.space.child", "state_key": room, "content": {"via": [here.name]}});
    let space = there
        .room(
            &bob,
            json!({"creation_content": {"type": "m.space"}, "initial_state": [child(&open), child(&closed)]}),
        )
        .await;
    let (status, answer) = there.get(&bob, &format!("/v1/rooms/{}/hierarchy", encoded(&space))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let rooms: Vec<_> =
        answer["rooms"].as_array().unwrap().iter().map(|room| room["room_id"].clone()).collect();
    assert_eq!(rooms, [json!(space), json!(open)]);
}

#[tokio::test]
async fn media_elsewhere_are_fetched() {
    let world = World::new();
    let (here, alice, there, bob) = two(&world).await;
    let upload = here
        .request(Method::POST, "/_matrix/media/v3/upload?filename=note.txt")
        .bearer_auth(&alice.token)
        .header("content-type", "text/plain")
        .body("\r\n--words--\r\n");
    let answer: Value = upload.send().await.unwrap().json().await.unwrap();
    let media = answer["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
    let path = format!("/_matrix/client/v1/media/download/{media}");
    let response = there.request(Method::GET, &path).bearer_auth(&bob.token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.headers()["content-disposition"], "inline; filename=\"note.txt\"");
    assert_eq!(response.bytes().await.unwrap(), "\r\n--words--\r\n");
    let unknown = format!("/_matrix/client/v1/media/download/{}/nothing", here.name);
    let response = there.request(Method::GET, &unknown).bearer_auth(&bob.token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_moment_before_the_join_is_found_elsewhere() {
    let world = World::new();
    let (here, alice, there, bob) = two(&world).await;
    let room = here.room(&alice, json!({"preset": "public_chat"})).await;
    let first = here.say(&alice, &room, "first").await;
    let (_, event) =
        here.get(&alice, &format!("/v3/rooms/{}/event/{}", encoded(&room), encoded(&first))).await;
    there.join_through(&bob, &room, &here).await;
    let moment = event["origin_server_ts"].as_i64().unwrap();
    let path = format!("/v1/rooms/{}/timestamp_to_event?ts={moment}&dir=b", encoded(&room));
    let (status, found) = there.get(&bob, &path).await;
    assert_eq!((status, found["event_id"].as_str()), (StatusCode::OK, Some(first.as_str())), "{found}");
}

#[tokio::test]
async fn who_does_not_sign_is_not_answered() {
    let world = World::new();
    let here = world.server().await;
    let http = world.client();
    for path in ["/_matrix/federation/v1/publicRooms", "/_matrix/federation/v1/user/devices/@a:b"] {
        let response = http.get(format!("https://{}{path}", here.name)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let response =
        http.get(format!("https://{}/_matrix/federation/v1/none", here.name)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.json::<Value>().await.unwrap()["errcode"], "M_UNRECOGNIZED");
}
