//! What a remote answers: well, badly, or not at all.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

/// An answer in the making; every test may replace any.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(in crate::cast) status: u16,
    pub(in crate::cast) headers: Vec<(String, String)>,
    pub(in crate::cast) body: Bytes,
    pub(super) delay: Duration,
    pub(super) ready: Option<watch::Receiver<bool>>,
    pub(super) delivery: Delivery,
}

/// How an answer goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As it should.
    Whole,
    /// The connection ends in the middle of the body.
    Half,
    /// The body goes on and on.
    Endless,
    /// The connection ends without an answer.
    Nothing,
}

impl Reply {
    /// A success with a JSON body.
    pub fn json(body: Value) -> Self {
        Self::json_with(200, body)
    }

    /// A JSON body with a status.
    pub fn json_with(status: u16, body: Value) -> Self {
        Self::bytes(status, "application/json", body.to_string())
    }

    /// A standard error response: `client-server-api/#standard-error-response`.
    pub fn error(status: u16, errcode: &str) -> Self {
        Self::json_with(
            status,
            json!({"errcode": errcode, "error": "a remote homeserver of the suite refuses"}),
        )
    }

    /// These bytes.
    pub fn bytes(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), media_type.to_owned())];
        Reply {
            status,
            headers,
            body: body.into(),
            delay: Duration::ZERO,
            ready: None,
            delivery: Delivery::Whole,
        }
    }

    /// These bytes, without a word on what they are.
    pub fn unlabelled(status: u16, body: impl Into<Bytes>) -> Self {
        Reply { headers: Vec::new(), ..Self::bytes(status, "", body) }
    }

    /// What pretends to be JSON and is not.
    pub fn garbage() -> Self {
        Self::bytes(200, "application/json", "{\"never\": ended")
    }

    /// A redirect.
    pub fn redirect(location: &str) -> Self {
        Self::bytes(302, "text/plain", "elsewhere").header("location", location)
    }

    /// The connection is closed without an answer.
    pub fn nothing() -> Self {
        Reply { delivery: Delivery::Nothing, ..Self::json(json!({})) }
    }

    /// A success whose body never ends.
    pub fn endless() -> Self {
        Reply { delivery: Delivery::Endless, ..Self::json(json!({})) }
    }

    /// The same answer, of which only the first half arrives.
    pub fn broken_off(self) -> Self {
        Reply { delivery: Delivery::Half, ..self }
    }

    /// The same answer, later.
    pub fn after(self, delay: Duration) -> Self {
        Reply { delay, ..self }
    }

    /// The same answer, as soon as this is true or nobody can make it so any more.
    pub fn once(self, ready: watch::Receiver<bool>) -> Self {
        Reply { ready: Some(ready), ..self }
    }

    /// The same answer with another header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same answer with another JSON body.
    pub fn altered(mut self, alter: impl FnOnce(&mut Value)) -> Self {
        let mut body = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        alter(&mut body);
        self.body = body.to_string().into();
        self
    }

    /// The body, where it is JSON.
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}
