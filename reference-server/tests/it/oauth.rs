//! OAuth 2.0 and single sign-on: a test is the client, the browser, and the identity provider.

use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::base64;
use reference_server::{Config, IdentityProvider};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Server, User, password_stage};

const SCOPE: &str = "urn:matrix:client:api:* urn:matrix:client:device:PHONE12345";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-x";
const CALLBACK: &str = "https://app.client.example/callback";

async fn with_oauth(legacy: bool) -> Server {
    let mut config = Config::new("test.example");
    config.authentication.oauth = true;
    config.authentication.legacy = legacy;
    let mut server = Server::with(config).await;
    server.http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    server
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://localhost").unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap().to_owned()
}

/// What a form sends.
async fn submit(server: &Server, path: &str, fields: &[(&str, &str)]) -> Response {
    let request =
        server.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    request.body(encoded(fields)).send().await.unwrap()
}

async fn json_of(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn register(server: &Server) -> String {
    let metadata = json!({
        "client_name": "App", "client_uri": "https://client.example/", "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "other"],
        "application_type": "web", "token_endpoint_auth_method": "none",
    });
    let request = server.request(Method::POST, "/oauth2/clients/register").json(&metadata);
    let (status, answer) = json_of(request.send().await.unwrap()).await;
    assert_eq!((status, answer["grant_types"].as_array().unwrap().len()), (201, 3), "{answer}");
    answer["client_id"].as_str().unwrap().to_owned()
}

fn wish<'a>(client_id: &'a str, challenge: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("response_type", "code"),
        ("response_mode", "fragment"),
        ("client_id", client_id),
        ("redirect_uri", CALLBACK),
        ("scope", SCOPE),
        ("state", "a state"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]
}

fn challenge() -> String {
    base64::encode_url_safe(Sha256::digest(VERIFIER))
}

/// What came back to the client in the fragment.
fn returned(answer: &Response) -> Vec<(String, String)> {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let url = reqwest::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(url.host_str(), Some("app.client.example"));
    let fragment = reqwest::Url::parse(&format!("http://localhost/?{}", url.fragment().unwrap())).unwrap();
    fragment.query_pairs().into_owned().collect()
}

/// Allows the client as alice; answers the code.
async fn code(server: &Server, client_id: &str) -> String {
    let challenge = challenge();
    let mut fields = wish(client_id, &challenge);
    fields.extend([("username", "alice"), ("password", "password-of-alice"), ("action", "allow")]);
    let returned = returned(&submit(server, "/oauth2/authorize", &fields).await);
    assert!(returned.contains(&("state".to_owned(), "a state".to_owned())));
    returned.into_iter().find(|(name, _)| name == "code").unwrap().1
}

async fn tokens(server: &Server, client_id: &str, code: &str, verifier: &str) -> (u16, Value) {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", verifier),
    ];
    json_of(submit(server, "/oauth2/token", &fields).await).await
}

async fn refresh(server: &Server, client_id: &str, token: &str) -> (u16, Value) {
    let fields = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
    json_of(submit(server, "/oauth2/token", &fields).await).await
}

async fn whoami(server: &Server, tokens: &Value) -> (u16, Value) {
    let request = server.request(Method::GET, "/_matrix/client/v3/account/whoami");
    json_of(request.bearer_auth(tokens["access_token"].as_str().unwrap()).send().await.unwrap()).await
}

#[tokio::test]
async fn a_client_gets_tokens_for_a_code_once() {
    let server = with_oauth(true).await;
    server.user("alice").await;
    let (status, metadata) = server.call(None, Method::GET, "/v1/auth_metadata", None).await;
    assert_eq!((status, &metadata["code_challenge_methods_supported"]), (StatusCode::OK, &json!(["S256"])));
    let client_id = register(&server).await;
    assert_eq!(register(&server).await, client_id);
    let challenge = challenge();
    let page = format!("/oauth2/authorize?{}", encoded(&wish(&client_id, &challenge)));
    let page = server.request(Method::GET, &page).send().await.unwrap();
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    assert!(page.text().await.unwrap().contains("PHONE12345"));

    let first = code(&server, &client_id).await;
    assert_eq!(tokens(&server, &client_id, &first, "another").await.1["error"], "invalid_grant");
    assert_eq!(tokens(&server, &client_id, &first, VERIFIER).await.1["error"], "invalid_grant");
    let second = code(&server, &client_id).await;
    let (status, granted) = tokens(&server, &client_id, &second, VERIFIER).await;
    assert_eq!((status, &granted["token_type"], &granted["scope"]), (200, &json!("Bearer"), &json!(SCOPE)));
    let (_, who) = whoami(&server, &granted).await;
    assert_eq!((&who["user_id"], &who["device_id"]), (&json!("@alice:test.example"), &json!("PHONE12345")));
}

#[tokio::test]
async fn wrong_wishes_are_refused_where_they_came_from() {
    let server = with_oauth(true).await;
    server.user("alice").await;
    let client_id = register(&server).await;
    let challenge = challenge();
    for (name, value, error) in [
        ("scope", "openid", "invalid_scope"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
    ] {
        let mut fields = wish(&client_id, &challenge);
        fields.retain(|(other, _)| *other != name);
        fields.push((name, value));
        let path = format!("/oauth2/authorize?{}", encoded(&fields));
        let answer = server.request(Method::GET, &path).send().await.unwrap();
        assert!(returned(&answer).contains(&("error".to_owned(), error.to_owned())), "{name}");
    }
    for (name, value) in [("redirect_uri", "https://evil.example/"), ("client_id", "nobody")] {
        let mut fields = wish(&client_id, &challenge);
        fields.retain(|(other, _)| *other != name);
        fields.push((name, value));
        let path = format!("/oauth2/authorize?{}", encoded(&fields));
        assert_eq!(server.request(Method::GET, &path).send().await.unwrap().status(), 400, "{name}");
    }
    let mut fields = wish(&client_id, &challenge);
    fields.extend([("username", "alice"), ("password", "wrong"), ("action", "allow")]);
    assert_eq!(submit(&server, "/oauth2/authorize", &fields).await.status(), 200);
    fields.truncate(8);
    fields.push(("action", "deny"));
    let denied = returned(&submit(&server, "/oauth2/authorize", &fields).await);
    assert!(denied.contains(&("error".to_owned(), "access_denied".to_owned())));
}

#[tokio::test]
async fn a_replaced_refresh_token_ends_the_session() {
    let server = with_oauth(true).await;
    server.user("alice").await;
    let client_id = register(&server).await;
    let (_, first) = tokens(&server, &client_id, &code(&server, &client_id).await, VERIFIER).await;
    let old = first["refresh_token"].as_str().unwrap();
    let (status, lost) = refresh(&server, &client_id, old).await;
    assert_eq!(status, 200, "{lost}");
    let (status, second) = refresh(&server, &client_id, old).await;
    assert_eq!(status, 200, "the first answer may be lost: {second}");
    assert_eq!(refresh(&server, "other", second["refresh_token"].as_str().unwrap()).await.0, 400);
    assert_eq!(whoami(&server, &second).await.0, 200);
    assert_eq!(refresh(&server, &client_id, old).await.1["error"], "invalid_grant");
    assert_eq!(whoami(&server, &second).await.0, 401);
}

#[tokio::test]
async fn a_revoked_token_ends_the_session_with_its_device() {
    let server = with_oauth(true).await;
    let alice = server.user("alice").await;
    let client_id = register(&server).await;
    let (_, granted) = tokens(&server, &client_id, &code(&server, &client_id).await, VERIFIER).await;
    let foreign = [("token", alice.token.as_str()), ("client_id", client_id.as_str())];
    assert_eq!(submit(&server, "/oauth2/revoke", &foreign).await.status(), 400);
    let fields = [("token", granted["refresh_token"].as_str().unwrap()), ("client_id", &client_id)];
    assert_eq!(submit(&server, "/oauth2/revoke", &fields).await.status(), 200);
    assert_eq!(submit(&server, "/oauth2/revoke", &fields).await.status(), 200);
    assert_eq!(whoami(&server, &granted).await.0, 401);
    assert_eq!(server.get(&alice, "/v3/devices/PHONE12345").await.0, 404);
}

#[tokio::test]
async fn a_device_without_a_browser_is_let_in() {
    let server = with_oauth(true).await;
    server.user("alice").await;
    let client_id = register(&server).await;
    let wish = [("client_id", client_id.as_str()), ("scope", SCOPE)];
    let (_, begun) = json_of(submit(&server, "/oauth2/device", &wish).await).await;
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();
    let (device_code, user_code) = (text("device_code"), text("user_code"));
    let kind = "urn:ietf:params:oauth:grant-type:device_code";
    let poll = [("grant_type", kind), ("client_id", &client_id), ("device_code", &device_code)];
    let (_, waits) = json_of(submit(&server, "/oauth2/token", &poll).await).await;
    assert_eq!(waits["error"], "authorization_pending");
    let page =
        server.request(Method::GET, &format!("/oauth2/link?user_code={user_code}")).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("PHONE12345"));
    let form = [
        ("user_code", user_code.as_str()),
        ("username", "alice"),
        ("password", "password-of-alice"),
        ("action", "allow"),
    ];
    assert_eq!(submit(&server, "/oauth2/link", &form).await.status(), 200);
    let (status, granted) = json_of(submit(&server, "/oauth2/token", &poll).await).await;
    assert_eq!((status, whoami(&server, &granted).await.0), (200, 200), "{granted}");
}

#[tokio::test]
async fn what_the_other_api_guards_is_done_on_pages() {
    let server = with_oauth(true).await;
    let alice = server.user("alice").await;
    let client_id = register(&server).await;
    let (_, granted) = tokens(&server, &client_id, &code(&server, &client_id).await, VERIFIER).await;
    let token = granted["access_token"].as_str().unwrap().to_owned();
    let phone = User { id: alice.id.clone(), token, device: "PHONE12345".to_owned() };
    let (status, answer) = server.post(&phone, "/v3/delete_devices", json!({"devices": []})).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (403, &json!("M_FORBIDDEN")));
    let keys = |key: &str| {
        let public = key.repeat(43);
        json!({"master_key": {
            "user_id": alice.id, "usage": ["master"], "keys": {format!("ed25519:{public}"): public},
        }})
    };
    assert_eq!(server.post(&phone, "/v3/keys/device_signing/upload", keys("A")).await.0, 200);
    let (status, challenge) = server.post(&phone, "/v3/keys/device_signing/upload", keys("E")).await;
    assert_eq!((status.as_u16(), &challenge["flows"]), (401, &json!([{"stages": ["m.oauth"]}])));
    let url = challenge["params"]["m.oauth"]["url"].as_str().unwrap();
    assert_eq!(server.http.get(url).send().await.unwrap().status(), 200);
    let session = challenge["session"].as_str().unwrap();
    let form =
        [("session", session), ("username", "alice"), ("password", "password-of-alice"), ("action", "allow")];
    assert!(submit(&server, "/oauth2/account", &form).await.text().await.unwrap().contains("Done"));
    let mut body = keys("E");
    body["auth"] = json!({"session": session});
    assert_eq!(server.post(&phone, "/v3/keys/device_signing/upload", body).await.0, 200);
}

#[tokio::test]
async fn without_the_legacy_api_accounts_are_made_on_pages() {
    let server = with_oauth(false).await;
    for (method, path) in
        [(Method::GET, "/v3/login"), (Method::POST, "/v3/login"), (Method::POST, "/v3/register")]
    {
        let (status, answer) =
            server.call(None, method, path, Some(json!({"type": "m.login.password"}))).await;
        assert_eq!((status.as_u16(), &answer["errcode"]), (404, &json!("M_UNRECOGNIZED")), "{path}");
    }
    let client_id = register(&server).await;
    let challenge = challenge();
    let mut fields = wish(&client_id, &challenge);
    fields.extend([("username", "bob"), ("password", "secret"), ("action", "create")]);
    let returned = returned(&submit(&server, "/oauth2/authorize", &fields).await);
    let code = &returned.iter().find(|(name, _)| name == "code").unwrap().1;
    let (_, granted) = tokens(&server, &client_id, code, VERIFIER).await;
    assert_eq!(whoami(&server, &granted).await.1["user_id"], "@bob:test.example");
}

#[tokio::test]
async fn without_oauth_none_of_it_is_there() {
    let server = Server::start().await;
    let (status, answer) = server.call(None, Method::GET, "/v1/auth_metadata", None).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (404, &json!("M_UNRECOGNIZED")));
    assert_eq!(server.request(Method::GET, "/oauth2/authorize").send().await.unwrap().status(), 404);
}

/// An OpenID provider where everybody is Carol.
async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
    });
    let token = async |body: String| {
        assert!(body.contains("code=the%2Dcode") && body.contains("code_verifier="), "{body}");
        Json(json!({"access_token": "theirs", "token_type": "Bearer"}))
    };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(async move || Json(metadata)))
        .route("/token", post(token))
        .route("/userinfo", get(async || Json(json!({"sub": "17", "preferred_username": "Carol"}))));
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}

#[tokio::test]
async fn a_user_of_an_identity_provider_logs_in() {
    let mut config = Config::new("test.example");
    config.identity_providers =
        vec![IdentityProvider::new("corp", "The Corporation", provider().await, "matrix")];
    config.authentication.trusted_clients = vec!["https://client.example/".to_owned()];
    let mut server = Server::with(config).await;
    server.http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    server.user("carol").await;
    let (_, flows) = server.call(None, Method::GET, "/v3/login", None).await;
    assert!(
        flows["flows"].as_array().unwrap().iter().any(|flow| flow["identity_providers"][0]["id"] == "corp")
    );
    let mut users = Vec::new();
    for redirect in ["https://client.example/?a=b", "https://other.example/"] {
        let path =
            format!("/_matrix/client/v3/login/sso/redirect/corp?{}", encoded(&[("redirectUrl", redirect)]));
        let sent = server.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(sent.status(), 302);
        let url = reqwest::Url::parse(sent.headers()["location"].to_str().unwrap()).unwrap();
        assert_eq!(url.path(), "/authorize");
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let cookie = sent.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let back =
            format!("/_determinant/sso/callback?{}", encoded(&[("state", &state), ("code", "the-code")]));
        assert_eq!(server.request(Method::GET, &back).send().await.unwrap().status(), 403, "another browser");
        let back = server.request(Method::GET, &back).header("cookie", cookie).send().await.unwrap();
        let url = match back.headers().get("location") {
            Some(location) => location.to_str().unwrap().to_owned(),
            None => {
                let page = back.text().await.unwrap();
                page.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&")
            }
        };
        assert!(url.starts_with(redirect), "{url}");
        let url = reqwest::Url::parse(&url).unwrap();
        let token = url.query_pairs().find(|(name, _)| name == "loginToken").unwrap().1.into_owned();
        let login = json!({"type": "m.login.token", "token": token});
        users.push(server.call(None, Method::POST, "/v3/login", Some(login)).await.1["user_id"].clone());
    }
    assert_eq!(users, [json!("@carol2:test.example"), json!("@carol2:test.example")]);
    let unknown = "/_matrix/client/v3/login/sso/redirect/other?redirectUrl=https://client.example/";
    assert_eq!(server.request(Method::GET, unknown).send().await.unwrap().status(), 404);
    let login = password_stage("carol", "password-of-carol");
    assert_eq!(server.call(None, Method::POST, "/v3/login", Some(login)).await.0, 200);
}
