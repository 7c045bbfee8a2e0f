//! What a request has to be like that the server makes itself.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fixtures::catalogue::{Catalogue, Location, Operation};
use jsonschema::Validator;
use serde_json::Value;

use super::described;
use crate::exchange::Exchange;

/// The required query parameters are there, and the body has the documented shape. `Content-Type` is not required
/// (`server-server-api/#api-standards`).
pub(super) fn shape(operation: &'static Operation, exchange: &Exchange) -> Result<(), String> {
    let query = exchange.request.target.split_once('?').map_or("", |(_, query)| query);
    let given: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name).collect();
    let absent = operation
        .parameters_in(Location::Query)
        .find(|parameter| parameter.required && !given.iter().any(|name| *name == parameter.name));
    if let Some(parameter) = absent {
        return Err(format!("no query parameter {:?}", parameter.name));
    }
    let Some(validator) = validator(operation) else { return Ok(()) };
    let body = exchange.request.body.as_deref().unwrap_or_default();
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("a body that is not JSON: {error}"))?;
    let problems: Vec<String> = validator.iter_errors(&body).take(3).map(|error| described(&error)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// The validator of the operation's body, where one is documented.
fn validator(operation: &'static Operation) -> Option<Arc<Validator>> {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Option<Arc<Validator>>>>> =
        LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let compile = || {
        let schema = Catalogue::v1_19().request_schema(operation)?;
        jsonschema::validator_for(&schema).ok().map(Arc::new)
    };
    validators.entry(operation.key()).or_insert_with(compile).clone()
}
