//! What a client needs to know: client-server-api/#server-metadata-discovery.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::json;

use super::account;
use super::registration::GRANT_TYPES;
use super::{AUTHORIZE, DEVICE, REGISTER, REVOKE, TOKEN};
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};

pub(super) async fn metadata(State(server): State<Arc<Homeserver>>) -> Answer {
    let base = server.base_url.trim_end_matches('/');
    let at = |path: &str| format!("{base}{path}");
    Ok(Json(json!({
        "issuer": format!("{base}/"),
        "authorization_endpoint": at(AUTHORIZE),
        "token_endpoint": at(TOKEN),
        "revocation_endpoint": at(REVOKE),
        "registration_endpoint": at(REGISTER),
        "device_authorization_endpoint": at(DEVICE),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": GRANT_TYPES,
        "code_challenge_methods_supported": [if commits(Fault::PlainChallengesOnly) { "plain" } else { "S256" }],
        "token_endpoint_auth_methods_supported": ["none"],
        "prompt_values_supported": ["create"],
        "account_management_uri": account::url(&server),
        "account_management_actions_supported": account::ACTIONS,
    })))
}
