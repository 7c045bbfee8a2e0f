//! Looking users up: client-server-api/#server-administration. This server has no administrators, so
//! everybody looks up themselves.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::request::{Path, Requester};
use crate::store::devices;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/admin/whois/{user_id}", get(whois))
}

async fn whois(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(user_id): Path<String>,
) -> Answer {
    requester.must_be(&user_id)?;
    let owner = user_id.clone();
    let known = server.store.read(move |connection| devices::list(connection, &owner)).await?;
    let mut devices = Map::new();
    for device in known {
        let mut connection = Map::new();
        if let Some(ip) = device.last_seen_ip {
            connection.insert("ip".to_owned(), ip.into());
        }
        if let Some(last_seen_ms) = device.last_seen_ms {
            connection.insert("last_seen".to_owned(), last_seen_ms.into());
        }
        devices.insert(device.device_id, json!({"sessions": [{"connections": [connection]}]}));
    }
    Ok(Json(json!({"user_id": user_id, "devices": Value::Object(devices)})))
}
