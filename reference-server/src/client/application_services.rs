//! What application services may do that users may not: application-service-api/#client-server-api-extensions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::{post, put};
use axum::{Json, Router};
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::Routes;
use super::registration::{create, must_be_free, user_id_of, wishes};
use crate::application_service::{ApplicationService, CallError, Kind, ask, call};
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, MaybeService, Path, Service};
use crate::session;
use crate::store::accounts::{self, Account};
use crate::store::{application_services, rooms};

/// The type of the login and of the registration that need an application service's token and nothing else.
pub(super) const LOGIN_TYPE: &str = "m.login.application_service";

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v1/appservice/{id}/ping", post(ping))
        .route("/_matrix/client/v3/directory/list/appservice/{network_id}/{room_id}", put(set_visibility))
}

/// How long an application service may take to answer a ping, for which somebody waits.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether the two can reach each other, and how long that takes.
async fn ping(Service(service): Service, Path(id): Path<String>, body: Body) -> Answer {
    if service.registration.id != id && !commits(Fault::PingsUnderOtherIds) {
        return Err(MatrixError::forbidden("this application service has another id"));
    }
    let mut told = Map::new();
    if let Some(transaction_id) = body.optional_text("transaction_id")? {
        told.insert("transaction_id".to_owned(), transaction_id.into());
    }
    let begun = Instant::now();
    let told = Value::Object(told);
    let answer = tokio::time::timeout(PING_TIMEOUT, call(&service, Method::POST, "/ping", Some(&told))).await;
    let answer = answer.unwrap_or(Err(CallError::Timeout));
    let duration_ms = begun.elapsed().as_millis();
    let message = match answer {
        Ok(_) => return Ok(Json(json!({"duration_ms": u64::try_from(duration_ms).unwrap_or(u64::MAX)}))),
        Err(error) if commits(Fault::FailedPingsLookAlike) => error.to_string(),
        Err(error @ CallError::Nowhere) => {
            return Err(MatrixError::new(StatusCode::BAD_REQUEST, "M_URL_NOT_SET", error.to_string()));
        }
        Err(CallError::Status { status, body }) => {
            let message = format!("the application service has answered {status}");
            let error = MatrixError::new(StatusCode::BAD_GATEWAY, "M_BAD_STATUS", message);
            return Err(error.with("status", status.as_u16()).with("body", body));
        }
        Err(error @ CallError::Timeout) => {
            return Err(MatrixError::new(
                StatusCode::GATEWAY_TIMEOUT,
                "M_CONNECTION_TIMEOUT",
                error.to_string(),
            ));
        }
        Err(error) => error.to_string(),
    };
    Err(MatrixError::new(StatusCode::BAD_GATEWAY, "M_CONNECTION_FAILED", message))
}

async fn set_visibility(
    State(server): State<Arc<Homeserver>>,
    Service(service): Service,
    Path((network, room_id)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let visibility = body.one_of("visibility", &["public", "private"])?;
    let visibility = visibility.ok_or_else(|| MatrixError::missing_param("add the field visibility"))?;
    let published = visibility == "public";
    if server.timelines.find(&room_id).is_none() {
        return Err(MatrixError::not_found("this server knows no such room"));
    }
    let id = service.registration.id.clone();
    let publish =
        move |c: &rusqlite::Connection| application_services::publish(c, &id, &network, &room_id, published);
    server.store.write(publish).await?;
    empty()
}

/// Registers a user of an application service, without password and without proof.
pub(super) async fn register(server: &Homeserver, service: &MaybeService, body: &Body) -> Answer {
    let service = service.required()?;
    let user_id = user_id_of(server, body.text("username")?)?;
    must_own(service, &user_id)?;
    let user_id = must_be_free(server, user_id).await?;
    let wishes = wishes(body)?;
    let inhibit_login = body.flag("inhibit_login")?;
    if !inhibit_login && !server.config.authentication.legacy {
        return Err(login_unsupported());
    }
    create(server, Account { user_id: user_id.clone(), ..Account::default() }).await?;
    let answer = if inhibit_login {
        Map::from_iter([("user_id".to_owned(), user_id.into())])
    } else {
        session::open(server, &user_id, wishes).await?
    };
    Ok(Json(Value::Object(answer)))
}

/// The user that an application service logs in as.
pub(super) async fn log_in(
    server: &Homeserver,
    service: &MaybeService,
    user_id: String,
) -> Result<String, MatrixError> {
    must_own(service.required()?, &user_id)?;
    let sought = user_id.clone();
    match server.store.read(move |connection| accounts::find(connection, &sought)).await? {
        Some(account) if !account.deactivated => Ok(user_id),
        _ => Err(MatrixError::forbidden("there is no such user: register it first")),
    }
}

/// The refusal of what needs the older way of logging in where there is none.
pub(super) fn login_unsupported() -> MatrixError {
    let message = "application services can not log in here: set inhibit_login and act as the user";
    MatrixError::new(StatusCode::BAD_REQUEST, "M_APPSERVICE_LOGIN_UNSUPPORTED", message)
}

fn must_own(service: &ApplicationService, user_id: &str) -> Result<(), MatrixError> {
    if service.owns_user(user_id) {
        Ok(())
    } else {
        Err(MatrixError::exclusive("this user is in none of the application service's namespaces"))
    }
}

/// Whether somebody may have a user id or an alias: not what is set aside for an application service, and, as an
/// application service, only what is in its namespaces (application-service-api/#server-admin-style-permissions).
pub(super) fn must_not_be_reserved(
    server: &Homeserver,
    kind: Kind,
    id: &str,
    service: Option<&ApplicationService>,
) -> Result<(), MatrixError> {
    let outside = service.is_some_and(|service| !service.has(kind, id));
    let reserved = server.application_services.reserve(kind, id, service);
    if (outside || reserved) && !commits(Fault::NamespacesOpenToAll) {
        return Err(MatrixError::exclusive(format!("{id} is set aside for an application service")));
    }
    Ok(())
}

/// Asks the application services whose namespace it is in for a user that is not there; they make it if there is one
/// (application-service-api/#querying).
pub(super) async fn query_user(server: &Homeserver, user_id: &str) -> Result<(), MatrixError> {
    let sought = user_id.to_owned();
    if server.store.read(move |connection| accounts::find(connection, &sought)).await?.is_some() {
        return Ok(());
    }
    query(server, Kind::Users, "users", user_id).await
}

/// Asks the application services for a room alias, likewise.
pub(super) async fn query_alias(server: &Homeserver, alias: &str) -> Result<(), MatrixError> {
    let sought = alias.to_owned();
    if server.store.read(move |connection| rooms::find_alias(connection, &sought)).await?.is_some() {
        return Ok(());
    }
    query(server, Kind::Aliases, "rooms", alias).await
}

async fn query(server: &Homeserver, kind: Kind, path: &str, id: &str) -> Result<(), MatrixError> {
    if commits(Fault::ServicesNotQueried) {
        return Ok(());
    }
    let path = format!("/{path}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    for service in server.application_services.iter().filter(|service| service.has(kind, id)) {
        match ask(service, &path).await {
            Ok(_) => return Ok(()),
            Err(CallError::Status { .. } | CallError::Nowhere) => {}
            Err(error) => {
                let message = format!("application service {}: {error}", service.registration.id);
                return Err(MatrixError::new(StatusCode::REQUEST_TIMEOUT, "M_UNKNOWN", message));
            }
        }
    }
    Ok(())
}
