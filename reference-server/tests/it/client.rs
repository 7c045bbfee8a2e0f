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
