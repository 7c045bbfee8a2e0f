//! E-mail addresses, telephone numbers, and what is done with them.

use std::path::Path;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::keys::SigningKey;
use reference_server::{Config, Mail, Policy, Recaptcha, RegistrationMode, TextMessages};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::{Server, User, password_stage};
use crate::loopback::{self, Relay};

async fn with_mail() -> (Server, Relay) {
    let relay = Relay::start().await;
    let mut config = Config::new("test.example");
    config.mail = Some(Mail::new(&relay.url, "Test <noreply@test.example>"));
    (Server::with(config).await, relay)
}

/// The link in a mail.
fn link(mail: &str) -> String {
    let link =
        mail.lines().find(|line| line.starts_with("http")).unwrap_or_else(|| panic!("no link in {mail}"));
    link.trim().to_owned()
}

async fn request_token(server: &Server, path: &str, body: Value) -> (StatusCode, Value) {
    server.call(None, Method::POST, &format!("/v3/{path}/requestToken"), Some(body)).await
}

/// Has a token sent to an address and opens the link; answers the credentials of the session.
async fn validate(server: &Server, relay: &mut Relay, operation: &str, address: &str) -> Value {
    let body = json!({"client_secret": "secret", "email": address, "send_attempt": 1});
    let (status, answer) = request_token(server, &format!("{operation}/email"), body).await;
    assert_eq!(status, 200, "{answer}");
    let opened = reqwest::get(link(&relay.next().await)).await.unwrap();
    assert_eq!(opened.status(), 200);
    json!({"sid": answer["sid"], "client_secret": "secret"})
}

async fn add(server: &Server, user: &User, name: &str, credentials: Value) -> (StatusCode, Value) {
    let stage = password_stage(name, &format!("password-of-{name}"));
    server.authenticated(Some(user), "/v3/account/3pid/add", credentials, stage).await
}

#[tokio::test]
async fn an_address_is_added_and_stands_for_its_owner() {
    let (server, mut relay) = with_mail().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let credentials = validate(&server, &mut relay, "account/3pid", "Alice@Example.org").await;
    assert_eq!(add(&server, &alice, "alice", credentials.clone()).await, (StatusCode::OK, json!({})));
    let (_, listed) = server.get(&alice, "/v3/account/3pid").await;
    let first = &listed["threepids"][0];
    assert_eq!((&first["medium"], &first["address"]), (&json!("email"), &json!("alice@example.org")));
    assert_eq!(add(&server, &bob, "bob", credentials).await.1["errcode"], "M_THREEPID_IN_USE");
    for operation in ["register", "account/3pid"] {
        let body = json!({"client_secret": "x", "email": "ALICE@example.org", "send_attempt": 1});
        let (status, answer) = request_token(&server, &format!("{operation}/email"), body).await;
        assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_THREEPID_IN_USE")));
    }

    let identifier = json!({"type": "m.id.thirdparty", "medium": "email", "address": "alice@EXAMPLE.org"});
    let login =
        json!({"type": "m.login.password", "identifier": identifier, "password": "password-of-alice"});
    let (status, answer) = server.call(None, Method::POST, "/v3/login", Some(login)).await;
    assert_eq!((status, &answer["user_id"]), (StatusCode::OK, &json!(alice.id)));

    let removal = json!({"medium": "email", "address": "alice@example.org"});
    let (_, answer) = server.post(&alice, "/v3/account/3pid/delete", removal).await;
    assert_eq!(answer, json!({"id_server_unbind_result": "no-support"}));
    assert_eq!(server.get(&alice, "/v3/account/3pid").await.1, json!({"threepids": []}));
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_whoever_reads_the_address() {
    let (server, mut relay) = with_mail().await;
    let alice = server.user("alice").await;
    let unknown = json!({"client_secret": "x", "email": "alice@example.org", "send_attempt": 1});
    let (status, answer) = request_token(&server, "account/password/email", unknown).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_THREEPID_NOT_FOUND")));
    let credentials = validate(&server, &mut relay, "account/3pid", "alice@example.org").await;
    add(&server, &alice, "alice", credentials).await;

    let body = json!({"client_secret": "another", "email": "alice@example.org", "send_attempt": 1});
    let (_, session) = request_token(&server, "account/password/email", body).await;
    let stage = json!({
        "type": "m.login.email.identity",
        "threepid_creds": {"sid": session["sid"], "client_secret": "another"},
    });
    let new = json!({"new_password": "remembered"});
    let (status, answer) =
        server.authenticated(None, "/v3/account/password", new.clone(), stage.clone()).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (401, &json!("M_THREEPID_AUTH_FAILED")));
    reqwest::get(link(&relay.next().await)).await.unwrap();
    assert_eq!(server.authenticated(None, "/v3/account/password", new, stage).await.0, 200);
    let login = password_stage("alice", "remembered");
    assert_eq!(server.call(None, Method::POST, "/v3/login", Some(login)).await.0, 200);
    assert_eq!(server.get(&alice, "/v3/account/whoami").await.0, 401);
}

#[tokio::test]
async fn a_new_account_begins_with_its_address() {
    let relay = &mut Relay::start().await;
    let mut config = Config::new("test.example");
    config.mail = Some(Mail::new(&relay.url, "noreply@test.example"));
    config.registration.mode = RegistrationMode::Email;
    let server = Server::with(config).await;
    let credentials = validate(&server, relay, "register", "alice@example.org").await;
    let stage = json!({"type": "m.login.email.identity", "threepid_creds": credentials});
    let body = json!({"username": "alice", "password": "secret"});
    let (status, answer) = server.authenticated(None, "/v3/register", body, stage.clone()).await;
    assert_eq!(status, 200, "{answer}");
    let alice = User::from(&answer);
    let (_, listed) = server.get(&alice, "/v3/account/3pid").await;
    assert_eq!(listed["threepids"][0]["address"], "alice@example.org");
    let body = json!({"username": "bob", "password": "secret"});
    let (_, answer) = server.authenticated(None, "/v3/register", body, stage).await;
    assert_eq!(answer["errcode"], "M_THREEPID_IN_USE");
}

#[tokio::test]
async fn a_token_is_sent_once_for_every_attempt_and_leads_on() {
    let (server, mut relay) = with_mail().await;
    let body = |attempt: u32| {
        let link = "https://client.example/next?a=b";
        json!({"client_secret": "s", "email": "a@example.org", "send_attempt": attempt, "next_link": link})
    };
    let (_, first) = request_token(&server, "register/email", body(1)).await;
    let old = link(&relay.next().await);
    assert_eq!(request_token(&server, "register/email", body(1)).await.1, first);
    assert!(!relay.has_more());
    assert_eq!(request_token(&server, "register/email", body(2)).await.1, first);
    let new = link(&relay.next().await);
    assert_eq!(reqwest::get(&old).await.unwrap().status(), 403);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let opened = client.get(&new).send().await.unwrap();
    assert_eq!(opened.headers()["location"], "https://client.example/next?a=b");

    for wrong in [
        json!({"client_secret": "not a secret"}),
        json!({"client_secret": ""}),
        json!({"email": "nobody"}),
        json!({"send_attempt": null}),
        json!({"send_attempt": "1"}),
        json!({"next_link": "javascript:alert(1)"}),
    ] {
        let mut body = body(3);
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(request_token(&server, "register/email", body).await.0, 400, "{wrong}");
    }
    let number =
        json!({"client_secret": "s", "country": "GB", "phone_number": "07700900001", "send_attempt": 1});
    let (status, answer) = request_token(&server, "register/msisdn", number).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_THREEPID_MEDIUM_NOT_SUPPORTED")));
}

#[tokio::test]
async fn a_code_is_sent_to_a_telephone_and_not_guessed() {
    let (send, mut sent) = mpsc::unbounded_channel::<Value>();
    let take = async |State(send): State<mpsc::UnboundedSender<Value>>, Json(body): Json<Value>| {
        send.send(body).unwrap();
    };
    let gateway = loopback::serve(Router::new().route("/send", post(take)).with_state(send)).await;
    let mut config = Config::new("test.example");
    config.text_messages = Some(TextMessages::new(format!("{gateway}/send")));
    let server = Server::with(config).await;
    let alice = server.user("alice").await;
    let body =
        json!({"client_secret": "s", "country": "GB", "phone_number": "07700 900001", "send_attempt": 1});
    let (_, session) = request_token(&server, "account/3pid/msisdn", body.clone()).await;
    let message = sent.recv().await.unwrap();
    assert_eq!(message["to"], "+447700900001");
    let code = message["text"].as_str().unwrap().split(' ').next().unwrap().to_owned();
    let submit = async |code: &str| -> Value {
        let body = json!({"sid": session["sid"], "client_secret": "s", "token": code});
        let request = reqwest::Client::new().post(session["submit_url"].as_str().unwrap());
        request.json(&body).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(submit("000000").await, json!({"success": false}));
    assert_eq!(submit(&code).await, json!({"success": true}));
    let credentials = json!({"sid": session["sid"], "client_secret": "s"});
    assert_eq!(add(&server, &alice, "alice", credentials).await.0, 200);
    let identifier = json!({"type": "m.id.phone", "country": "GB", "phone": "+44 7700 900001"});
    let login =
        json!({"type": "m.login.password", "identifier": identifier, "password": "password-of-alice"});
    assert_eq!(server.call(None, Method::POST, "/v3/login", Some(login)).await.0, 200);

    let mut other = body;
    other["phone_number"] = json!("07700 900002");
    let (_, session) = request_token(&server, "account/3pid/msisdn", other).await;
    let code = sent.recv().await.unwrap()["text"].as_str().unwrap()[..6].to_owned();
    for _ in 0..10 {
        let body = json!({"sid": session["sid"], "client_secret": "s", "token": "000000"});
        server.http.post(session["submit_url"].as_str().unwrap()).json(&body).send().await.unwrap();
    }
    let body = json!({"sid": session["sid"], "client_secret": "s", "token": code});
    let answer = server.http.post(session["submit_url"].as_str().unwrap()).json(&body).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"success": false}));
}

/// What an identity server is asked, and a key that it signs with.
type Asked = mpsc::UnboundedSender<(String, Value, String)>;

async fn identity_server(folder: &Path, tell: Asked, known: &'static str) -> String {
    let note = |path: &'static str, answer: Value| {
        post(
            async move |State(tell): State<Asked>,
                        headers: axum::http::HeaderMap,
                        Json(body): Json<Value>| {
                let authorization = headers["authorization"].to_str().unwrap().to_owned();
                let mappings: serde_json::Map<String, Value> = match known {
                    "" => serde_json::Map::new(),
                    known => [(body["addresses"][0].as_str().unwrap_or_default().to_owned(), json!(known))]
                        .into_iter()
                        .collect(),
                };
                tell.send((path.to_owned(), body, authorization)).unwrap();
                Json(if path == "lookup" { json!({"mappings": mappings}) } else { answer.clone() })
            },
        )
    };
    let key = signing_key().verify_key().to_base64();
    let stored = json!({
        "token": "token", "display_name": "al...@ex...", "public_key": key,
        "public_keys": [{"public_key": key}],
    });
    let bound = json!({"medium": "email", "address": "alice@example.org", "mxid": "@alice:test.example"});
    let details = async || Json(json!({"algorithms": ["none", "sha256"], "lookup_pepper": "pepper"}));
    let router = Router::new()
        .route("/_matrix/identity/v2/hash_details", get(details))
        .route("/_matrix/identity/v2/pubkey/isvalid", get(async || Json(json!({"valid": true}))))
        .route("/_matrix/identity/v2/lookup", note("lookup", Value::Null))
        .route("/_matrix/identity/v2/store-invite", note("store-invite", stored))
        .route("/_matrix/identity/v2/3pid/bind", note("bind", bound))
        .route("/_matrix/identity/v2/3pid/unbind", note("unbind", json!({})))
        .with_state(tell);
    loopback::serve_tls(folder, router).await
}

fn signing_key() -> SigningKey {
    SigningKey::from_base64_seed("1", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap()
}

async fn with_identity_server(
    known: &'static str,
) -> (Server, String, mpsc::UnboundedReceiver<(String, Value, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let (tell, asked) = mpsc::unbounded_channel();
    let name = identity_server(folder.path(), tell, known).await;
    let mut config = Config::new("test.example");
    config.outgoing.authorities = Some(folder.path().join("ca.pem"));
    config.outgoing.private_addresses = true;
    (Server::with(config).await, name, asked)
}

#[tokio::test]
async fn an_address_is_bound_and_unbound_at_an_identity_server() {
    let (server, name, mut asked) = with_identity_server("").await;
    let alice = server.user("alice").await;
    let body = json!({"sid": "s", "client_secret": "c", "id_server": name, "id_access_token": "theirs"});
    assert_eq!(server.post(&alice, "/v3/account/3pid/bind", body).await, (StatusCode::OK, json!({})));
    let (path, body, authorization) = asked.recv().await.unwrap();
    assert_eq!((path.as_str(), authorization.as_str()), ("bind", "Bearer theirs"));
    assert_eq!(body, json!({"sid": "s", "client_secret": "c", "mxid": alice.id}));
    let address = json!({"medium": "email", "address": "alice@example.org"});
    let (_, answer) = server.post(&alice, "/v3/account/3pid/unbind", address.clone()).await;
    assert_eq!(answer, json!({"id_server_unbind_result": "success"}));
    let (path, body, authorization) = asked.recv().await.unwrap();
    assert_eq!((path.as_str(), &body), ("unbind", &json!({"mxid": alice.id, "threepid": address})));
    assert!(authorization.starts_with("X-Matrix origin="), "{authorization}");
    let (_, answer) = server.post(&alice, "/v3/account/3pid/unbind", address).await;
    assert_eq!(answer, json!({"id_server_unbind_result": "no-support"}));
    let elsewhere = json!({"sid": "s", "client_secret": "c", "id_server": "a/b", "id_access_token": "t"});
    assert_eq!(server.post(&alice, "/v3/account/3pid/bind", elsewhere).await.0, 400);
}

#[tokio::test]
async fn an_invite_waits_until_the_address_has_an_owner() {
    let (server, name, mut asked) = with_identity_server("").await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({"name": "Room"})).await;
    let invite =
        json!({"medium": "email", "address": "bob@example.org", "id_server": name, "id_access_token": "t"});
    let path = format!("/v3/rooms/{room}/invite");
    assert_eq!(server.post(&alice, &path, invite).await, (StatusCode::OK, json!({})));
    let (_, lookup, _) = asked.recv().await.unwrap();
    assert_eq!((&lookup["algorithm"], &lookup["pepper"]), (&json!("sha256"), &json!("pepper")));
    let (_, stored, _) = asked.recv().await.unwrap();
    assert_eq!((&stored["room_name"], &stored["sender"]), (&json!("Room"), &json!(alice.id)));
    let path = format!("/v3/rooms/{room}/state/m.room.third_party_invite/token");
    let (_, content) = server.get(&alice, &path).await;
    assert_eq!(content["display_name"], "al...@ex...");

    let mut signed = json!({"mxid": bob.id, "token": "token"}).as_object().unwrap().clone();
    let join = async |signed: &Value| {
        let body = json!({"third_party_signed": signed});
        server.post(&bob, &format!("/v3/rooms/{room}/join"), body).await.0
    };
    assert_eq!(join(&Value::Object(signed.clone())).await, 403);
    protocol::signatures::sign(&mut signed, "id.example", &signing_key()).unwrap();
    assert_eq!(join(&Value::Object(signed)).await, 200);
}

#[tokio::test]
async fn a_known_address_is_invited_like_its_owner() {
    let (server, name, _asked) = with_identity_server("@bob:test.example").await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = server.room(&alice, json!({})).await;
    let invite =
        json!({"medium": "email", "address": "bob@example.org", "id_server": name, "id_access_token": "t"});
    assert_eq!(server.post(&alice, &format!("/v3/rooms/{room}/invite"), invite).await.0, 200);
    assert!(server.sync(&bob, "").await["rooms"]["invite"].get(&room).is_some());
}

#[tokio::test]
async fn all_stages_of_a_flow_have_to_be_completed() {
    let verify = async |body: String| {
        assert!(body.contains("secret=private"), "{body}");
        Json(json!({"success": body.contains("response=solved")}))
    };
    let verifier = loopback::serve(Router::new().route("/verify", post(verify))).await;
    let mut config = Config::new("test.example");
    let policy = Policy::new("1", "Terms", "https://test.example/terms");
    config.registration.terms.insert("terms".to_owned(), policy);
    config.registration.recaptcha = Some(Recaptcha::new("public", "private", format!("{verifier}/verify")));
    let server = Server::with(config).await;
    let register = async |auth: Value| {
        let body = json!({"username": "alice", "password": "secret", "auth": auth});
        server.call(None, Method::POST, "/v3/register", Some(body)).await
    };
    let (_, challenge) = register(json!({})).await;
    let session = challenge["session"].as_str().unwrap().to_owned();
    assert_eq!(
        challenge["flows"],
        json!([{"stages": ["m.login.recaptcha", "m.login.terms", "m.login.dummy"]}])
    );
    assert_eq!(challenge["params"]["m.login.recaptcha"], json!({"public_key": "public"}));
    let policy = json!({"version": "1", "en": {"name": "Terms", "url": "https://test.example/terms"}});
    assert_eq!(challenge["params"]["m.login.terms"], json!({"policies": {"terms": policy}}));

    let (status, refused) =
        register(json!({"type": "m.login.recaptcha", "response": "no", "session": session})).await;
    assert_eq!((status.as_u16(), &refused["errcode"]), (401, &json!("M_CAPTCHA_INVALID")));
    let (status, first) =
        register(json!({"type": "m.login.recaptcha", "response": "solved", "session": session})).await;
    assert_eq!((status.as_u16(), &first["completed"]), (401, &json!(["m.login.recaptcha"])));
    assert!(first.get("errcode").is_none());

    let page = format!("/_matrix/client/v3/auth/m.login.terms/fallback/web?session={session}");
    let shown = server.request(Method::GET, &page).send().await.unwrap();
    assert!(shown.text().await.unwrap().contains("https://test.example/terms"));
    let agreed = server.request(Method::POST, &page).send().await.unwrap();
    assert!(agreed.text().await.unwrap().contains("onAuthDone"));
    let (_, second) = register(json!({"session": session})).await;
    assert_eq!(second["completed"], json!(["m.login.recaptcha", "m.login.terms"]));
    assert_eq!(register(json!({"type": "m.login.dummy", "session": session})).await.0, 200);
}
