//! Addresses of an account: client-server-api/#adding-account-administrative-contact-information.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Routes;
use super::user_interactive_authentication::Attempt;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::identity::{self, IdentityServer};
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Requester};
use crate::store::addresses::{self, Address, Medium, Owned};
use crate::store::validations::Validation;
use crate::validation;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/account/3pid", get(list).post(add_by_credentials))
        .route("/_matrix/client/v3/account/3pid/add", post(add))
        .route("/_matrix/client/v3/account/3pid/bind", post(bind))
        .route("/_matrix/client/v3/account/3pid/unbind", post(unbind))
        .route("/_matrix/client/v3/account/3pid/delete", post(delete))
}

async fn list(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    let owned = server.store.read(move |c| addresses::of_user(c, &requester.user_id)).await?;
    let to_json = |owned: &Owned| {
        json!({
            "medium": owned.address.medium.name(),
            "address": owned.address.address,
            "validated_at": owned.validated_ms,
            "added_at": owned.added_ms,
        })
    };
    Ok(Json(json!({"threepids": owned.iter().map(to_json).collect::<Vec<_>>()})))
}

async fn add(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    requester.must_not_be_oauth()?;
    let (session, secret) = (body.text("sid")?.to_owned(), body.text("client_secret")?.to_owned());
    Attempt::with_password("add_address", Some(&requester.user_id), &body).allow(&server).await?;
    let validated = validation::validated(&server, &session, &secret).await?;
    let validated = validated.ok_or_else(|| {
        MatrixError::threepid_auth_failed("nobody has confirmed the address in this session")
    })?;
    own(&server, &requester.user_id, validated).await?;
    empty()
}

/// The older way, which does no more than `/bind` (client-server-api/#post_matrixclientv3account3pid).
async fn add_by_credentials(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    body: Body,
) -> Answer {
    let bound = bind_with(&server, &requester, body.object("three_pid_creds")?).await;
    // What `/bind` hands on has a name of its own here.
    let unproved = |error: &MatrixError| {
        const CODES: [&str; 3] = ["M_NO_VALID_SESSION", "M_SESSION_EXPIRED", "M_SESSION_NOT_VALIDATED"];
        CODES.iter().any(|code| error.has_code(code)) && !commits(Fault::UnprovedAddressesHandedOn)
    };
    bound.map_err(|error| {
        if !unproved(&error) {
            return error;
        }
        let message = format!("the identity server does not vouch for the address: {}", error.message());
        MatrixError::threepid_auth_failed(message).status(StatusCode::FORBIDDEN)
    })
}

async fn bind(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    bind_with(&server, &requester, &body).await
}

async fn bind_with(server: &Homeserver, requester: &Requester, credentials: &Map<String, Value>) -> Answer {
    let (session, secret) = (credentials.text("sid")?, credentials.text("client_secret")?);
    let (name, access_token) = (credentials.text("id_server")?, credentials.text("id_access_token")?);
    let identity_server = IdentityServer::new(server, name, access_token);
    let bound = identity_server.bind(session, secret, &requester.user_id).await?;
    let text = |name: &str| bound.get(name).and_then(Value::as_str);
    if let (Some(medium), Some(address)) = (text("medium").and_then(Medium::find), text("address")) {
        let address = Address { medium, address: address.to_owned() };
        let (user_id, name) = (requester.user_id.clone(), name.to_owned());
        server.store.write(move |connection| addresses::bind(connection, &user_id, &address, &name)).await?;
    }
    empty()
}

async fn unbind(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let address = address(&body)?;
    unbind_from(&server, &requester, &address, body.optional_text("id_server")?).await
}

async fn delete(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let address = address(&body)?;
    let named = body.optional_text("id_server")?;
    let (user_id, removed) = (requester.user_id.clone(), address.clone());
    server.store.write(move |connection| addresses::remove(connection, &user_id, &removed)).await?;
    unbind_from(&server, &requester, &address, named).await
}

/// Unbinds an address from the identity server that is named or, failing that, from those that it was bound with.
async fn unbind_from(
    server: &Homeserver,
    requester: &Requester,
    address: &Address,
    named: Option<&str>,
) -> Answer {
    let user_id = requester.user_id.clone();
    let names: Vec<String> = match named {
        None if commits(Fault::BindingsForgotten) => Vec::new(),
        Some(name) => vec![name.to_owned()],
        None => {
            let bindings =
                server.store.read(move |connection| addresses::bindings(connection, &user_id)).await?;
            bindings.into_iter().filter(|(bound, _)| bound == address).map(|(_, name)| name).collect()
        }
    };
    let mut unbound = !names.is_empty();
    for name in names {
        if identity::unbind(server, &name, address, &requester.user_id).await {
            let (user_id, address) = (requester.user_id.clone(), address.clone());
            server.store.write(move |c| addresses::unbind(c, &user_id, &address, &name)).await?;
        } else {
            unbound = false;
        }
    }
    Ok(Json(json!({"id_server_unbind_result": if unbound { "success" } else { "no-support" }})))
}

fn address(body: &Map<String, Value>) -> Result<Address, MatrixError> {
    let medium = Medium::find(body.text("medium")?);
    let medium = medium.ok_or_else(|| MatrixError::invalid_param("medium must be email or msisdn"))?;
    let address = body.text("address")?;
    let canonical = if medium == Medium::Email { validation::email(address) } else { None };
    Ok(Address { medium, address: canonical.unwrap_or_else(|| address.to_owned()) })
}

/// Gives a validated address to a user, unless it is another's.
pub(super) async fn own(
    server: &Homeserver,
    user_id: &str,
    validation: Validation,
) -> Result<(), MatrixError> {
    let owned = Owned {
        address: validation.address,
        validated_ms: validation.validated_ms.unwrap_or_default(),
        added_ms: now_ms(),
    };
    let user_id = user_id.to_owned();
    let is_theirs =
        server.store.write(move |connection| addresses::add(connection, &user_id, &owned)).await?;
    if is_theirs { Ok(()) } else { Err(MatrixError::threepid_in_use("an account has this address already")) }
}
