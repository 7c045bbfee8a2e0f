//! Requests of the client-server API, built without copying what does not change.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Everything that a segment of a path may not hold as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request with nothing in it.
pub(crate) fn get(path: &str, bearer: Option<&HeaderValue>) -> Request<Full<Bytes>> {
    build(Method::GET, path, bearer, None, Bytes::new())
}

/// A request with a JSON body.
pub(crate) fn put(path: &str, bearer: Option<&HeaderValue>, body: &Value) -> Request<Full<Bytes>> {
    build(Method::PUT, path, bearer, Some("application/json"), body.to_string().into())
}

/// A request with a JSON body.
pub(crate) fn post(path: &str, bearer: Option<&HeaderValue>, body: &Value) -> Request<Full<Bytes>> {
    build(Method::POST, path, bearer, Some("application/json"), body.to_string().into())
}

/// A request with bytes.
pub(crate) fn post_bytes(path: &str, bearer: &HeaderValue, body: Bytes) -> Request<Full<Bytes>> {
    build(Method::POST, path, Some(bearer), Some("application/octet-stream"), body)
}

/// The value of the `Authorization` header for a token; nothing of a token that no header can hold.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("Bearer {token}")).ok()
}

/// A segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A request with what its `Authorization` header holds.
pub(crate) fn build(
    method: Method,
    path: &str,
    authorization: Option<&HeaderValue>,
    content_type: Option<&'static str>,
    body: Bytes,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    // Paths are made here, of escaped segments; one that is none becomes a request that the server refuses.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    if let Some(authorization) = authorization {
        headers.insert(header::AUTHORIZATION, authorization.clone());
    }
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    request
}
