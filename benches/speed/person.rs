//! A user, on one device.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::Fallible;

/// A user who is logged in. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Person {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Person {
    pub(crate) async fn register(url: &str, name: &str) -> Fallible<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let nobody = Person { http, url: url.to_owned(), token: String::new() };
        let body = json!({"username": name, "password": "a password of this benchmark", "auth": {"type": "m.login.dummy"}});
        let answer = nobody.ask(Method::POST, "register", Some(body)).await?;
        Ok(Person { token: text(&answer, "access_token")?, ..nobody })
    }

    /// A public room.
    pub(crate) async fn new_room(&self) -> Fallible<String> {
        let answer = self.ask(Method::POST, "createRoom", Some(json!({"preset": "public_chat"}))).await?;
        text(&answer, "room_id")
    }

    pub(crate) async fn join(&self, room: &str) -> Fallible<()> {
        self.ask(Method::POST, &format!("rooms/{room}/join"), Some(json!({}))).await.map(drop)
    }

    pub(crate) async fn say(&self, room: &str, words: &str) -> Fallible<()> {
        static SENT: AtomicU64 = AtomicU64::new(0);
        let transaction = SENT.fetch_add(1, Ordering::Relaxed);
        let message = json!({"msgtype": "m.text", "body": words});
        let path = format!("rooms/{room}/send/m.room.message/{transaction}");
        self.ask(Method::PUT, &path, Some(message)).await.map(drop)
    }

    /// What is new since a token, waited for; or everything.
    pub(crate) async fn sync(&self, since: Option<&str>) -> Fallible<Value> {
        let path = match since {
            Some(since) => format!("sync?timeout=30000&since={since}"),
            None => "sync".to_owned(),
        };
        self.ask(Method::GET, &path, None).await
    }

    /// Everything, by a filter that nobody has asked with before: a server may answer the same question from memory.
    pub(crate) async fn first_sync(&self) -> Fallible<Value> {
        let filter = "%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A11%7D%7D%7D";
        self.ask(Method::GET, &format!("sync?filter={filter}"), None).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Fallible<Value> {
        let request = self.http.request(method, format!("{}/_matrix/client/v3/{path}", self.url));
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{path}: {status} {body}").into()) }
    }
}

pub(crate) fn text(answer: &Value, name: &str) -> Fallible<String> {
    Ok(answer[name].as_str().ok_or_else(|| format!("no {name} in {answer}"))?.to_owned())
}
