//! Whoever asks too often has to wait, and nobody else.

use std::num::NonZeroU32;

use http::Method;
use reference_server::{Config, Rate};
use serde_json::json;

use crate::client::{Server, User};

/// So many at once, and no more within a test.
fn only(burst: u32) -> Option<Rate> {
    let number = |number| NonZeroU32::new(number).unwrap();
    Some(Rate { burst: number(burst), interval_ms: number(60_000) })
}

async fn changes_something(server: &Server, user: &User) -> reqwest::Response {
    let path = format!("/_matrix/client/v3/user/{}/account_data/example.kind", user.id);
    let request = server.request(Method::PUT, &path).bearer_auth(&user.token).json(&json!({}));
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_user_waits_alone_and_is_told_how_long() {
    let mut config = Config::new("test.example");
    config.rate_limits.changing = only(2);
    let server = Server::with(config).await;
    let [alice, bob] = [server.user("alice").await, server.user("bob").await];

    for _ in 0..2 {
        assert_eq!(changes_something(&server, &alice).await.status(), 200);
    }
    let refused = changes_something(&server, &alice).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    let wait_s: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let body: serde_json::Value = refused.json().await.unwrap();
    let wait_ms = body["retry_after_ms"].as_u64().unwrap();
    assert_eq!((&body["errcode"], wait_s), (&json!("M_LIMIT_EXCEEDED"), wait_ms.div_ceil(1000)));
    assert!((1..=60_000).contains(&wait_ms), "{wait_ms}");

    assert_eq!(changes_something(&server, &bob).await.status(), 200, "another user has an own bucket");
    assert_eq!(server.get(&alice, "/v3/sync").await.0, 200, "and reading has no limit here");
}

#[tokio::test]
async fn strangers_are_told_apart_by_the_address_that_the_proxy_adds() {
    let mut config = Config::new("test.example");
    config.rate_limits.anonymous = only(1);
    config.rate_limits.behind_proxy = true;
    let server = Server::with(config).await;
    let asks = async |forwarded: &str| {
        let request = server.request(Method::GET, "/_matrix/client/v3/login");
        request.header("x-forwarded-for", forwarded).send().await.unwrap().status()
    };
    assert_eq!(asks("192.0.2.1").await, 200);
    assert_eq!(asks("192.0.2.2").await, 200);
    assert_eq!(asks("203.0.113.9, 192.0.2.1").await, 429, "what the caller itself wrote does not count");
}

#[tokio::test]
async fn an_application_service_is_limited_as_the_users_that_it_poses_as() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registration.yaml");
    let registration = "{id: bridge, url: null, as_token: from, hs_token: to, sender_localpart: bridge, \
                        namespaces: {users: [{exclusive: true, regex: '@ghost_.*'}]}}";
    std::fs::write(&file, registration).unwrap();
    let mut config = Config::new("test.example");
    config.rate_limits.reading = only(1);
    config.application_services.push(file);
    let server = Server::with(config).await;
    let body = json!({"type": "m.login.application_service", "username": "ghost_1"});
    let register =
        server.request(Method::POST, "/_matrix/client/v3/register").bearer_auth("from").json(&body);
    assert_eq!(register.send().await.unwrap().status(), 200);
    let asks = async |query: &str| {
        let path = format!("/_matrix/client/v3/account/whoami{query}");
        server.request(Method::GET, &path).bearer_auth("from").send().await.unwrap().status()
    };
    for _ in 0..3 {
        assert_eq!(asks("").await, 200, "the sender is excluded");
    }
    assert_eq!(asks("?user_id=@ghost_1:test.example").await, 200);
    assert_eq!(asks("?user_id=@ghost_1:test.example").await, 429);
}
