//! Requests to application services, at the paths of today and, failing those, at the older ones
//! (application-service-api/#legacy-routes).

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;

use super::ApplicationService;
use crate::misbehave::{Fault, commits};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a question is put to one that does not answer, and how long it is given to come back in between
/// (application-service-api/#querying).
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It has no address.
    #[error("it has no url")]
    Nowhere,
    /// It can not be reached.
    #[error("it can not be reached: {0}")]
    Connection(reqwest::Error),
    /// It takes too long.
    #[error("it has not answered in time")]
    Timeout,
    /// It answers with an error.
    #[error("it has answered {status}: {body}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The body.
        body: String,
    },
}

/// Puts a question again to one that does not answer. An error that it answers with is an answer.
pub(crate) async fn ask(service: &ApplicationService, path: &str) -> Result<Value, CallError> {
    let mut attempt = 1;
    loop {
        match call(service, Method::GET, path, None).await {
            Err(CallError::Connection(_) | CallError::Timeout)
                if attempt < ATTEMPTS && !commits(Fault::SilentServicesAskedOnce) =>
            {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// One request; `path` is what follows `/_matrix/app/v1`.
pub(crate) async fn call(
    service: &ApplicationService,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, CallError> {
    let today = send(service, method.clone(), &format!("/_matrix/app/v1{path}"), body).await;
    let (Err(CallError::Status { .. }), Some(legacy)) = (&today, legacy(path)) else { return today };
    match send(service, method, &legacy, body).await {
        // What counts is what the path of today has said.
        Err(_) => today,
        answer => answer,
    }
}

fn legacy(path: &str) -> Option<String> {
    if commits(Fault::OlderPathsNotTried) {
        return None;
    }
    if path.starts_with("/thirdparty/") {
        Some(format!("/_matrix/app/unstable{path}"))
    } else if path == "/ping" {
        None
    } else {
        Some(path.to_owned())
    }
}

async fn send(
    service: &ApplicationService,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, CallError> {
    let url = service.registration.url.as_ref().ok_or(CallError::Nowhere)?;
    let request = service.client.request(method, format!("{url}{path}")).timeout(TIMEOUT);
    let mut request = match commits(Fault::HomeserverTokenLeftOut) {
        true => request,
        false => request.bearer_auth(&service.registration.hs_token),
    };
    if let Some(body) = body {
        request = request.json(body);
    }
    let failed = |error: reqwest::Error| {
        if error.is_timeout() { CallError::Timeout } else { CallError::Connection(error) }
    };
    let answer = request.send().await.map_err(failed)?;
    let (status, text) = (answer.status(), answer.text().await.map_err(failed)?);
    if status.is_success() {
        Ok(serde_json::from_str(&text).unwrap_or_default())
    } else {
        Err(CallError::Status { status, body: text })
    }
}
