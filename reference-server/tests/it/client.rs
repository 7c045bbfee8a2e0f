//! A client that says what it sends and returns what came.

use reference_server::{Config, Running};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A running server and the way to it.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) http: reqwest::Client,
}

/// Somebody who is logged in.
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) device: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Config::new("test.example")).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self { running: reference_server::start(config).await.unwrap(), http: reqwest::Client::new() }
    }

    /// Where clients reach it.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.running.client_address()
    }

    /// Any request to any path.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.running.client_address()))
    }

    /// A request to the client-server API, below `/_matrix/client`.
    pub(crate) async fn call(
        &self,
        user: Option<&User>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.request(method, &format!("/_matrix/client{path}"));
        if let Some(user) = user {
            request = request.bearer_auth(&user.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    pub(crate) async fn get(&self, user: &User, path: &str) -> (StatusCode, Value) {
        self.call(Some(user), Method::GET, path, None).await
    }

    pub(crate) async fn put(&self, user: &User, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Some(user), Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn post(&self, user: &User, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Some(user), Method::POST, path, Some(body)).await
    }

    /// Registers with the password `password-of-NAME`.
    pub(crate) async fn user(&self, name: &str) -> User {
        let body = json!({"username": name, "password": format!("password-of-{name}")});
        let answer = self.authenticated(None, "/v3/register", body, json!({"type": "m.login.dummy"})).await;
        assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
        User::from(&answer.1)
    }

    /// Sends a body, takes the challenge, and sends the body again with the stage.
    pub(crate) async fn authenticated(
        &self,
        user: Option<&User>,
        path: &str,
        mut body: Value,
        mut stage: Value,
    ) -> (StatusCode, Value) {
        let (status, challenge) = self.call(user, Method::POST, path, Some(body.clone())).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{challenge}");
        stage["session"] = challenge["session"].clone();
        body["auth"] = stage;
        self.call(user, Method::POST, path, Some(body)).await
    }
}

impl From<&Value> for User {
    fn from(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self { id: text("user_id"), token: text("access_token"), device: text("device_id") }
    }
}

/// The password stage of user-interactive authentication.
pub(crate) fn password_stage(name: &str, password: &str) -> Value {
    json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password})
}

impl Server {
    /// A room made from this body; answers its id.
    pub(crate) async fn room(&self, user: &User, body: Value) -> String {
        let (status, answer) = self.post(user, "/v3/createRoom", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["room_id"].as_str().unwrap().to_owned()
    }

    /// Joins, which has to succeed.
    pub(crate) async fn join(&self, user: &User, room: &str) {
        let (status, answer) = self.post(user, &format!("/v3/rooms/{room}/join"), json!({})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// Sends a text; answers the id of the event.
    pub(crate) async fn say(&self, user: &User, room: &str, text: &str) -> String {
        let path = format!("/v3/rooms/{room}/send/m.room.message/{text}");
        let (status, answer) = self.put(user, &path, json!({"msgtype": "m.text", "body": text})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["event_id"].as_str().unwrap().to_owned()
    }

    /// Syncs, with any further parameters; answers the whole answer.
    pub(crate) async fn sync(&self, user: &User, parameters: &str) -> Value {
        let (status, answer) = self.get(user, &format!("/v3/sync?{parameters}")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }
}

/// The types of a list of events.
pub(crate) fn types(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// The bodies of the messages in a list of events.
pub(crate) fn bodies(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}
