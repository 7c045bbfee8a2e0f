//! One's devices: client-server-api/#device-management.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use super::user_interactive_authentication::Attempt;
use crate::device_lists;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, BodyOrNothing, Fields, GuestOrUser, Path, Requester};
use crate::store::devices::{self, Device};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/devices", get(list))
        .route("/_matrix/client/v3/devices/{device_id}", get(find).put(rename).delete(delete))
        .route("/_matrix/client/v3/delete_devices", post(delete_several))
}

async fn list(State(server): State<Arc<Homeserver>>, GuestOrUser(requester): GuestOrUser) -> Answer {
    let devices = server.store.read(move |c| devices::list(c, &requester.user_id)).await?;
    Ok(Json(json!({"devices": devices.iter().map(to_json).collect::<Vec<_>>()})))
}

async fn find(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(device_id): Path<String>,
) -> Answer {
    let device = server.store.read(move |c| devices::find(c, &requester.user_id, &device_id)).await?;
    Ok(Json(to_json(&device.ok_or_else(unknown)?)))
}

async fn rename(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(device_id): Path<String>,
    body: Body,
) -> Answer {
    let display_name = body.optional_text("display_name")?.map(str::to_owned);
    if requester.application_service.is_some() {
        // application-service-api/#creating-devices
        let (owner, id, name) = (requester.user_id.clone(), device_id.clone(), display_name.clone());
        server.store.write(move |c| devices::add(c, &owner, &id, name.as_deref())).await?;
    }
    let owner = requester.user_id.clone();
    // Other servers are told of names as well.
    let known = device_lists::change(&server, &requester.user_id, move |c, _| match display_name {
        Some(name) => devices::rename(c, &owner, &device_id, Some(&name)),
        None => Ok(devices::find(c, &owner, &device_id)?.is_some()),
    })
    .await?;
    if known { empty() } else { Err(unknown()) }
}

async fn delete(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(device_id): Path<String>,
    body: BodyOrNothing,
) -> Answer {
    allow(&server, "delete_device", &requester, &body).await?;
    remove(&server, requester, vec![device_id]).await
}

async fn delete_several(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let device_ids = body
        .optional_texts("devices")?
        .ok_or_else(|| MatrixError::missing_param("add the field devices"))?
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    allow(&server, "delete_devices", &requester, &body).await?;
    remove(&server, requester, device_ids).await
}

async fn remove(server: &Homeserver, requester: Requester, device_ids: Vec<String>) -> Answer {
    let owner = requester.user_id.clone();
    device_lists::change(server, &requester.user_id, move |connection, position| {
        let delete = |device_id: &String| {
            if commits(Fault::DevicesNotDeleted) {
                Ok(())
            } else {
                devices::delete(connection, &owner, device_id, position)
            }
        };
        device_ids.iter().try_for_each(delete)
    })
    .await?;
    empty()
}

async fn allow(
    server: &Homeserver,
    operation: &'static str,
    requester: &Requester,
    body: &serde_json::Map<String, Value>,
) -> Result<(), MatrixError> {
    // application-service-api/#deleting-devices
    if requester.application_service.is_some() && !commits(Fault::ServicesAuthenticateLikeUsers) {
        return Ok(());
    }
    requester.must_not_be_oauth()?;
    let user_id = Some(requester.user_id.as_str());
    Attempt::with_password(operation, user_id, body).allow(server).await.map(drop)
}

fn to_json(device: &Device) -> Value {
    let mut fields = json!({"device_id": device.device_id});
    for (name, value) in [
        ("display_name", device.display_name.clone().map(Value::from)),
        ("last_seen_ip", device.last_seen_ip.clone().map(Value::from)),
        ("last_seen_ts", device.last_seen_ms.map(Value::from)),
    ] {
        if let Some(value) = value {
            fields[name] = value;
        }
    }
    fields
}

fn unknown() -> MatrixError {
    MatrixError::not_found("no device of yours has this id")
}
