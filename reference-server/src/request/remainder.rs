//! What is left of a request when its answer is there.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream;

/// More than this is not read of a request that has been answered; the largest that is taken at all are transactions.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Nor is anybody waited for longer than this who does not send it.
const WITHIN: Duration = Duration::from_secs(5);

/// Reads what nobody wanted of a request before it is answered. Whoever is still writing when the connection is closed would not
/// get to read why (RFC 9112, section 9.6).
pub(crate) async fn read_remainder(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let chunks = Arc::new(Mutex::new(body.into_data_stream()));
    let read = {
        let chunks = Arc::clone(&chunks);
        move |context: &mut std::task::Context<'_>| {
            chunks.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
        }
    };
    let body = Body::from_stream(stream::poll_fn(read.clone()));
    let response = next.run(Request::from_parts(parts, body)).await;
    let remainder = async {
        let mut length = 0;
        while let Some(Ok(chunk)) = poll_fn(read.clone()).await {
            length += chunk.len();
            if length > MOST_BYTES {
                break;
            }
        }
    };
    if tokio::time::timeout(WITHIN, remainder).await.is_err() {
        tracing::debug!("the rest of a request does not come");
    }
    response
}
