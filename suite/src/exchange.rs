//! One request and what came of it, as a test saw it and as the record keeps it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fixtures::catalogue::{Direction, Operation};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

/// A request that was answered.
#[derive(Debug)]
pub struct Exchange {
    /// Who asked: the suite asks the server (inbound), or the server asks the suite (outbound).
    pub direction: Direction,
    /// The operation of the specification that path and method belong to.
    pub operation: Option<&'static Operation>,
    /// What was sent.
    pub request: Request,
    /// What came.
    pub response: Response,
    /// From the first byte sent to the last byte received; waiting out rate limits is not in it.
    pub duration: Duration,
    /// What whoever reads the exchange has to know of it.
    pub note: Option<String>,
}

/// What was sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub target: String,
    /// The headers that the test set, the access token among them.
    pub headers: HeaderMap,
    /// The body as it went over the wire.
    pub body: Option<Bytes>,
}

/// What came.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came over the wire.
    pub body: Bytes,
    /// The body, where it is JSON.
    pub json: Option<Value>,
}

impl Response {
    /// The `errcode` of a standard error response.
    pub fn errcode(&self) -> Option<&str> {
        self.json.as_ref()?.get("errcode")?.as_str()
    }

    /// The media type without its parameters, in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next()?.trim().to_ascii_lowercase())
    }

    /// Whether this is a challenge of the user-interactive authentication API and so no standard error response.
    pub fn is_authentication_challenge(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && self.json.as_ref().is_some_and(|body| body.get("flows").is_some_and(Value::is_array))
    }

    /// Whether the server says that it does not know the endpoint: `client-server-api/#common-error-codes`. A JSON body
    /// without a code is a broken error of an endpoint that exists.
    pub fn is_unrecognized(&self) -> bool {
        matches!(self.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
            && self.errcode().map_or(self.json.is_none(), |code| code == "M_UNRECOGNIZED")
    }

    /// Status and error code in a few words: `403 M_FORBIDDEN`.
    pub fn in_short(&self) -> String {
        match self.errcode() {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }
}

impl Exchange {
    /// The form that the record keeps.
    pub fn recorded(self: &Arc<Self>) -> reports::Exchange {
        reports::Exchange {
            method: self.request.method.to_string(),
            url: self.request.target.clone(),
            request_headers: plain(&self.request.headers),
            request_body: self.request.body.as_ref().map(text),
            status: Some(self.response.status.as_u16()),
            response_headers: plain(&self.response.headers),
            response_body: Some(text(&self.response.body)),
            duration_ms: self.duration.as_secs_f64() * 1000.0,
            error: None,
            note: self.note.clone(),
        }
    }
}

fn plain(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(pair).collect()
}

fn text(body: &Bytes) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!(
            "{} bytes that are not UTF-8, beginning with {:02x?}",
            body.len(),
            &body[..body.len().min(32)]
        ),
    }
}
