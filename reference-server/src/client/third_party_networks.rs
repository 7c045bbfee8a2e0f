//! Looking things up in other networks: client-server-api/#third-party-networks. Application services lead to them.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::Routes;
use crate::application_service::{ApplicationService, ask};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Path, Query, Requester};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/thirdparty/protocols", get(protocols))
        .route("/_matrix/client/v3/thirdparty/protocol/{protocol}", get(protocol))
        .route("/_matrix/client/v3/thirdparty/location/{protocol}", get(locations))
        .route("/_matrix/client/v3/thirdparty/user/{protocol}", get(users))
        .route("/_matrix/client/v3/thirdparty/location", get(locations_of_alias))
        .route("/_matrix/client/v3/thirdparty/user", get(users_behind))
}

async fn protocols(State(server): State<Arc<Homeserver>>, _: Requester) -> Answer {
    let mut found = Map::new();
    for name in names(&server) {
        if let Some(description) = describe(&server, &name).await {
            found.insert(name, description);
        }
    }
    Ok(Json(Value::Object(found)))
}

async fn protocol(State(server): State<Arc<Homeserver>>, _: Requester, Path(name): Path<String>) -> Answer {
    describe(&server, &name).await.map(Json).ok_or_else(nothing)
}

async fn locations(
    server: State<Arc<Homeserver>>,
    requester: Requester,
    Path(name): Path<String>,
    RawQuery(fields): RawQuery,
) -> Answer {
    search(server, requester, "location", &name, fields).await
}

async fn users(
    server: State<Arc<Homeserver>>,
    requester: Requester,
    Path(name): Path<String>,
    RawQuery(fields): RawQuery,
) -> Answer {
    search(server, requester, "user", &name, fields).await
}

/// Everything that the services of a network find. The fields are those of the network, so they are handed on; only
/// the access token is not.
async fn search(
    State(server): State<Arc<Homeserver>>,
    _: Requester,
    what: &str,
    name: &str,
    fields: Option<String>,
) -> Answer {
    let own =
        |field: &&str| !["access_token=", "user_id=", "device_id="].iter().any(|own| field.starts_with(own));
    let fields: Vec<&str> = fields.as_deref().unwrap_or_default().split('&').filter(own).collect();
    let path = format!("/thirdparty/{what}/{}?{}", encoded(name), fields.join("&"));
    let services: Vec<_> = leading_to(&server, name).collect();
    if services.is_empty() {
        return Err(nothing());
    }
    collect(services.into_iter(), &path).await
}

async fn locations_of_alias(State(server): State<Arc<Homeserver>>, _: Requester, query: Query) -> Answer {
    let path = format!("/thirdparty/location?alias={}", encoded(query.required("alias")?));
    collect(server.application_services.iter(), &path).await
}

async fn users_behind(State(server): State<Arc<Homeserver>>, _: Requester, query: Query) -> Answer {
    let path = format!("/thirdparty/user?userid={}", encoded(query.required("userid")?));
    collect(server.application_services.iter(), &path).await
}

async fn collect(services: impl Iterator<Item = &Arc<ApplicationService>>, path: &str) -> Answer {
    let mut found = Vec::new();
    for service in services.filter(|service| !service.registration.protocols.is_empty()) {
        match ask(service, path).await {
            Ok(Value::Array(more)) => found.extend(more),
            Ok(_) => {}
            Err(error) => tracing::info!("application service {}: {error}", service.registration.id),
        }
    }
    if found.is_empty() { Err(nothing()) } else { Ok(Json(Value::Array(found))) }
}

/// What the services of a network say of it. The first describes it, and all add their instances.
async fn describe(server: &Homeserver, name: &str) -> Option<Value> {
    let path = format!("/thirdparty/protocol/{}", encoded(name));
    let mut described: Option<Value> = None;
    for service in leading_to(server, name) {
        let Ok(Value::Object(mut description)) = ask(service, &path).await else { continue };
        let instances = description.entry("instances").or_insert_with(|| Value::Array(Vec::new()));
        for instance in instances.as_array_mut().into_iter().flatten() {
            identify(service, instance);
        }
        let description = Value::Object(description);
        match &mut described {
            None => described = Some(description),
            Some(described) => {
                let more =
                    description.get("instances").and_then(Value::as_array).cloned().unwrap_or_default();
                if let Some(instances) = described.get_mut("instances").and_then(Value::as_array_mut) {
                    instances.extend(more);
                }
            }
        }
    }
    described
}

/// Gives an instance an id that no instance of another service has (client-server-api/#get_matrixclientv3thirdpartyprotocols).
fn identify(service: &ApplicationService, instance: &mut Value) {
    let network = instance.get("network_id").and_then(Value::as_str).unwrap_or_default();
    let id = format!("{}|{network}", service.registration.id);
    if let Some(instance) = instance.as_object_mut() {
        instance.insert("instance_id".to_owned(), id.into());
    }
}

fn names(server: &Homeserver) -> Vec<String> {
    let mut names: Vec<_> = server
        .application_services
        .iter()
        .flat_map(|service| service.registration.protocols.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn leading_to<'a>(
    server: &'a Homeserver,
    name: &'a str,
) -> impl Iterator<Item = &'a Arc<ApplicationService>> {
    let leads =
        move |service: &&Arc<ApplicationService>| service.registration.protocols.iter().any(|it| it == name);
    server.application_services.iter().filter(leads)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn nothing() -> MatrixError {
    MatrixError::not_found("nothing of this kind is known in the networks that this server is connected to")
}
