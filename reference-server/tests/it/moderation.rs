//! Administrators, and what they do to accounts.

use hmac::{Hmac, KeyInit, Mac};
use reference_server::Config;
use reqwest::Method;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::client::{Server, User, password_stage};

async fn server() -> Server {
    let mut config = Config::new("test.example");
    config.registration.shared_secret = Some("secret".to_owned());
    Server::with(config).await
}

async fn register(server: &Server, name: &str, secret: &str, admin: bool) -> (u16, Value) {
    let path = "/_synapse/admin/v1/register";
    let nonce: Value = server.request(Method::GET, path).send().await.unwrap().json().await.unwrap();
    let nonce = nonce["nonce"].as_str().unwrap();
    let mut code = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    let role = if admin { "admin" } else { "notadmin" };
    code.update([nonce, name, "password", role].join("\0").as_bytes());
    let mac: String = code.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let body = json!({"nonce": nonce, "username": name, "password": "password", "admin": admin, "mac": mac});
    let answer = server.request(Method::POST, path).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn moderate(server: &Server, admin: &User, action: &str, user: &User, body: Value) -> (u16, Value) {
    let (status, answer) = server.put(admin, &format!("/v1/admin/{action}/{}", user.id), body).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn the_secret_makes_accounts_and_nothing_else_does() {
    let server = server().await;
    assert_eq!(register(&server, "eve", "guess", true).await.0, 403);
    let (status, answer) = register(&server, "admin", "secret", true).await;
    assert_eq!(status, 200, "{answer}");
    let admin = User::from(&answer);
    let alice = User::from(&register(&server, "alice", "secret", false).await.1);
    let told = async |user: &User| server.get(user, "/v3/capabilities").await.1;
    assert_eq!(told(&admin).await["capabilities"]["m.account_moderation"]["lock"], true);
    assert_eq!(told(&alice).await["capabilities"]["m.account_moderation"], Value::Null);
    let whois = async |by: &User, of: &User| server.get(by, &format!("/v3/admin/whois/{}", of.id)).await.0;
    assert_eq!((whois(&admin, &alice).await.as_u16(), whois(&alice, &admin).await.as_u16()), (200, 403));

    let without = Server::start().await;
    let answer = without.request(Method::GET, "/_synapse/admin/v1/register").send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_locked_account_does_nothing_but_log_out() {
    let server = server().await;
    let admin = User::from(&register(&server, "admin", "secret", true).await.1);
    let alice = server.user("alice").await;
    let mut login = password_stage("alice", "password-of-alice");
    login["refresh_token"] = json!(true);
    let (_, phone) = server.call(None, Method::POST, "/v3/login", Some(login.clone())).await;
    assert_eq!(moderate(&server, &admin, "lock", &alice, json!({"locked": true})).await.0, 200);

    let refused = |(status, answer): (reqwest::StatusCode, Value)| {
        (status.as_u16(), answer["errcode"].clone(), answer["soft_logout"].clone())
    };
    let locked = (401, json!("M_USER_LOCKED"), json!(true));
    assert_eq!(refused(server.get(&alice, "/v3/sync").await), locked);
    assert_eq!(refused(server.get(&alice, &format!("/v3/profile/{}", alice.id)).await).0, 200);
    assert_eq!(refused(server.call(None, Method::POST, "/v3/login", Some(login)).await), locked);
    let refresh = json!({"refresh_token": phone["refresh_token"]});
    assert_eq!(refused(server.call(None, Method::POST, "/v3/refresh", Some(refresh)).await), locked);
    let stage = password_stage("alice", "password-of-alice");
    let change = json!({"new_password": "new"});
    assert_eq!(refused(server.authenticated(None, "/v3/account/password", change, stage).await), locked);
    assert_eq!(server.post(&User::from(&phone), "/v3/logout", json!({})).await.0, 200);

    moderate(&server, &admin, "lock", &alice, json!({"locked": false})).await;
    assert_eq!(server.get(&alice, "/v3/sync").await.0, 200);
    assert_eq!(server.get(&User::from(&phone), "/v3/sync").await.0, 401);
}

#[tokio::test]
async fn a_suspended_user_reads_leaves_and_redacts_and_does_nothing_else() {
    let server = server().await;
    let admin = User::from(&register(&server, "admin", "secret", true).await.1);
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    let other = server.room(&bob, json!({"preset": "public_chat"})).await;
    server.join(&bob, &room).await;
    let (own, foreign) = (server.say(&alice, &room, "own").await, server.say(&bob, &room, "foreign").await);
    moderate(&server, &admin, "suspend", &alice, json!({"suspended": true})).await;

    let act = async |method: Method, path: String, body: Value| {
        let (status, answer) = server.call(Some(&alice), method, &path, Some(body)).await;
        (status.as_u16(), answer["errcode"].as_str().unwrap_or_default().to_owned())
    };
    let text = json!({"msgtype": "m.text", "body": "x"});
    let refused = [
        (Method::PUT, format!("/v3/rooms/{room}/send/m.room.message/1"), text),
        (Method::PUT, format!("/v3/rooms/{room}/state/m.room.topic"), json!({"topic": "x"})),
        (Method::PUT, format!("/v3/rooms/{room}/redact/{foreign}/2"), json!({})),
        (Method::POST, format!("/v3/rooms/{room}/invite"), json!({"user_id": admin.id})),
        (Method::POST, format!("/v3/join/{other}"), json!({})),
        (Method::POST, format!("/v3/knock/{other}"), json!({})),
        (Method::POST, "/v3/createRoom".to_owned(), json!({})),
        (Method::PUT, format!("/v3/profile/{}/displayname", alice.id), json!({"displayname": "x"})),
    ];
    for (method, path, body) in refused {
        assert_eq!(act(method, path.clone(), body).await, (403, "M_USER_SUSPENDED".to_owned()), "{path}");
    }
    let leave = json!({"membership": "leave"});
    let allowed = [
        (Method::PUT, format!("/v3/rooms/{room}/redact/{own}/3"), json!({})),
        (Method::PUT, format!("/v3/rooms/{room}/state/m.room.member/{}", alice.id), leave),
        (Method::POST, "/v3/keys/upload".to_owned(), json!({})),
    ];
    for (method, path, body) in allowed {
        assert_eq!(act(method, path.clone(), body).await.0, 200, "{path}");
    }
    moderate(&server, &admin, "suspend", &alice, json!({"suspended": false})).await;
    server.join(&alice, &other).await;
}
