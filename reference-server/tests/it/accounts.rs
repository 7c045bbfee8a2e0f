//! Accounts, sessions, devices, profiles, account data.

use reference_server::{Config, RegistrationMode};
use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::json;

use crate::client::{Server, User, password_stage};

#[tokio::test]
async fn registration_logs_in_and_maps_capitals() {
    let server = Server::start().await;
    let alice = server.user("Alice").await;
    assert_eq!(alice.id, "@alice:test.example");
    let (_, whoami) = server.get(&alice, "/v3/account/whoami").await;
    assert_eq!(whoami, json!({"user_id": alice.id, "device_id": alice.device, "is_guest": false}));

    let body = json!({"username": "ALICE", "password": "x"});
    let (status, answer) = server.call(None, Method::POST, "/v3/register", Some(body)).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_USER_IN_USE")));
}

#[rstest]
#[case("a b")]
#[case("a:b")]
#[case("é")]
#[case("")]
#[tokio::test]
async fn a_user_name_outside_the_grammar_is_refused(#[case] name: &str) {
    let server = Server::start().await;
    let body = json!({"username": name, "password": "x"});
    let (status, answer) = server.call(None, Method::POST, "/v3/register", Some(body)).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_INVALID_USERNAME")), "{name:?}");
}

#[tokio::test]
async fn a_challenge_opens_one_door_only() {
    let server = Server::start().await;
    let (_, challenge) = server.call(None, Method::POST, "/v3/register", Some(json!({}))).await;
    assert_eq!(challenge["flows"], json!([{"stages": ["m.login.dummy"]}]));
    let auth = json!({"type": "m.login.dummy", "session": challenge["session"]});
    let body = json!({"username": "alice", "auth": auth});
    let (first, _) = server.call(None, Method::POST, "/v3/register", Some(body)).await;
    assert_eq!(first, StatusCode::OK);
    let body = json!({"username": "bob", "auth": auth});
    let (second, again) = server.call(None, Method::POST, "/v3/register", Some(body)).await;
    assert_eq!(second, StatusCode::UNAUTHORIZED);
    assert_ne!(again["session"], challenge["session"]);
}

#[tokio::test]
async fn a_registration_token_is_asked_for() {
    let mut config = Config::new("test.example");
    config.registration.mode = RegistrationMode::Token;
    config.registration.tokens = vec!["sesame".to_owned()];
    let server = Server::with(config).await;
    let stage = |token: &str| json!({"type": "m.login.registration_token", "token": token});
    let wrong = server.authenticated(None, "/v3/register", json!({}), stage("wrong")).await;
    assert_eq!((wrong.0.as_u16(), &wrong.1["errcode"]), (401, &json!("M_UNAUTHORIZED")));
    let right = server.authenticated(None, "/v3/register", json!({}), stage("sesame")).await;
    assert_eq!(right.0, StatusCode::OK);
}

#[tokio::test]
async fn guests_do_little() {
    let server = Server::start().await;
    let (_, answer) = server.call(None, Method::POST, "/v3/register?kind=guest", Some(json!({}))).await;
    let guest = User::from(&answer);
    assert_eq!(server.get(&guest, "/v3/account/whoami").await.1["is_guest"], json!(true));
    let (status, answer) = server.post(&guest, &format!("/v3/user/{}/filter", guest.id), json!({})).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (403, &json!("M_GUEST_ACCESS_FORBIDDEN")));
}

#[rstest]
#[case("alice")]
#[case("ALICE")]
#[case("@alice:test.example")]
#[tokio::test]
async fn login_takes_every_spelling_of_the_user(#[case] user: &str) {
    let server = Server::start().await;
    server.user("alice").await;
    let mut body = password_stage(user, "password-of-alice");
    body["device_id"] = json!("PHONE");
    let (status, answer) = server.call(None, Method::POST, "/v3/login", Some(body.clone())).await;
    assert_eq!((status, &answer["device_id"]), (StatusCode::OK, &json!("PHONE")), "{answer}");
    body["password"] = json!("wrong");
    let (status, answer) = server.call(None, Method::POST, "/v3/login", Some(body)).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (403, &json!("M_FORBIDDEN")));
}

#[tokio::test]
async fn a_login_token_works_once() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let stage = password_stage("alice", "password-of-alice");
    let (_, answer) = server.authenticated(Some(&alice), "/v1/login/get_token", json!({}), stage).await;
    let body = json!({"type": "m.login.token", "token": answer["login_token"]});
    let (first, _) = server.call(None, Method::POST, "/v3/login", Some(body.clone())).await;
    let (second, _) = server.call(None, Method::POST, "/v3/login", Some(body)).await;
    assert_eq!((first.as_u16(), second.as_u16()), (200, 403));
}

#[tokio::test]
async fn an_old_refresh_token_lasts_until_the_new_tokens_are_used() {
    let server = Server::start().await;
    server.user("alice").await;
    let mut body = password_stage("alice", "password-of-alice");
    body["refresh_token"] = json!(true);
    let (_, login) = server.call(None, Method::POST, "/v3/login", Some(body)).await;
    let refresh = async |token: &serde_json::Value| {
        server.call(None, Method::POST, "/v3/refresh", Some(json!({"refresh_token": token}))).await
    };
    let lost = refresh(&login["refresh_token"]).await;
    let (status, mut kept) = refresh(&login["refresh_token"]).await;
    assert_eq!((lost.0.as_u16(), status.as_u16()), (200, 200));

    kept["user_id"] = login["user_id"].clone();
    kept["device_id"] = login["device_id"].clone();
    assert_eq!(server.get(&User::from(&kept), "/v3/account/whoami").await.0, StatusCode::OK);
    let (status, answer) = refresh(&login["refresh_token"]).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (401, &json!("M_UNKNOWN_TOKEN")));
}

#[tokio::test]
async fn logout_ends_one_session_or_all() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let login = async || {
        let body = password_stage("alice", "password-of-alice");
        User::from(&server.call(None, Method::POST, "/v3/login", Some(body)).await.1)
    };
    let (phone, tablet) = (login().await, login().await);
    let alive = async |user: &User| server.get(user, "/v3/account/whoami").await.0 == StatusCode::OK;

    server.post(&phone, "/v3/logout", json!({})).await;
    assert!(!alive(&phone).await && alive(&tablet).await && alive(&alice).await);
    server.call(Some(&tablet), Method::POST, "/v3/logout/all", None).await;
    assert!(!alive(&tablet).await && !alive(&alice).await);
}

#[tokio::test]
async fn a_new_password_ends_other_sessions() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let body = password_stage("alice", "password-of-alice");
    let other = User::from(&server.call(None, Method::POST, "/v3/login", Some(body.clone())).await.1);
    let change = json!({"new_password": "new"});
    let answer = server.authenticated(Some(&alice), "/v3/account/password", change, body.clone()).await;
    assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);

    assert_eq!(server.get(&alice, "/v3/account/whoami").await.0, StatusCode::OK);
    assert_eq!(server.get(&other, "/v3/account/whoami").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.call(None, Method::POST, "/v3/login", Some(body)).await.0, StatusCode::FORBIDDEN);
    let new = password_stage("alice", "new");
    assert_eq!(server.call(None, Method::POST, "/v3/login", Some(new)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_deactivated_account_is_gone_but_its_name_is_not_free() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let stage = password_stage("alice", "password-of-alice");
    let answer = server
        .authenticated(Some(&alice), "/v3/account/deactivate", json!({"erase": true}), stage.clone())
        .await;
    assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
    assert_eq!(server.get(&alice, "/v3/account/whoami").await.0, StatusCode::UNAUTHORIZED);
    let (status, answer) = server.call(None, Method::POST, "/v3/login", Some(stage)).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (403, &json!("M_USER_DEACTIVATED")));
    let path = "/v3/register/available?username=alice";
    assert_eq!(server.call(None, Method::GET, path, None).await.1["errcode"], "M_USER_IN_USE");
}

#[tokio::test]
async fn a_device_is_deleted_by_its_owner_only() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    server.user("bob").await;
    let body = password_stage("alice", "password-of-alice");
    let phone = User::from(&server.call(None, Method::POST, "/v3/login", Some(body)).await.1);
    let path = format!("/v3/devices/{}", phone.device);
    assert_eq!(server.put(&alice, &path, json!({"display_name": "Phone"})).await.0, StatusCode::OK);
    assert_eq!(server.get(&alice, &path).await.1["display_name"], "Phone");

    let devices = json!({"devices": [phone.device]});
    let as_bob = password_stage("bob", "password-of-bob");
    let (status, _) = server.authenticated(Some(&alice), "/v3/delete_devices", devices.clone(), as_bob).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(server.get(&phone, "/v3/account/whoami").await.0, StatusCode::OK);

    let as_alice = password_stage("alice", "password-of-alice");
    let (status, _) = server.authenticated(Some(&alice), "/v3/delete_devices", devices, as_alice).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(server.get(&phone, "/v3/account/whoami").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.get(&alice, &path).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_profile_takes_any_namespaced_field_until_it_is_full() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let profile = format!("/v3/profile/{}", alice.id);
    let set = async |key: &str, value: serde_json::Value| {
        server.put(&alice, &format!("{profile}/{key}"), json!({key: value})).await
    };
    assert_eq!(set("displayname", json!("Alice")).await.0, StatusCode::OK);
    assert_eq!(set("org.example.field", json!({"any": null})).await.0, StatusCode::OK);
    let (_, whole) = server.call(None, Method::GET, &profile, None).await;
    assert_eq!(whole, json!({"displayname": "Alice", "org.example.field": {"any": null}}));

    assert_eq!(set("displayname", json!(1)).await.1["errcode"], "M_BAD_JSON");
    assert_eq!(set("avatar_url", json!("http://example.org")).await.1["errcode"], "M_BAD_JSON");
    assert_eq!(set(&"a".repeat(256), json!(1)).await.1["errcode"], "M_KEY_TOO_LARGE");
    assert_eq!(set("org.example.big", json!("x".repeat(65_536))).await.1["errcode"], "M_PROFILE_TOO_LARGE");
}

#[tokio::test]
async fn account_data_belongs_to_its_owner() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let path = |kind: &str| format!("/v3/user/{}/account_data/{kind}", alice.id);
    assert_eq!(server.put(&alice, &path("m.direct"), json!({"a": []})).await.0, StatusCode::OK);
    assert_eq!(server.get(&alice, &path("m.direct")).await.1, json!({"a": []}));
    assert_eq!(server.get(&bob, &path("m.direct")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(server.get(&alice, &path("absent")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.put(&alice, &path("m.push_rules"), json!({})).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let in_no_room = format!("/v3/user/{}/rooms/nonsense/account_data/x", alice.id);
    assert_eq!(server.put(&alice, &in_no_room, json!({})).await.1["errcode"], "M_INVALID_PARAM");
}
