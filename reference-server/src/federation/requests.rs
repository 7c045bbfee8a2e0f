//! What this server asks others: signed requests, sent to where discovery leads.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HOST};
use http::{Method, StatusCode};
use protocol::request::Request;
use serde_json::Value;

use crate::error::MatrixError;
use crate::homeserver::Homeserver;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer that is read. The state of a large room comes in one.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Another server has not answered what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// It can not be reached.
    #[error("{server} can not be reached: {reason}")]
    Unreachable {
        /// Its name.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// It answered with an error.
    #[error("{server} answered {status}: {body}")]
    Refused {
        /// Its name.
        server: String,
        /// The status.
        status: StatusCode,
        /// The body; null where that was not JSON.
        body: Value,
    },
    /// Its answer is not what it has to be.
    #[error("answer of {server} is of no use: {reason}")]
    Useless {
        /// Its name.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: http::HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl PeerError {
    /// An answer that is not what it has to be.
    pub(crate) fn useless(server: &str, reason: impl std::fmt::Display) -> Self {
        Self::Useless { server: server.to_owned(), reason: reason.to_string() }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the other server asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { status: StatusCode::TOO_MANY_REQUESTS, body, .. } => {
                body.get("retry_after_ms").and_then(Value::as_u64).map(Duration::from_millis)
            }
            _ => None,
        }
    }
}

/// What a client is told when another server fails it: a refusal is passed on, all else is a failure of the gateway.
impl From<PeerError> for MatrixError {
    fn from(error: PeerError) -> Self {
        tracing::info!("{error}");
        match error {
            PeerError::Refused { status, body, .. } if status.is_client_error() => {
                let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
                let (code, message) = (text("errcode"), text("error"));
                // These say that this server has asked wrongly, which the client can not help.
                let own_fault = matches!(
                    code.as_deref(),
                    Some("M_MISSING_PARAM" | "M_INVALID_PARAM" | "M_BAD_JSON" | "M_NOT_JSON")
                ) || status == StatusCode::UNAUTHORIZED;
                if own_fault {
                    return Self::new(
                        StatusCode::BAD_GATEWAY,
                        "M_UNKNOWN",
                        "the other server did not understand",
                    );
                }
                let message = message.unwrap_or_else(|| "the other server refused".to_owned());
                let passed = Self::foreign(status, code.unwrap_or_default(), message);
                match body.get("room_version") {
                    Some(version) => passed.with("room_version", version.clone()),
                    None => passed,
                }
            }
            error => Self::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", error.to_string()),
        }
    }
}

impl Homeserver {
    /// Asks another server. `uri` is path and query, percent-encoded.
    pub(crate) async fn ask(
        &self,
        destination: &str,
        method: Method,
        uri: &str,
        content: Option<&Value>,
    ) -> Result<Value, PeerError> {
        self.ask_within(TIMEOUT, destination, method, uri, content).await
    }

    /// Asks another server for something.
    pub(crate) async fn ask_for(&self, destination: &str, uri: &str) -> Result<Value, PeerError> {
        self.ask(destination, Method::GET, uri, None).await
    }

    /// Asks another server, and waits for so long.
    pub(crate) async fn ask_within(
        &self,
        timeout: Duration,
        destination: &str,
        method: Method,
        uri: &str,
        content: Option<&Value>,
    ) -> Result<Value, PeerError> {
        let answer = self.ask_raw(timeout, destination, method, uri, content).await?;
        let body = protocol::json::read(&answer.body).ok();
        if !answer.status.is_success() {
            let (server, status) = (destination.to_owned(), answer.status);
            return Err(PeerError::Refused { server, status, body: body.unwrap_or_default() });
        }
        body.ok_or_else(|| PeerError::useless(destination, "it is not JSON"))
    }

    /// Asks another server, and answers whatever came.
    pub(crate) async fn ask_raw(
        &self,
        timeout: Duration,
        destination: &str,
        method: Method,
        uri: &str,
        content: Option<&Value>,
    ) -> Result<RawAnswer, PeerError> {
        let unreachable = |reason: String| PeerError::Unreachable { server: destination.to_owned(), reason };
        if destination == self.name() {
            return Err(unreachable("it is this server".to_owned()));
        }
        let request = Request {
            method: method.as_str(),
            uri,
            origin: self.name(),
            destination: Some(destination),
            content,
        };
        let header = request.sign(&self.signing_key).map_err(|error| unreachable(error.to_string()))?;
        let exchange = async {
            let route = self.route_to(destination).await.map_err(unreachable)?;
            let mut request = route
                .client
                .request(method, format!("{}{uri}", route.base))
                .header(AUTHORIZATION, header.to_string())
                .header(HOST, &route.host);
            if let Some(content) = content {
                request = request.json(content);
            }
            let response = request.timeout(timeout).send().await;
            let mut response = response.map_err(|error| {
                self.outgoing.forget_route(destination);
                unreachable(reason_of(&error))
            })?;
            let mut body = BytesMut::new();
            while let Some(part) = response.chunk().await.map_err(|error| unreachable(reason_of(&error)))? {
                if body.len() + part.len() > MAX_ANSWER_BYTES {
                    return Err(PeerError::useless(destination, "it is too large"));
                }
                body.extend_from_slice(&part);
            }
            let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
            Ok(RawAnswer { status, headers, body: body.freeze() })
        };
        let elapsed = || unreachable("it took too long".to_owned());
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|_| Err(elapsed()))
    }
}

/// What went wrong, down to the cause, which the error itself does not say.
fn reason_of(error: &reqwest::Error) -> String {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    reason
}
