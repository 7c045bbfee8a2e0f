//! Rooms across servers: joining, messages both ways, invitations, knocks, forks, and what comes after an absence.

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use super::world::{Place, World, encoded};
use crate::client::{User, bodies};

fn says(answer: &Value, room: &str, text: &str) -> bool {
    let events = &answer["rooms"]["join"][room]["timeline"]["events"];
    !events.is_null() && bodies(events).contains(&text)
}

/// Two servers with a user each, who are in one room.
async fn two_in_a_room(world: &World, version: &str) -> (Place, User, Place, User, String) {
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let room = here.room(&alice, json!({"preset": "public_chat", "room_version": version})).await;
    there.join_through(&bob, &room, &here).await;
    (here, alice, there, bob, room)
}

async fn set_name(server: &Place, user: &User, room: &str, name: &str) {
    let path = format!("/v3/rooms/{}/state/m.room.name/", encoded(room));
    let (status, answer) = server.put(user, &path, json!({"name": name})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[rstest]
#[case("1")]
#[case("2")]
#[case("3")]
#[case("6")]
#[case("10")]
#[case("11")]
#[case("12")]
#[tokio::test]
async fn a_room_goes_on_over_two_servers(#[case] version: &str) {
    let world = World::new();
    let (here, alice, there, bob, room) = two_in_a_room(&world, version).await;
    assert_eq!(here.state(&alice, &room).await, there.state(&bob, &room).await);
    here.say(&alice, &room, "hello").await;
    there.until(&bob, "alice's message", |sync| says(sync, &room, "hello")).await;
    there.say(&bob, &room, "goodbye").await;
    here.until(&alice, "bob's message", |sync| says(sync, &room, "goodbye")).await;
}

#[rstest]
#[case("1")]
#[case("11")]
#[case("12")]
#[tokio::test]
async fn an_invitation_is_seen_and_taken(#[case] version: &str) {
    let world = World::new();
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let body = json!({"preset": "private_chat", "room_version": version, "name": "den", "invite": [bob.id]});
    let room = here.room(&alice, body).await;
    let invited = |sync: &Value| {
        let events = sync["rooms"]["invite"][&room]["invite_state"]["events"].as_array().cloned();
        events.is_some_and(|events| events.iter().any(|event| event["content"]["name"] == "den"))
    };
    there.until(&bob, "the invitation", invited).await;
    let (status, answer) = there.post(&bob, &format!("/v3/rooms/{}/join", encoded(&room)), json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(here.state(&alice, &room).await, there.state(&bob, &room).await);
    there.say(&bob, &room, "here").await;
    here.until(&alice, "bob's message", |sync| says(sync, &room, "here")).await;
}

#[tokio::test]
async fn an_invitation_is_turned_down() {
    let world = World::new();
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let room = here.room(&alice, json!({"preset": "private_chat", "invite": [bob.id]})).await;
    there.until(&bob, "the invitation", |sync| sync["rooms"]["invite"][&room].is_object()).await;
    let (status, answer) = there.post(&bob, &format!("/v3/rooms/{}/leave", encoded(&room)), json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let path = format!("/v3/rooms/{}/state/m.room.member/{}", encoded(&room), encoded(&bob.id));
    assert_eq!(here.get(&alice, &path).await.1["membership"], "leave");
    assert!(there.sync(&bob, "").await["rooms"]["invite"][&room].is_null());
}

#[tokio::test]
async fn a_knock_is_heard_and_answered() {
    let world = World::new();
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let rules = json!([{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]);
    let room = here.room(&alice, json!({"name": "den", "initial_state": rules})).await;
    let path = format!("/v3/knock/{}?via={}", encoded(&room), encoded(&here.name));
    let (status, answer) = there.post(&bob, &path, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let told = there.sync(&bob, "").await["rooms"]["knock"][&room]["knock_state"]["events"].clone();
    assert!(told.as_array().unwrap().iter().any(|event| event["content"]["name"] == "den"), "{told}");
    let invite = json!({"user_id": bob.id});
    let (status, answer) = here.post(&alice, &format!("/v3/rooms/{}/invite", encoded(&room)), invite).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    there.until(&bob, "the invitation", |sync| sync["rooms"]["invite"][&room].is_object()).await;
    there.join_through(&bob, &room, &here).await;
}

#[rstest]
#[case("1")]
#[case("2")]
#[case("11")]
#[case("12")]
#[tokio::test]
async fn a_partition_heals_to_one_state(#[case] version: &str) {
    let world = World::new();
    let (here, alice, mut there, bob, room) = two_in_a_room(&world, version).await;
    let levels_path = format!("/v3/rooms/{}/state/m.room.power_levels/", encoded(&room));
    let (_, mut levels) = here.get(&alice, &levels_path).await;
    levels["users"][&bob.id] = 50.into();
    assert_eq!(here.put(&alice, &levels_path, levels).await.0, StatusCode::OK);
    there.until(&bob, "the levels", |sync| sync.to_string().contains("power_levels")).await;

    // While one is away, the other goes on; then each changes the same thing.
    there.stop().await;
    set_name(&here, &alice, &room, "ours").await;
    for number in 0..60 {
        here.say(&alice, &room, &format!("alone{number}")).await;
    }
    there.start().await;
    set_name(&there, &bob, &room, "theirs").await;
    there.until(&bob, "the last message", |sync| says(sync, &room, "alone59")).await;
    there.say(&bob, &room, "over").await;
    here.until(&alice, "what bob says", |sync| says(sync, &room, "over")).await;
    here.say(&alice, &room, "out").await;
    there.until(&bob, "what alice says", |sync| says(sync, &room, "out")).await;
    assert_eq!(here.state(&alice, &room).await, there.state(&bob, &room).await);
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let world = World::new();
    let (mut here, alice, there, bob, room) = two_in_a_room(&world, "12").await;
    there.say(&bob, &room, "before").await;
    here.until(&alice, "the message", |sync| says(sync, &room, "before")).await;
    let state = here.state(&alice, &room).await;
    here.stop().await;
    there.say(&bob, &room, "meanwhile").await;
    here.start().await;
    here.until(&alice, "what came meanwhile", |sync| says(sync, &room, "meanwhile")).await;
    assert_eq!(here.state(&alice, &room).await, state);
    here.say(&alice, &room, "after").await;
    there.until(&bob, "what comes after", |sync| says(sync, &room, "after")).await;
}

#[tokio::test]
async fn history_from_before_the_join_is_fetched() {
    let world = World::new();
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let room = here.room(&alice, json!({"preset": "public_chat"})).await;
    for number in 0..30 {
        here.say(&alice, &room, &format!("early{number}")).await;
    }
    there.join_through(&bob, &room, &here).await;
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let path = format!("/v3/rooms/{}/messages?dir=b&limit=20{from}", encoded(&room));
        let (status, page) = there.get(&bob, &path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        seen.extend(bodies(&page["chunk"]).into_iter().map(str::to_owned));
        match page["end"].as_str() {
            Some(end) => from = format!("&from={end}"),
            None => break,
        }
    }
    let expected: Vec<_> = (0..30).rev().map(|number| format!("early{number}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_restricted_room_lets_members_of_the_other_in() {
    let world = World::new();
    let (here, there) = tokio::join!(world.server(), world.server());
    let (alice, bob, eve) = tokio::join!(here.user("alice"), there.user("bob"), there.user("eve"));
    let club = here.room(&alice, json!({"preset": "public_chat"})).await;
    let allow = json!([{"type": "m.room_membership", "room_id": club}]);
    let rules = json!([{"type": "m.room.join_rules", "state_key": "",
        "content": {"join_rule": "restricted", "allow": allow}}]);
    let room = here.room(&alice, json!({"initial_state": rules})).await;
    there.join_through(&bob, &club, &here).await;
    let (status, answer) = there.try_join_through(&eve, &room, &here).await;
    assert_eq!(
        (status, answer["errcode"].as_str()),
        (StatusCode::FORBIDDEN, Some("M_FORBIDDEN")),
        "{answer}"
    );
    there.join_through(&bob, &room, &here).await;
    assert_eq!(here.state(&alice, &room).await, there.state(&bob, &room).await);
}

#[tokio::test]
async fn a_third_server_gets_what_the_second_says() {
    let world = World::new();
    let (here, alice, there, bob, room) = two_in_a_room(&world, "12").await;
    let yonder = world.server().await;
    let carol = yonder.user("carol").await;
    yonder.join_through(&carol, &room, &there).await;
    yonder.say(&carol, &room, "hello").await;
    here.until(&alice, "carol's message", |sync| says(sync, &room, "hello")).await;
    there.until(&bob, "carol's message", |sync| says(sync, &room, "hello")).await;
    here.say(&alice, &room, "welcome").await;
    yonder.until(&carol, "alice's message", |sync| says(sync, &room, "welcome")).await;
    assert_eq!(here.state(&alice, &room).await, yonder.state(&carol, &room).await);
}

#[tokio::test]
async fn a_server_that_is_kept_out_is_not_heard() {
    let world = World::new();
    let (here, alice, there, bob, room) = two_in_a_room(&world, "12").await;
    let path = format!("/v3/rooms/{}/state/m.room.server_acl/", encoded(&room));
    let (status, _) = here.put(&alice, &path, json!({"allow": ["*"], "deny": ["localhost"]})).await;
    assert_eq!(status, StatusCode::OK);
    there.until(&bob, "the list", |sync| sync.to_string().contains("m.room.server_acl")).await;
    there.say(&bob, &room, "anybody").await;
    // What does arrive shows that the other would have.
    let open = here.room(&alice, json!({"preset": "public_chat"})).await;
    there.join_through(&bob, &open, &here).await;
    there.say(&bob, &open, "later").await;
    let seen = here.until(&alice, "the later message", |sync| says(sync, &open, "later")).await;
    assert!(!says(&seen, &room, "anybody"));
    let whole = here.sync(&alice, "").await;
    assert!(!says(&whole, &room, "anybody"));
}
