//! Looking users up, and moderating their accounts: client-server-api/#server-administration,
//! client-server-api/#account-moderation.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use protocol::identifiers::server_name_of;
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Administrator, Body, Fields, Path, Requester};
use crate::store::accounts::{self, Account, Sanction};
use crate::store::devices;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/admin/whois/{user_id}", get(whois))
        .route("/_matrix/client/v1/admin/lock/{user_id}", get(is_locked).put(lock))
        .route("/_matrix/client/v1/admin/suspend/{user_id}", get(is_suspended).put(suspend))
}

async fn whois(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(user_id): Path<String>,
) -> Answer {
    if !requester.administrator {
        requester.must_be(&user_id)?;
    }
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

async fn is_locked(
    State(server): State<Arc<Homeserver>>,
    _: Administrator,
    Path(user_id): Path<String>,
) -> Answer {
    Ok(Json(json!({"locked": subject(&server, &user_id).await?.locked})))
}

async fn is_suspended(
    State(server): State<Arc<Homeserver>>,
    _: Administrator,
    Path(user_id): Path<String>,
) -> Answer {
    Ok(Json(json!({"suspended": subject(&server, &user_id).await?.suspended})))
}

async fn lock(
    State(server): State<Arc<Homeserver>>,
    _: Administrator,
    Path(user_id): Path<String>,
    body: Body,
) -> Answer {
    moderate(&server, &user_id, &body, "locked", Sanction::Lock).await
}

async fn suspend(
    State(server): State<Arc<Homeserver>>,
    _: Administrator,
    Path(user_id): Path<String>,
    body: Body,
) -> Answer {
    moderate(&server, &user_id, &body, "suspended", Sanction::Suspension).await
}

async fn moderate(
    server: &Homeserver,
    user_id: &str,
    body: &Body,
    field: &str,
    sanction: Sanction,
) -> Answer {
    let effective = body
        .optional_flag(field)?
        .ok_or_else(|| MatrixError::missing_param(format!("add the field {field}")))?;
    let user_id = subject(server, user_id).await?.user_id;
    server.store.write(move |c| accounts::sanction(c, &user_id, sanction, effective)).await?;
    Ok(Json(json!({field: effective})))
}

/// The account of somebody here who is no administrator, and so neither the one who asks.
async fn subject(server: &Homeserver, user_id: &str) -> Result<Account, MatrixError> {
    if server_name_of(user_id) != Some(server.name()) {
        return Err(MatrixError::invalid_param("the user must be one of this server"));
    }
    let sought = user_id.to_owned();
    let account = server.store.read(move |connection| accounts::find(connection, &sought)).await?;
    let account = account.filter(|account| !account.deactivated);
    let account = account.ok_or_else(|| MatrixError::not_found("there is no such account"))?;
    if account.administrator {
        return Err(MatrixError::forbidden("administrators can not be locked or suspended"));
    }
    Ok(account)
}
