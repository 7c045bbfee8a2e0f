//! How often somebody may ask (client-server-api/#rate-limiting).
//!
//! A caller has a bucket for each class of operations. It holds as many requests as the class lets through at once, and
//! gets one more at every interval. Of a bucket only the moment is kept at which it will be full: the generic cell rate
//! algorithm, so that a full bucket is none.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Uri};

use crate::application_service::ApplicationService;
use crate::config::{Rate, RateLimits as Settings};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::{Query, access_token};

/// After so many requests, full buckets are forgotten.
const SWEEP_EVERY: usize = 4096;

/// The buckets of the server.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    anonymous: Option<Limit>,
    reading: Option<Limit>,
    changing: Option<Limit>,
    media: Option<Limit>,
    behind_proxy: bool,
}

impl RateLimits {
    pub(crate) fn new(settings: &Settings) -> Self {
        let limit = |rate: &Option<Rate>| rate.as_ref().map(Limit::new);
        Self {
            anonymous: limit(&settings.anonymous),
            reading: limit(&settings.reading),
            changing: limit(&settings.changing),
            media: limit(&settings.media),
            behind_proxy: settings.behind_proxy,
        }
    }

    /// The limit for a request, and whose bucket it is taken from; nothing where there is none.
    fn applying(
        &self,
        server: &Homeserver,
        request: &Request,
        address: SocketAddr,
    ) -> Option<(&Limit, String)> {
        if [&self.anonymous, &self.reading, &self.changing, &self.media].iter().all(|limit| limit.is_none()) {
            return None;
        }
        let uri = request.uri();
        let Some(token) = access_token(request.headers(), uri) else {
            return Some((self.anonymous.as_ref()?, self.caller(request.headers(), address)));
        };
        let path = uri.path();
        let limit = match *request.method() {
            _ if path.contains("/media/") => &self.media,
            // Whoever waits for news does nothing.
            Method::GET if path.ends_with("/sync") || path.ends_with("/events") => return None,
            Method::GET => &self.reading,
            _ => &self.changing,
        };
        let bucket = match server.application_services.with_token(&token) {
            None => token,
            Some(service) => limited_user(&service, uri)?,
        };
        Some((limit.as_ref()?, bucket))
    }

    /// The address of whoever asks; behind a proxy, the one that it has added last.
    fn caller(&self, headers: &HeaderMap, address: SocketAddr) -> String {
        let forwarded =
            || headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next();
        let last = if self.behind_proxy { forwarded() } else { None };
        last.map_or_else(|| address.ip().to_string(), |last| last.trim().to_owned())
    }
}

/// The user that an application service poses as, if those are limited; its own never is
/// (application-service-api/#definition-registration).
fn limited_user(service: &ApplicationService, uri: &Uri) -> Option<String> {
    let query = Query::parse(uri.query().unwrap_or_default());
    let user_id = query.text("user_id").filter(|user_id| *user_id != service.sender)?;
    service.registration.rate_limited.then(|| user_id.to_owned())
}

/// Lets a request through, or answers it with `M_LIMIT_EXCEEDED`.
pub(crate) async fn keep(
    State(server): State<Arc<Homeserver>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let applying = server.rate_limits.applying(&server, &request, address);
    match applying.map_or(Ok(()), |(limit, bucket)| limit.take(bucket, Instant::now())) {
        Ok(()) => next.run(request).await,
        Err(wait) => MatrixError::limit_exceeded(wait).into_response(),
    }
}

/// The buckets of one class.
#[derive(Debug)]
struct Limit {
    interval: Duration,
    /// How long an empty bucket takes to fill.
    depth: Duration,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<String, Instant>,
    taken: usize,
}

impl Limit {
    fn new(rate: &Rate) -> Self {
        let interval = Duration::from_millis(rate.interval_ms.get().into());
        Self { interval, depth: interval * rate.burst.get(), buckets: Mutex::default() }
    }

    /// Takes one from a caller's bucket; how long it will be empty where there is none.
    fn take(&self, caller: String, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.taken += 1;
        if buckets.taken.is_multiple_of(SWEEP_EVERY) {
            buckets.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.full_at.get(&caller).copied().unwrap_or(now).max(now) + self.interval;
        let excess = (full_at - now).saturating_sub(self.depth);
        if !excess.is_zero() {
            return Err(excess);
        }
        buckets.full_at.insert(caller, full_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limit(interval_ms: u32, burst: u32) -> Limit {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Limit::new(&Rate { burst: number(burst), interval_ms: number(interval_ms) })
    }

    #[test]
    fn a_burst_goes_through_and_then_one_at_every_interval() {
        let (limit, start) = (limit(100, 3), Instant::now());
        let take = |ms| limit.take("alice".to_owned(), start + Duration::from_millis(ms));
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!(take(30), Err(Duration::from_millis(70)));
        assert_eq!([take(100), take(130)], [Ok(()), Err(Duration::from_millis(70))]);
        assert_eq!(
            [take(1_000), take(1_000), take(1_000)],
            [Ok(()); 3],
            "the bucket is full again, and no fuller"
        );
        assert_eq!(take(1_000), Err(Duration::from_millis(100)));
    }

    #[test]
    fn everybody_has_an_own_bucket_and_full_ones_are_forgotten() {
        let (limit, start) = (limit(1, 1), Instant::now());
        let later = start + Duration::from_secs(1);
        for caller in 0..SWEEP_EVERY {
            assert_eq!(
                limit.take(caller.to_string(), if caller + 1 < SWEEP_EVERY { start } else { later }),
                Ok(())
            );
        }
        let buckets = limit.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(buckets.full_at.len(), 1);
    }
}
