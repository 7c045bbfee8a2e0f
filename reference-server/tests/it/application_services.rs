//! Application services, of which a test is one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use reference_server::Config;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::{Server, User, bodies, types};
use crate::loopback;

/// What an application service was asked.
#[derive(Debug)]
struct Asked {
    path: String,
    body: Value,
}

#[derive(Clone)]
struct Manners {
    tell: mpsc::UnboundedSender<Asked>,
    /// How many of the next requests are answered with an error.
    failures: Arc<AtomicUsize>,
    /// What is answered at which path; `{}` elsewhere.
    answers: Arc<Mutex<Vec<(&'static str, Value)>>>,
}

struct Service {
    asked: mpsc::UnboundedReceiver<Asked>,
    manners: Manners,
    url: String,
}

impl Service {
    async fn start() -> Self {
        let (tell, asked) = mpsc::unbounded_channel();
        let manners = Manners { tell, failures: Arc::default(), answers: Arc::default() };
        let url = loopback::serve(Router::new().fallback(answer).with_state(manners.clone())).await;
        Self { asked, manners, url }
    }

    async fn next(&mut self) -> Asked {
        tokio::time::timeout(Duration::from_secs(20), self.asked.recv()).await.unwrap().unwrap()
    }

    /// The events of transactions up to one with this body.
    async fn until(&mut self, text: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let asked = self.next().await;
            let more = asked.body["events"].as_array().cloned().unwrap_or_default();
            let found = more.iter().any(|event| event["content"]["body"] == text);
            events.extend(more);
            if found {
                return events;
            }
        }
    }
}

async fn answer(
    State(manners): State<Manners>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(headers["authorization"], "Bearer hs_token");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let path = format!("{method} {}", uri.path_and_query().unwrap());
    manners.tell.send(Asked { path, body }).unwrap();
    let less = |left: usize| left.checked_sub(1);
    if manners.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let answers = manners.answers.lock().unwrap();
    let known = answers.iter().find(|(path, _)| uri.path().starts_with(path));
    axum::Json(known.map_or(json!({}), |(_, answer)| answer.clone())).into_response()
}

fn registration(folder: &Path, url: &str) -> PathBuf {
    let path = folder.join("irc.yaml");
    let text = format!(
        "id: irc\nurl: {url}\nas_token: as_token\nhs_token: hs_token\nsender_localpart: irc\n\
         receive_ephemeral: true\nprotocols: [irc]\nnamespaces:\n  users:\n    - {{exclusive: true, regex: '@irc_.*'}}\n  \
         aliases:\n    - {{exclusive: true, regex: '#irc_.*'}}\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

async fn with_service() -> (Server, Service, User) {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    let mut config = Config::new("test.example");
    config.application_services = vec![registration(folder.path(), &service.url)];
    let bot =
        User { id: "@irc:test.example".to_owned(), token: "as_token".to_owned(), device: String::new() };
    (Server::with(config).await, service, bot)
}

/// Registers a user of the service.
async fn puppet(server: &Server, bot: &User, name: &str) -> String {
    let body = json!({"type": "m.login.application_service", "username": name, "inhibit_login": true});
    let (status, answer) = server.post(bot, "/v3/register", body).await;
    assert_eq!(status, 200, "{answer}");
    answer["user_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_service_acts_as_the_users_of_its_namespace() {
    let (server, _service, bot) = with_service().await;
    assert_eq!(server.get(&bot, "/v3/account/whoami").await.1, json!({"user_id": bot.id, "is_guest": false}));
    let puppet = puppet(&server, &bot, "irc_alice").await;
    let (_, answer) = server.get(&bot, &format!("/v3/account/whoami?user_id={puppet}")).await;
    assert_eq!(answer["user_id"], json!(puppet));
    for (query, status, errcode) in [
        ("user_id=@irc_nobody:test.example", 403, "M_FORBIDDEN"),
        ("user_id=@bob:test.example", 403, "M_FORBIDDEN"),
        ("user_id=@irc_alice:test.example&device_id=NONE", 400, "M_UNKNOWN_DEVICE"),
    ] {
        let (code, answer) = server.get(&bot, &format!("/v3/account/whoami?{query}")).await;
        assert_eq!((code.as_u16(), &answer["errcode"]), (status, &json!(errcode)), "{query}");
    }
    let as_puppet = |path: &str| format!("{path}?user_id={puppet}");
    let (status, _) = server.put(&bot, &as_puppet("/v3/devices/DEVICE"), json!({"display_name": "D"})).await;
    assert_eq!(status, 201);
    let (_, answer) =
        server.get(&bot, &format!("/v3/account/whoami?user_id={puppet}&device_id=DEVICE")).await;
    assert_eq!(answer["device_id"], "DEVICE");
    assert_eq!(server.post(&bot, &as_puppet("/v3/keys/upload"), json!({})).await.0, 400);
    let deleted =
        server.call(Some(&bot), Method::DELETE, &as_puppet("/v3/devices/DEVICE"), Some(json!({}))).await;
    assert_eq!(deleted, (StatusCode::OK, json!({})));

    let login = json!({"type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "irc_alice"}});
    let (status, session) = server.post(&bot, "/v3/login", login.clone()).await;
    assert_eq!((status, &session["user_id"]), (StatusCode::OK, &json!(puppet)));
    let unknown = server.call(None, Method::POST, "/v3/login", Some(login)).await;
    assert_eq!((unknown.0.as_u16(), &unknown.1["errcode"]), (401, &json!("M_MISSING_TOKEN")));
}

#[tokio::test]
async fn a_namespace_is_for_its_service_only() {
    let (server, _service, bot) = with_service().await;
    let alice = server.user("alice").await;
    for name in ["irc_alice", "irc"] {
        let body = json!({"username": name, "password": "secret"});
        let (status, answer) = server.call(None, Method::POST, "/v3/register", Some(body)).await;
        assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_EXCLUSIVE")));
        let path = format!("/v3/register/available?username={name}");
        assert_eq!(server.call(None, Method::GET, &path, None).await.1["errcode"], "M_EXCLUSIVE");
    }
    let outside = json!({"type": "m.login.application_service", "username": "bob"});
    assert_eq!(server.post(&bot, "/v3/register", outside).await.1["errcode"], "M_EXCLUSIVE");
    let room = server.room(&alice, json!({})).await;
    let alias = "/v3/directory/room/%23irc_a%3Atest.example";
    assert_eq!(server.put(&alice, alias, json!({"room_id": room})).await.1["errcode"], "M_EXCLUSIVE");
    let (_, refused) = server.post(&alice, "/v3/createRoom", json!({"room_alias_name": "irc_b"})).await;
    assert_eq!(refused["errcode"], "M_EXCLUSIVE");
    let (_, refused) = server.post(&bot, "/v3/createRoom", json!({"room_alias_name": "other"})).await;
    assert_eq!(refused["errcode"], "M_EXCLUSIVE");
    server.room(&bot, json!({"room_alias_name": "irc_b"})).await;
}

#[tokio::test]
async fn events_come_in_order_and_once() {
    let (server, mut service, bot) = with_service().await;
    let alice = server.user("alice").await;
    let puppet = puppet(&server, &bot, "irc_p").await;
    let other = server.room(&alice, json!({})).await;
    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    server.say(&alice, &room, "before").await;
    server.post(&alice, &format!("/v3/rooms/{room}/invite"), json!({"user_id": puppet})).await;
    server.post(&bot, &format!("/v3/rooms/{room}/join?user_id={puppet}"), json!({})).await;
    service.manners.failures.store(2, Ordering::SeqCst);
    server.say(&alice, &other, "elsewhere").await;
    for text in ["1", "2", "3"] {
        server.say(&alice, &room, text).await;
    }
    let events = service.until("3").await;
    let told = json!(events);
    // Of an attempt that failed, the same events come again, under the same number.
    let mut texts = bodies(&told);
    texts.dedup();
    assert_eq!(texts, ["1", "2", "3"]);
    assert_eq!(types(&told).first(), Some(&"m.room.member"));
    assert!(events.iter().all(|event| event["room_id"] == json!(room)));
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start().await;
    let mut config = Config::new("test.example");
    config.data = Some(folder.path().join("data"));
    config.application_services = vec![registration(folder.path(), &service.url)];
    let bot =
        User { id: "@irc:test.example".to_owned(), token: "as_token".to_owned(), device: String::new() };
    let server = Server::with(config.clone()).await;
    let room = server.room(&bot, json!({})).await;
    server.say(&bot, &room, "0").await;
    service.until("0").await;
    service.manners.failures.store(usize::MAX, Ordering::SeqCst);
    server.say(&bot, &room, "1").await;
    let first = service.next().await;
    server.say(&bot, &room, "2").await;
    server.running.shut_down().await;
    while service.asked.try_recv().is_ok() {}

    service.manners.failures.store(0, Ordering::SeqCst);
    let server = Server::with(config).await;
    let again = service.next().await;
    assert_eq!((again.path, again.body), (first.path, first.body));
    service.until("2").await;
    drop(server);
}

#[tokio::test]
async fn the_older_paths_are_tried_where_the_new_are_not_known() {
    let (server, mut service, bot) = with_service().await;
    service.manners.failures.store(1, Ordering::SeqCst);
    server.room(&bot, json!({})).await;
    let (new, old) = (service.next().await, service.next().await);
    assert_eq!(new.path, "PUT /_matrix/app/v1/transactions/1");
    assert_eq!((old.path.as_str(), old.body), ("PUT /transactions/1", new.body));
}

#[tokio::test]
async fn what_passes_is_told_too() {
    let (server, mut service, bot) = with_service().await;
    let alice = server.user("alice").await;
    let room = server.room(&bot, json!({"preset": "public_chat"})).await;
    server.join(&alice, &room).await;
    let event = server.say(&alice, &room, "hello").await;
    let presence = format!("/v3/presence/{}/status", alice.id);
    server.put(&alice, &presence, json!({"presence": "online"})).await;
    server
        .put(
            &alice,
            &format!("/v3/rooms/{room}/typing/{}", alice.id),
            json!({"typing": true, "timeout": 9000}),
        )
        .await;
    for kind in ["m.read", "m.read.private"] {
        server.post(&alice, &format!("/v3/rooms/{room}/receipt/{kind}/{event}"), json!({})).await;
    }
    let mut passed = Vec::new();
    let kind = |passed: &[Value], kind: &str| passed.iter().any(|event| event["type"] == kind);
    while !["m.typing", "m.receipt", "m.presence"].iter().all(|name| kind(&passed, name)) {
        passed.extend(service.next().await.body["ephemeral"].as_array().cloned().unwrap_or_default());
    }
    let typing = passed.iter().find(|event| event["type"] == "m.typing").unwrap();
    assert_eq!((&typing["room_id"], &typing["content"]["user_ids"]), (&json!(room), &json!([alice.id])));
    let receipt = passed.iter().find(|event| event["type"] == "m.receipt").unwrap();
    assert!(receipt["content"][&event]["m.read"].get(&alice.id).is_some(), "{receipt}");
    assert!(!json!(passed).to_string().contains("m.read.private"));
}

#[tokio::test]
async fn events_are_dated_as_the_service_says() {
    let (server, _service, bot) = with_service().await;
    let room = server.room(&bot, json!({})).await;
    let path = |ts: &str| format!("/v3/rooms/{room}/send/m.room.message/{ts}?ts={ts}");
    let message = json!({"msgtype": "m.text", "body": "old"});
    let (_, sent) = server.put(&bot, &path("1234"), message.clone()).await;
    let event = sent["event_id"].as_str().unwrap();
    let (_, event) = server.get(&bot, &format!("/v3/rooms/{room}/event/{event}")).await;
    assert_eq!(event["origin_server_ts"], 1234);
    for wrong in ["-1", "soon", "9007199254740993"] {
        assert_eq!(server.put(&bot, &path(wrong), message.clone()).await.0, 400, "{wrong}");
    }
    let (_, sent) =
        server.put(&bot, &format!("/v3/rooms/{room}/state/m.room.topic?ts=77"), json!({"topic": "t"})).await;
    let event = sent["event_id"].as_str().unwrap();
    assert_eq!(server.get(&bot, &format!("/v3/rooms/{room}/event/{event}")).await.1["origin_server_ts"], 77);
}

#[tokio::test]
async fn a_ping_tells_whether_the_service_can_be_reached() {
    let (server, mut service, bot) = with_service().await;
    let alice = server.user("alice").await;
    let path = "/v1/appservice/irc/ping";
    let (status, answer) = server.post(&bot, path, json!({"transaction_id": "meow"})).await;
    assert!(status == 200 && answer["duration_ms"].is_u64(), "{answer}");
    let asked = service.next().await;
    assert_eq!(
        (asked.path.as_str(), asked.body),
        ("POST /_matrix/app/v1/ping", json!({"transaction_id": "meow"}))
    );
    service.manners.failures.store(1, Ordering::SeqCst);
    let (status, answer) = server.post(&bot, path, json!({})).await;
    assert_eq!(
        (status.as_u16(), &answer["errcode"], &answer["status"]),
        (502, &json!("M_BAD_STATUS"), &json!(500))
    );
    assert_eq!(server.post(&bot, "/v1/appservice/other/ping", json!({})).await.0, 403);
    assert_eq!(server.post(&alice, path, json!({})).await.0, 403);
    assert_eq!(server.call(None, Method::POST, path, Some(json!({}))).await.0, 401);
}

#[tokio::test]
async fn a_service_is_asked_for_users_rooms_and_networks() {
    let (server, mut service, bot) = with_service().await;
    let alice = server.user("alice").await;
    assert_eq!(server.get(&alice, "/v3/directory/room/%23irc_a%3Atest.example").await.0, 404);
    assert_eq!(service.next().await.path, "GET /_matrix/app/v1/rooms/%23irc%5Fa%3Atest%2Eexample");
    assert_eq!(server.get(&alice, "/v3/profile/@irc_x:test.example").await.0, 404);
    assert_eq!(service.next().await.path, "GET /_matrix/app/v1/users/%40irc%5Fx%3Atest%2Eexample");
    assert_eq!(server.get(&alice, "/v3/profile/@nobody:test.example").await.0, 404);

    let irc = json!({"user_fields": ["nick"], "location_fields": [], "icon": "mxc://a/b", "field_types": {}, "instances": []});
    let users = json!([{"userid": "@irc_x:test.example", "protocol": "irc", "fields": {"nick": "x"}}]);
    *service.manners.answers.lock().unwrap() = vec![
        ("/_matrix/app/v1/thirdparty/protocol/irc", irc.clone()),
        ("/_matrix/app/v1/thirdparty/user", users.clone()),
    ];
    assert_eq!(server.get(&alice, "/v3/thirdparty/protocols").await.1, json!({"irc": irc}));
    assert_eq!(server.get(&alice, "/v3/thirdparty/protocol/irc").await.1, irc);
    while service.asked.try_recv().is_ok() {}
    assert_eq!(server.get(&alice, "/v3/thirdparty/user/irc?nick=x&access_token=secret").await.1, users);
    assert_eq!(service.next().await.path, "GET /_matrix/app/v1/thirdparty/user/irc?nick=x");
    assert_eq!(server.get(&alice, "/v3/thirdparty/user?userid=@irc_x:test.example").await.1, users);
    for path in ["thirdparty/location/irc", "thirdparty/location?alias=%23a%3Ab", "thirdparty/protocol/xmpp"]
    {
        assert_eq!(server.get(&alice, &format!("/v3/{path}")).await.0, 404, "{path}");
    }

    let room = server.room(&alice, json!({"preset": "public_chat"})).await;
    let path = format!("/v3/directory/list/appservice/irc/{room}");
    assert_eq!(server.put(&bot, &path, json!({"visibility": "public"})).await.0, 200);
    assert_eq!(server.put(&alice, &path, json!({"visibility": "public"})).await.0, 403);
    for (query, expected) in [
        (json!({}), 0),
        (json!({"third_party_instance_id": "irc"}), 1),
        (json!({"third_party_instance_id": "xmpp"}), 0),
        (json!({"include_all_networks": true}), 1),
    ] {
        let (_, answer) = server.post(&alice, "/v3/publicRooms", query.clone()).await;
        assert_eq!(answer["chunk"].as_array().unwrap().len(), expected, "{query}");
    }
}

#[tokio::test]
async fn two_services_can_not_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = registration(folder.path(), "null");
    let mut config = Config::new("test.example");
    config.application_services = vec![file.clone(), file];
    let error = reference_server::start(config).await.err().unwrap().to_string();
    assert!(error.contains("another one has the id \"irc\""), "{error}");
}
