//! Delegation by `/.well-known/matrix/server`: server-server-api/#getwell-knownmatrixserver.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::CACHE_CONTROL;
use protocol::identifiers::ServerName;
use serde_json::Value;

use crate::misbehave::{Fault, commits};
use crate::outgoing::Outgoing;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long an answer counts that does not say so, and the longest that any does.
const DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST: Duration = Duration::from_secs(48 * 60 * 60);

/// How long the first failure counts; each further one twice as long, up to an hour.
const FIRST_FAILURE: Duration = Duration::from_secs(60);

/// The longest answer that is read.
const MAX_BYTES: usize = 50 * 1024;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whether and where servers delegate, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct WellKnowns(Mutex<HashMap<String, Found>>);

#[derive(Debug, Clone)]
struct Found {
    delegated: Option<ServerName>,
    until: Instant,
    failures: u32,
}

impl Outgoing {
    /// The name that a host delegates to, and until when that counts.
    pub(super) async fn well_known(&self, host: &str) -> (Option<ServerName>, Instant) {
        let known = self.well_knowns.find(host);
        if let Some(known) = known.as_ref().filter(|known| known.until > Instant::now()) {
            return (known.delegated.clone(), known.until);
        }
        let found = match self.fetch(host).await {
            Ok((delegated, lifetime)) => {
                Found { delegated: Some(delegated), until: Instant::now() + lifetime, failures: 0 }
            }
            Err(reason) => {
                tracing::debug!("{host} does not delegate: {reason}");
                let failures = known.map_or(0, |known| known.failures) + 1;
                let pause = FIRST_FAILURE.saturating_mul(1 << (failures - 1).min(6)).min(HOUR);
                Found { delegated: None, until: Instant::now() + pause, failures }
            }
        };
        self.well_knowns.add(host, found.clone());
        (found.delegated, found.until)
    }

    async fn fetch(&self, host: &str) -> Result<(ServerName, Duration), String> {
        let url = format!("https://{host}:{}/.well-known/matrix/server", self.well_known_port);
        let client = if commits(Fault::RedirectedDelegationIgnored) { &self.client } else { &self.following };
        let response = client.get(url).timeout(TIMEOUT).send().await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("it answered {}", response.status()));
        }
        let lifetime = lifetime(response.headers());
        let mut body = Vec::new();
        let mut response = response;
        while let Some(part) = response.chunk().await.map_err(|error| error.to_string())? {
            if body.len() + part.len() > MAX_BYTES {
                return Err("its answer is too long".to_owned());
            }
            body.extend_from_slice(&part);
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let name = answer.get("m.server").and_then(Value::as_str).ok_or("its answer has no m.server")?;
        Ok((ServerName::parse(name).map_err(|error| error.to_string())?, lifetime))
    }
}

impl WellKnowns {
    fn find(&self, host: &str) -> Option<Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    fn add(&self, host: &str, found: Found) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= super::MOST {
            all.retain(|_, found| found.until > Instant::now());
        }
        if all.len() < super::MOST {
            all.insert(host.to_owned(), found);
        }
    }
}

fn lifetime(headers: &HeaderMap) -> Duration {
    let control = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut lifetime = DEFAULT;
    for directive in control.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            lifetime = Duration::ZERO;
        } else if let Some(seconds) = directive.strip_prefix("max-age=").and_then(|value| value.parse().ok())
        {
            lifetime = Duration::from_secs(seconds);
        }
    }
    lifetime.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use rstest::rstest;

    use super::lifetime;

    #[rstest]
    #[case(None, 24 * 60 * 60)]
    #[case(Some("max-age=60"), 60)]
    #[case(Some("public, MAX-AGE=60"), 60)]
    #[case(Some("no-store"), 0)]
    #[case(Some("max-age=99999999"), 48 * 60 * 60)]
    #[case(Some("max-age=soon"), 24 * 60 * 60)]
    fn an_answer_counts_as_long_as_it_says(#[case] control: Option<&'static str>, #[case] seconds: u64) {
        let mut headers = HeaderMap::new();
        if let Some(control) = control {
            headers.insert("cache-control", HeaderValue::from_static(control));
        }
        assert_eq!(lifetime(&headers).as_secs(), seconds);
    }
}
