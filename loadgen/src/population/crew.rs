//! A few connections that share a list of things to be made.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;

use crate::connection::{Answer, Lane, Problem, Server};
use crate::homes::Home;

/// How often a request is put again that a rate limit refused.
const MOST_ATTEMPTS: u32 = 20;
/// How long a rate limit may ask to wait each time.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long to wait where a rate limit does not say it.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// Connections that make things.
#[derive(Debug)]
pub(crate) struct Crew(Vec<Hand>);

/// One of them: a connection to each homeserver.
#[derive(Debug)]
pub(crate) struct Hand {
    here: Lane,
    elsewhere: Lane,
    within: Duration,
}

/// A hand at one homeserver.
#[derive(Debug)]
pub(crate) struct At<'h> {
    lane: &'h mut Lane,
    within: Duration,
}

impl Crew {
    /// So many hands, for users at home here and elsewhere.
    pub(crate) fn new(servers: [&Arc<Server>; 2], hands: usize, within: Duration) -> Self {
        let hand = |_| Hand::new(servers, within);
        Crew((0..hands.max(1)).map(hand).collect())
    }

    /// Makes so many things, each by whoever has a hand free. Gives them in order.
    pub(crate) async fn each<T>(
        &mut self,
        many: usize,
        make: impl AsyncFn(&mut Hand, usize) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let next = AtomicUsize::new(0);
        let mut made: Vec<Option<T>> = Vec::new();
        made.resize_with(many, || None);
        let made = Mutex::new(made);
        let (next, made_here, make) = (&next, &made, &make);
        try_join_all(self.0.iter_mut().map(|hand| async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= many {
                    return Ok::<_, Problem>(());
                }
                let thing = make(hand, number).await?;
                made_here.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(thing);
            }
        }))
        .await?;
        Ok(made.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect())
    }
}

impl Hand {
    pub(crate) fn new(servers: [&Arc<Server>; 2], within: Duration) -> Self {
        let [here, elsewhere] = servers.map(|server| Lane::new(server.clone()));
        Hand { here, elsewhere, within }
    }

    /// At the homeserver of whoever is at home there.
    pub(crate) fn at(&mut self, home: Home) -> At<'_> {
        let lane = match home {
            Home::Here => &mut self.here,
            Home::Elsewhere => &mut self.elsewhere,
        };
        At { lane, within: self.within }
    }
}

impl At<'_> {
    /// Puts a request until no rate limit refuses it; gives the answer, whatever it says.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Problem> {
        for _ in 1..MOST_ATTEMPTS {
            let answer = self.lane.exchange(request.clone(), self.within).await?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                return Ok(answer);
            }
            let told = match Problem::of_answer(&answer) {
                Problem::Status { retry_after_ms, .. } => retry_after_ms.map(Duration::from_millis),
                _ => None,
            };
            tokio::time::sleep(told.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT)).await;
        }
        self.lane.exchange(request, self.within).await
    }

    /// Puts a request and reads the JSON of its success.
    pub(crate) async fn read<T: DeserializeOwned>(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<T, Problem> {
        let what = format!("{} {}", request.method(), request.uri().path());
        let answer = self.ask(request).await?;
        if !answer.status.is_success() {
            return Err(Problem::of_answer(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Problem::Malformed(format!("{what}: {error}")))
    }
}
