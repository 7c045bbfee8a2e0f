//! Who is asking: the `X-Matrix` signature of another server, server-server-api/#request-authentication.

use std::sync::Arc;

use axum::extract::{FromRequest, Request as HttpRequest};
use http::StatusCode;
use http::header::AUTHORIZATION;
use protocol::Object;
use protocol::identifiers::ServerName;
use protocol::keys::KeyRing;
use protocol::request::{Request, XMatrix};
use serde_json::Value;

use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};

/// The largest body that is read: fifty events of the largest size, and what goes with them.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A request that a server has signed.
#[derive(Debug)]
pub(super) struct Signed {
    /// The server.
    pub(super) origin: String,
    /// The body, which is empty where there was none.
    pub(super) content: Object,
}

impl FromRequest<Arc<Homeserver>> for Signed {
    type Rejection = MatrixError;

    async fn from_request(request: HttpRequest, server: &Arc<Homeserver>) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let headers: Vec<XMatrix> = parts
            .headers
            .get_all(AUTHORIZATION)
            .iter()
            .map(|value| {
                let text =
                    value.to_str().map_err(|_| unauthorized("the authorization header is not text"))?;
                text.parse().map_err(|error: protocol::request::HeaderError| unauthorized(error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        let Some(first) = headers.first() else {
            return Err(unauthorized("requests between servers have to be signed"));
        };
        let origin = first.origin.clone();
        for header in &headers {
            check_names(server, header, &origin)?;
        }
        let bytes = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
            MatrixError::too_large(format!("body must arrive whole and within {MAX_BODY_BYTES} bytes"))
        })?;
        let content = if bytes.is_empty() { None } else { Some(read(&bytes)?) };
        let uri = parts.uri.path_and_query().map_or("/", |uri| uri.as_str());
        for header in &headers {
            let signed = Request {
                method: parts.method.as_str(),
                uri,
                origin: &origin,
                destination: header.destination.as_deref(),
                content: content.as_ref(),
            };
            verify(server, header, &signed).await?;
        }
        server.delivery.heard_of(&origin);
        let content = match content {
            Some(Value::Object(content)) => content,
            Some(_) => return Err(MatrixError::bad_json("body must be a JSON object")),
            None => Object::new(),
        };
        Ok(Self { origin, content })
    }
}

fn check_names(server: &Homeserver, header: &XMatrix, origin: &str) -> Result<(), MatrixError> {
    if header
        .destination
        .as_deref()
        .is_some_and(|destination| destination != server.name() && !commits(Fault::DestinationsUnchecked))
    {
        return Err(unauthorized("the request is for another server"));
    }
    if header.origin != origin || ServerName::parse(origin).is_err() {
        return Err(unauthorized("the request must come from one server with a proper name"));
    }
    Ok(())
}

async fn verify(server: &Homeserver, header: &XMatrix, signed: &Request<'_>) -> Result<(), MatrixError> {
    let (mut ring, now) = (KeyRing::default(), now_ms());
    server.add_keys(&mut ring, signed.origin, &[header.key.as_str()], now).await?;
    let key = ring.find(signed.origin, &header.key).filter(|key| key.validity.covers(now, true));
    let key =
        key.ok_or_else(|| unauthorized(format!("{} has no valid key {}", signed.origin, header.key)))?;
    let verified = signed.verify(header, &key.key).or_else(|error| match header.destination {
        // The header of old senders leaves the destination out, whether they have signed it or not.
        None => Request { destination: Some(server.name()), ..*signed }.verify(header, &key.key),
        Some(_) => Err(error),
    });
    verified.map_err(|error| unauthorized(error.to_string()))
}

fn read(bytes: &[u8]) -> Result<Value, MatrixError> {
    protocol::json::read(bytes).map_err(|error| MatrixError::not_json(format!("body must be JSON: {error}")))
}

fn unauthorized(message: impl Into<String>) -> MatrixError {
    MatrixError::new(StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED", message)
}
