//! What a client learns before it logs in: client-server-api/#server-discovery.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Value, json};

use super::Routes;
use crate::config::Contact;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::MaybeRequester;

/// Releases of the specification whose clients are at home here.
const VERSIONS: [&str; 19] = [
    "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12",
    "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
];

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/versions", get(versions))
        .route("/.well-known/matrix/client", get(well_known))
        .route("/.well-known/matrix/support", get(support))
        .route("/.well-known/matrix/policy_server", get(policy_server))
}

async fn versions(MaybeRequester(_): MaybeRequester) -> Answer {
    Ok(Json(json!({"versions": VERSIONS, "unstable_features": {}})))
}

/// The key of the policy server of this name, which may be another program (client-server-api/#getwell-knownmatrixpolicy_server).
async fn policy_server(State(server): State<Arc<Homeserver>>) -> Answer {
    match &server.config.policy_server {
        Some(policy_server) => Ok(Json(json!({"public_keys": {"ed25519": policy_server.public_key}}))),
        None => Err(MatrixError::not_found("there is no policy server of this name")),
    }
}

async fn support(State(server): State<Arc<Homeserver>>) -> Answer {
    let support = server.config.support.as_ref();
    let support = support.ok_or_else(|| MatrixError::not_found("the operator names nobody"))?;
    let contact = |contact: &Contact| {
        let fields = [
            ("role", Some(&contact.role)),
            ("matrix_id", contact.matrix_id.as_ref()),
            ("email_address", contact.email_address.as_ref()),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        Value::Object(fields.collect())
    };
    let mut answer = json!({});
    if !support.contacts.is_empty() {
        answer["contacts"] = support.contacts.iter().map(contact).collect();
    }
    if let Some(page) = &support.support_page {
        answer["support_page"] = page.as_str().into();
    }
    Ok(Json(answer))
}

async fn well_known(State(server): State<Arc<Homeserver>>) -> Answer {
    if !server.config.client.well_known {
        return Err(MatrixError::not_found("clients are told by other means where this server is"));
    }
    Ok(Json(json!({
        "m.homeserver": {"base_url": server.base_url},
        "org.determinant.software": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
    })))
}
