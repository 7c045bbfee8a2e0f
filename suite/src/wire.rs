//! Sends requests to a homeserver: waits out rate limits, bounds what it reads, and shows every exchange to the judge.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use fixtures::catalogue::{Api, Catalogue, Direction};
use futures_util::StreamExt;
use http::StatusCode;
use serde_json::Value;

use crate::{
    exchange::{Exchange, Request, Response},
    judge::Judge,
    scene::{Act, Scene},
    verdict::Stop,
};

/// No response of the specification comes near this; a longer one is an endless one.
const LONGEST_BODY_BYTES: usize = 64 * 1024 * 1024;
/// A server that still limits after so many polite repetitions will not be judged.
const MOST_REPETITIONS: u32 = 20;

/// The way to one API of one server.
#[derive(Debug)]
pub struct Wire {
    client: reqwest::Client,
    base: url::Url,
    api: Api,
    answer_within: Duration,
    judge: Arc<Judge>,
    limited: AtomicU64,
}

impl Wire {
    /// A way to `base`; a request may take `answer_within`.
    pub fn new(
        client: reqwest::Client,
        base: url::Url,
        api: Api,
        answer_within: Duration,
        judge: Arc<Judge>,
    ) -> Self {
        Wire { client, base, api, answer_within, judge, limited: AtomicU64::new(0) }
    }

    /// Where the requests go.
    pub fn base(&self) -> &url::Url {
        &self.base
    }

    /// How many answers were 429.
    pub fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }

    /// Sends a request and waits for the whole answer. Rate limits are waited out.
    pub async fn send(&self, scene: &Scene, request: Request) -> Result<Arc<Exchange>, Stop> {
        for _ in 0..MOST_REPETITIONS {
            let started = Instant::now();
            let exchange = self.exchange(&request).await?;
            if exchange.response.status == StatusCode::TOO_MANY_REQUESTS {
                self.wait_out(scene, &exchange.response, started).await;
                continue;
            }
            scene.push(Act::Exchanged(exchange.clone()));
            return Ok(exchange);
        }
        Err(Stop::Fault(format!(
            "{} {} was still rate-limited after {MOST_REPETITIONS} repetitions; raise the server's limits for the run",
            request.method, request.target
        )))
    }

    /// The same, with whatever comes first.
    pub async fn send_once(&self, scene: &Scene, request: &Request) -> Result<Arc<Exchange>, Stop> {
        let exchange = self.exchange(request).await?;
        scene.push(Act::Exchanged(exchange.clone()));
        Ok(exchange)
    }

    async fn exchange(&self, request: &Request) -> Result<Arc<Exchange>, Stop> {
        let started = Instant::now();
        let response = self.transmit(request).await?;
        let path = request.target.split('?').next().unwrap_or_default();
        let route = Catalogue::v1_19().route(self.api, request.method.as_str(), path);
        let exchange = Arc::new(Exchange {
            direction: Direction::Inbound,
            operation: route.map(|route| route.operation),
            request: request.clone(),
            response,
            duration: started.elapsed(),
            note: None,
        });
        self.judge.see(&exchange);
        Ok(exchange)
    }

    async fn wait_out(&self, scene: &Scene, response: &Response, started: Instant) {
        self.limited.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(retry_after(response)).await;
        scene.prolong(started.elapsed());
    }

    async fn transmit(&self, request: &Request) -> Result<Response, Stop> {
        let url = format!("{}{}", self.base.as_str().trim_end_matches('/'), request.target);
        let mut builder = self.client.request(request.method.clone(), url).headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
            if body.is_empty() {
                // Of a body without bytes, the client would say nothing (RFC 9110, section 8.6).
                builder = builder.header(http::header::CONTENT_LENGTH, 0);
            }
        }
        let broken = |what: String| Stop::Fault(format!("{} {}: {what}", request.method, request.target));
        let (within, until) =
            (self.answer_within.as_secs(), tokio::time::Instant::now() + self.answer_within);
        let response = tokio::time::timeout_at(until, builder.send())
            .await
            .map_err(|_| broken(format!("no complete answer within {within} s")))?
            .map_err(|error| broken(in_words(&error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        // What was begun and not brought to its end is an answer of the server's, and no good one.
        let body = tokio::time::timeout_at(until, read(response)).await;
        let body =
            body.unwrap_or_else(|_| Err(format!("{status}, and no end of the body within {within} s")));
        let unfinished = |what| format!("{} {}: {what}", request.method, request.target);
        let body = body.map_err(|what| Stop::unmet("an answer that comes to its end", unfinished(what)))?;
        let json = serde_json::from_slice::<Value>(&body).ok();
        Ok(Response { status, headers, body, json })
    }
}

async fn read(response: reqwest::Response) -> Result<Bytes, String> {
    let mut stream = response.bytes_stream();
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        body.extend_from_slice(&chunk.map_err(|error| in_words(&error))?);
        if body.len() > LONGEST_BODY_BYTES {
            return Err(format!("the body did not end after {LONGEST_BODY_BYTES} bytes"));
        }
    }
    Ok(body.freeze())
}

/// How long the server asks to wait: `client-server-api/#rate-limiting`.
fn retry_after(response: &Response) -> Duration {
    let header = || response.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.parse::<u64>().ok();
    let body = || response.json.as_ref()?.get("retry_after_ms")?.as_u64();
    let wait = header().map(Duration::from_secs).or_else(|| body().map(Duration::from_millis));
    wait.unwrap_or(Duration::from_secs(1)).clamp(Duration::from_millis(50), Duration::from_secs(120))
}

/// The innermost cause says what happened; the outer ones only where.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
