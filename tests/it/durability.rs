//! The built-in server, killed at random moments under load: what it has acknowledged is there afterwards.
//!
//! `DETERMINANT_KILLS=50 cargo test --test it durability` kills it as often.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Kills in a usual run of the tests.
const KILLS: u64 = 3;

/// The longest that the server lives under load, in milliseconds.
const LONGEST_LIFE_MS: u64 = 400;

/// A server with a data folder; killed when it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let data = data.to_str().expect("a path in UTF-8");
        let mut command = super::determinant(&["serve", "--listen", "127.0.0.1:0", "--data", data]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary can be started");
        let output = child.stdout.take().expect("its output");
        let first = BufReader::new(output).lines().next().expect("a first line").expect("text");
        let url = first.strip_prefix("clients: ").expect("its address").to_owned();
        Server { child, url }
    }

    /// Ends at this instant, whatever it is doing: SIGKILL.
    fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody's way to the server.
#[derive(Clone)]
struct Session {
    http: Client,
    url: String,
    token: String,
}

impl Session {
    /// The answer to a request that was acknowledged.
    async fn call(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Option<Value> {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.body(body).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }

    async fn must(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.call(method, path, body.to_string()).await;
        answer.unwrap_or_else(|| panic!("no success from {path}"))
    }

    fn at(&self, server: &Server) -> Self {
        Session { url: server.url.clone(), ..self.clone() }
    }
}

/// What the server has acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Event ids with what the events say.
    events: Vec<(String, String)>,
    /// Media ids, with server name, and content.
    media: Vec<(String, String)>,
    /// What messages to the device say.
    to_device: Vec<String>,
    /// Ids of one-time keys.
    keys: Vec<String>,
}

type Ledger = Arc<Mutex<Acknowledged>>;

fn register(server: &Server, http: &Client, name: &str) -> impl Future<Output = Session> {
    let session = Session { http: http.clone(), url: server.url.clone(), token: String::new() };
    let name = name.to_owned();
    async move {
        let path = "/_matrix/client/v3/register";
        let mut body = json!({"username": name, "password": "secret", "device_id": "DEVICE"});
        let request = session.http.post(format!("{}{path}", session.url)).body(body.to_string());
        let challenge: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        body["auth"] = json!({"type": "m.login.dummy", "session": challenge["session"]});
        let answer = session.must(Method::POST, path, body).await;
        Session { token: answer["access_token"].as_str().expect("a token").to_owned(), ..session }
    }
}

/// Does one thing after another, of all kinds, until the server is gone.
async fn burden(session: Session, room: String, other: String, numbers: Arc<AtomicU64>, ledger: Ledger) {
    loop {
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        let text = format!("number {number}");
        let note = |note: &dyn Fn(&mut Acknowledged)| note(&mut ledger.lock().expect("the ledger"));
        match number % 8 {
            0 => {
                let path = "/_matrix/media/v3/upload";
                let Some(answer) = session.call(Method::POST, path, text.repeat(1000)).await else { return };
                let place =
                    answer["content_uri"].as_str().expect("a URI").trim_start_matches("mxc://").to_owned();
                note(&|ledger| ledger.media.push((place.clone(), text.repeat(1000))));
            }
            1 => {
                let path = format!("/_matrix/client/v3/sendToDevice/org.determinant.test/{number}");
                let body = json!({"messages": {&other: {"DEVICE": {"text": text}}}});
                if session.call(Method::PUT, &path, body.to_string()).await.is_none() {
                    return;
                }
                note(&|ledger| ledger.to_device.push(text.clone()));
            }
            2 => {
                let id = format!("key{number}");
                let body = json!({"one_time_keys": {format!("signed_curve25519:{id}"): {"key": id, "signatures": {}}}});
                if session
                    .call(Method::POST, "/_matrix/client/v3/keys/upload", body.to_string())
                    .await
                    .is_none()
                {
                    return;
                }
                note(&|ledger| ledger.keys.push(id.clone()));
            }
            _ => {
                let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}");
                let body = json!({"msgtype": "m.text", "body": text});
                let Some(answer) = session.call(Method::PUT, &path, body.to_string()).await else { return };
                let event_id = answer["event_id"].as_str().expect("an event id").to_owned();
                note(&|ledger| ledger.events.push((event_id.clone(), text.clone())));
            }
        }
    }
}

/// Everything in the ledger is there.
async fn check(alice: &Session, bob: &Session, room: &str, ledger: &Ledger) {
    let (events, media, to_device) = {
        let ledger = ledger.lock().expect("the ledger");
        (ledger.events.clone(), ledger.media.clone(), ledger.to_device.clone())
    };
    for (event_id, text) in events {
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{event_id}");
        let event = alice.must(Method::GET, &path, json!({})).await;
        assert_eq!(event["content"]["body"], text);
    }
    for (place, content) in media {
        let url = format!("{}/_matrix/client/v1/media/download/{place}", alice.url);
        let answer = alice.http.get(url).bearer_auth(&alice.token).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("the content"), content);
    }
    // The device has never said that it has read any of them, so all come again, a part at a time.
    let (mut texts, mut since) = (Vec::new(), String::new());
    loop {
        let sync =
            bob.must(Method::GET, &format!("/_matrix/client/v3/sync?timeout=0{since}"), json!({})).await;
        let events = sync["to_device"]["events"].as_array().cloned().unwrap_or_default();
        if events.is_empty() {
            break;
        }
        texts.extend(
            events.iter().map(|event| event["content"]["text"].as_str().unwrap_or_default().to_owned()),
        );
        since = format!("&since={}", sync["next_batch"].as_str().expect("a token"));
    }
    for text in to_device {
        assert!(texts.contains(&text), "the message {text:?} to a device is lost");
    }
    // What was read is gone: the next round begins with an empty list.
    ledger.lock().expect("the ledger").to_device.clear();
}

/// Every one-time key that was uploaded can be claimed once.
async fn check_keys(alice_id: &str, bob: &Session, ledger: &Ledger) {
    let mut expected = ledger.lock().expect("the ledger").keys.clone();
    let mut claimed = Vec::new();
    for _ in 0..expected.len() {
        let body = json!({"one_time_keys": {alice_id: {"DEVICE": "signed_curve25519"}}});
        let answer = bob.must(Method::POST, "/_matrix/client/v3/keys/claim", body).await;
        let keys = answer["one_time_keys"][alice_id]["DEVICE"].as_object().cloned().unwrap_or_default();
        claimed.extend(keys.values().map(|key| key["key"].as_str().unwrap_or_default().to_owned()));
    }
    claimed.sort();
    expected.sort();
    // A key whose upload was not acknowledged may be there as well, and then stands in front of others.
    let missing: Vec<_> = expected.iter().filter(|key| !claimed.contains(key)).collect();
    let unacknowledged = claimed.iter().filter(|key| !expected.contains(key)).count();
    assert!(missing.len() <= unacknowledged, "lost keys: {missing:?}");
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let kills = std::env::var("DETERMINANT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client");
        let mut server = Server::start(folder.path());
        let mut alice = register(&server, &http, "alice").await;
        let mut bob = register(&server, &http, "bob").await;
        let room = alice.must(Method::POST, "/_matrix/client/v3/createRoom", json!({})).await;
        let room = room["room_id"].as_str().expect("a room").to_owned();
        let (numbers, ledger) = (Arc::new(AtomicU64::new(0)), Ledger::default());
        for round in 1..=kills {
            let mut load = JoinSet::new();
            for _ in 0..8 {
                let other = "@bob:localhost".to_owned();
                load.spawn(burden(alice.clone(), room.clone(), other, numbers.clone(), ledger.clone()));
            }
            // The moment is the test: no condition says when a server dies.
            tokio::time::sleep(Duration::from_millis(50 + rand::random::<u64>() % LONGEST_LIFE_MS)).await;
            server.kill();
            while load.join_next().await.is_some() {}
            server = Server::start(folder.path());
            (alice, bob) = (alice.at(&server), bob.at(&server));
            check(&alice, &bob, &room, &ledger).await;
            let acknowledged = ledger.lock().expect("the ledger").events.len();
            assert!(acknowledged > 0 || round < kills, "nothing was acknowledged in any round");
        }
        check_keys("@alice:localhost", &bob, &ledger).await;
    });
}
