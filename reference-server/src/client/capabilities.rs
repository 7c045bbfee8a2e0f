//! What this server lets its users do: client-server-api/#capabilities-negotiation.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use protocol::room_version::RoomVersion;
use serde_json::{Map, json};

use super::Routes;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::request::Requester;
use crate::store::addresses::Medium;
use crate::validation;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/capabilities", get(capabilities))
}

async fn capabilities(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    let changes =
        [Medium::Email, Medium::Msisdn].iter().any(|medium| validation::is_offered(&server, *medium));
    let available: Map<_, _> =
        RoomVersion::ALL.iter().map(|version| (version.id.to_owned(), "stable".into())).collect();
    let mut capabilities = json!({
        "m.room_versions": {"default": RoomVersion::DEFAULT.id, "available": available},
        "m.change_password": {"enabled": true},
        "m.get_login_token": {"enabled": true},
        "m.profile_fields": {"enabled": true},
        "m.set_displayname": {"enabled": true},
        "m.set_avatar_url": {"enabled": true},
        "m.3pid_changes": {"enabled": changes},
    });
    if requester.administrator {
        capabilities["m.account_moderation"] = json!({"lock": true, "suspend": true});
    }
    Ok(Json(json!({"capabilities": capabilities})))
}
