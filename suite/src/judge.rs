//! Judges every exchange against the catalogue as it passes, whatever test it belongs to.

mod request;
mod sighting;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use fixtures::catalogue::{Api, Catalogue, Operation};
use http::{StatusCode, header::RETRY_AFTER};
use jsonschema::Validator;

use crate::{exchange::Exchange, verdict::Stop};

pub(crate) use sighting::Observer;
pub use sighting::Sighting;

/// What is judged of every exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// The body of a documented response has the documented shape.
    Schema,
    /// A JSON body is declared as JSON.
    ContentType,
    /// An error has the standard error body.
    ErrorBody,
    /// The headers that browsers need are there.
    CrossOrigin,
    /// Whatever was asked, the server did not break.
    NoServerError,
    /// Who asks too often is told so, and when to try again.
    RateLimit,
    /// A request that the server makes itself has the documented parameters and the documented body.
    Request,
    /// A request that the server makes itself is signed by it.
    Signature,
    /// A request that the server makes itself bears the token that it was given for that.
    Token,
    /// The events in a request that the server makes itself are well-formed, signed by it, and authorized.
    Events,
}

/// The tallies of a run, by operation and aspect.
#[derive(Default)]
pub struct Judge {
    seen: AtomicU64,
    tallies: Mutex<BTreeMap<(Api, &'static str, Aspect), Tally>>,
    validators: Mutex<HashMap<Documented, Option<Arc<Validator>>>>,
    observer: Option<Observer>,
}

/// A response that the specification documents: its operation and its status.
type Documented = (Api, &'static str, u16);

#[derive(Default)]
struct Tally {
    judged: u64,
    first_violation: Option<(String, Arc<Exchange>)>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Judge").finish_non_exhaustive()
    }
}

impl Judge {
    /// A judge who tells an observer of every request that a server makes itself.
    pub(crate) fn observed(observer: Observer) -> Self {
        Judge { observer: Some(observer), ..Judge::default() }
    }

    /// Judges an exchange; requests to paths outside the specification are left alone.
    pub fn see(&self, exchange: &Arc<Exchange>) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let Some(operation) = exchange.operation else { return };
        let findings = [
            (Aspect::Schema, self.schema(operation, exchange)),
            (Aspect::ContentType, content_type(operation, exchange)),
            (Aspect::ErrorBody, error_body(operation, exchange)),
            (Aspect::CrossOrigin, cross_origin(operation, exchange)),
            (Aspect::NoServerError, no_server_error(operation, exchange)),
            (Aspect::RateLimit, rate_limit(exchange)),
        ];
        let findings = findings.into_iter().filter_map(|(aspect, finding)| Some((aspect, finding?)));
        self.tally(operation, exchange, findings);
    }

    /// Judges what the server itself sent to a server of the suite: who answered knows what it should have been like.
    pub fn see_request(&self, exchange: &Arc<Exchange>, findings: Vec<(Aspect, Result<(), String>)>) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let mut all = findings;
        if let Some(operation) = exchange.operation {
            all.insert(0, (Aspect::Request, request::shape(operation, exchange)));
        }
        if let Some(observer) = &self.observer {
            observer.tell(exchange, &all);
        }
        if let Some(operation) = exchange.operation {
            self.tally(operation, exchange, all);
        }
    }

    fn tally(
        &self,
        operation: &'static Operation,
        exchange: &Arc<Exchange>,
        findings: impl IntoIterator<Item = (Aspect, Result<(), String>)>,
    ) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        for (aspect, finding) in findings {
            let tally = tallies.entry((operation.api, &operation.id, aspect)).or_default();
            tally.judged += 1;
            if let (Err(problem), None) = (finding, &tally.first_violation) {
                tally.first_violation = Some((problem, exchange.clone()));
            }
        }
    }

    /// How many exchanges there were.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// What the run showed of an operation: the first violation stops the test.
    pub fn verdict(&self, operation: &'static Operation, aspect: Aspect, expected: &str) -> Result<(), Stop> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        match tallies.get(&(operation.api, operation.id.as_str(), aspect)) {
            None => Err(Stop::NotApplicable("no exchange of the run showed it".to_owned())),
            Some(Tally { first_violation: None, .. }) => Ok(()),
            Some(Tally { first_violation: Some((problem, exchange)), .. }) => {
                Err(Stop::unmet_by(exchange, expected, problem))
            }
        }
    }

    /// What the run showed of all operations together: the first violation stops the test.
    pub fn verdict_of_all(&self, aspect: Aspect, expected: &str) -> Result<(), Stop> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let mut showed =
            tallies.iter().filter(|((_, _, of), _)| *of == aspect).map(|(_, tally)| tally).peekable();
        if showed.peek().is_none() {
            return Err(Stop::NotApplicable("no exchange of the run showed it".to_owned()));
        }
        match showed.find_map(|tally| tally.first_violation.as_ref()) {
            None => Ok(()),
            Some((problem, exchange)) => Err(Stop::unmet_by(exchange, expected, problem)),
        }
    }

    fn schema(&self, operation: &'static Operation, exchange: &Exchange) -> Option<Result<(), String>> {
        let status = exchange.response.status.as_u16();
        // Any endpoint can answer with a common error code, also where 401 is documented as a challenge of the
        // user-interactive authentication API (client-server-api/#common-error-codes).
        if status == 401
            && exchange.response.errcode().is_some()
            && !exchange.response.is_authentication_challenge()
        {
            return None;
        }
        if asks_for_other_events(exchange) {
            return None;
        }
        if exchange.response.status.is_success() && operation.response(status).is_none() {
            return Some(Err(format!("a success with {status}, which is documented nowhere")));
        }
        let validator = self.validator(operation, status)?;
        let Some(json) = &exchange.response.json else {
            return Some(Err(format!("a {status} response whose body is not JSON")));
        };
        let problems: Vec<String> =
            validator.iter_errors(json).take(3).map(|error| described(&error)).collect();
        Some(if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) })
    }

    fn validator(&self, operation: &'static Operation, status: u16) -> Option<Arc<Validator>> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let compile = || {
            let schema = Catalogue::v1_19().response_schema(operation, status)?;
            jsonschema::validator_for(&schema).ok().map(Arc::new)
        };
        validators.entry((operation.api, &operation.id, status)).or_insert_with(compile).clone()
    }
}

/// A filter can ask for parts of events, or for events as servers exchange them; the schemas describe neither
/// (`client-server-api/#post_matrixclientv3useruseridfilter_request_filter`).
fn asks_for_other_events(exchange: &Exchange) -> bool {
    let target = &exchange.request.target;
    target.contains("event_fields") || target.contains("event_format%22%3A%22federation")
}

/// Where in the body, what is wrong there, and what stands there.
pub(crate) fn described(error: &jsonschema::ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    let place = if place.is_empty() { "the body".to_owned() } else { place };
    let found = error.instance().to_string();
    let found = match found.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &found[..end]),
        None => found,
    };
    format!("{place}: {}: {found}", error.masked_with("the value"))
}

/// `client-server-api/#api-standards`: JSON bodies are declared as `application/json`.
fn content_type(operation: &Operation, exchange: &Exchange) -> Option<Result<(), String>> {
    let status = exchange.response.status.as_u16();
    let documented_as_json = operation.response(status).is_some_and(|response| response.schema().is_some());
    if !documented_as_json && exchange.response.errcode().is_none() {
        return None;
    }
    exchange.response.json.as_ref()?;
    Some(match exchange.response.media_type() {
        Some(media_type) if media_type == "application/json" => Ok(()),
        Some(media_type) => Err(format!("Content-Type: {media_type}")),
        None => Err("no Content-Type header".to_owned()),
    })
}

/// `client-server-api/#standard-error-response`: of errors at the level of the Matrix APIs, `errcode` and `error` are always
/// present.
fn error_body(operation: &Operation, exchange: &Exchange) -> Option<Result<(), String>> {
    let response = &exchange.response;
    // A server error without JSON may come from a proxy, to which no Matrix API speaks.
    let is_error =
        response.status.is_client_error() || (response.status.is_server_error() && response.json.is_some());
    if !is_error || is_well_known(operation) || response.is_authentication_challenge() {
        return None;
    }
    let Some(body) = &response.json else {
        return Some(Err(format!("a {} response whose body is not JSON", response.status.as_u16())));
    };
    let absent: Vec<&str> = ["errcode", "error"]
        .into_iter()
        .filter(|key| !body.get(key).is_some_and(|value| value.is_string()))
        .collect();
    Some(if absent.is_empty() {
        Ok(())
    } else {
        Err(format!("no string `{}`", absent.join("`, no string `")))
    })
}

/// Documents at well-known addresses are often served by others than the homeserver, and know one refusal: there is none.
fn is_well_known(operation: &Operation) -> bool {
    operation.path.as_str().starts_with("/.well-known/")
}

/// `client-server-api/#web-browser-clients`: every response carries the headers that let a browser read it.
fn cross_origin(operation: &Operation, exchange: &Exchange) -> Option<Result<(), String>> {
    if operation.api != Api::ClientServer {
        return None;
    }
    let origin = exchange.response.headers.get(http::header::ACCESS_CONTROL_ALLOW_ORIGIN);
    Some(match origin.and_then(|value| value.to_str().ok()) {
        Some("*") => Ok(()),
        Some(other) => Err(format!("Access-Control-Allow-Origin: {other}")),
        None => Err("no Access-Control-Allow-Origin header".to_owned()),
    })
}

/// The form of a refusal for too many requests (client-server-api/#rate-limiting).
fn rate_limit(exchange: &Exchange) -> Option<Result<(), String>> {
    let response = &exchange.response;
    if response.status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let seconds =
        response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    Some(match (response.errcode(), seconds) {
        (Some("M_LIMIT_EXCEEDED"), Some(_)) => Ok(()),
        (Some("M_LIMIT_EXCEEDED"), None) => Err("no Retry-After header with a number of seconds".to_owned()),
        (errcode, _) => Err(format!("429 {}", errcode.unwrap_or("without an error code"))),
    })
}

/// A documented 5xx is no breakdown. Nor is a 502 or 504 with an error code: by RFC 9110 they tell of another server, and
/// some of those that the suite plays answer nonsense or nothing. A proxy before a server that broke gives no code.
fn no_server_error(operation: &Operation, exchange: &Exchange) -> Option<Result<(), String>> {
    let status = exchange.response.status.as_u16();
    let others_fault = matches!(status, 502 | 504) && exchange.response.errcode().is_some();
    Some(if status >= 500 && !others_fault && operation.response(status).is_none() {
        Err(format!("{status} {}", exchange.response.errcode().unwrap_or("without an errcode")))
    } else {
        Ok(())
    })
}
