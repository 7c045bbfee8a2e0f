//! The authorization server for the users of this server: client-server-api/#oauth-20-api.

mod account;
mod authorization;
mod devices;
mod error;
mod grants;
mod metadata;
mod page;
mod registration;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

pub(super) use self::account::reset_url;
pub(crate) use self::grants::Grants;
use super::Routes;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;

/// The paths of the authorization server; clients learn them from its metadata.
const AUTHORIZE: &str = "/oauth2/authorize";
const TOKEN: &str = "/oauth2/token";
const REVOKE: &str = "/oauth2/revoke";
const REGISTER: &str = "/oauth2/clients/register";
const DEVICE: &str = "/oauth2/device";
const LINK: &str = "/oauth2/link";
const ACCOUNT: &str = "/oauth2/account";

pub(super) fn routes(server: &Arc<Homeserver>) -> Routes {
    Router::new()
        .route(AUTHORIZE, get(authorization::show).post(authorization::decide))
        .route(TOKEN, post(token::grant))
        .route(REVOKE, post(token::revoke))
        .route(REGISTER, post(registration::register))
        .route(DEVICE, post(devices::begin))
        .route(LINK, get(devices::show).post(devices::decide))
        .route(ACCOUNT, get(account::show).post(account::decide))
        .route("/_matrix/client/v1/auth_metadata", get(metadata::metadata))
        .layer(middleware::from_fn_with_state(Arc::clone(server), only_if_offered))
}

/// Where only the legacy API is served, none of this is there (client-server-api/#authentication-api-discovery).
async fn only_if_offered(
    State(server): State<Arc<Homeserver>>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    if server.config.authentication.oauth {
        next.run(request).await
    } else {
        MatrixError::unrecognized("this server does not speak OAuth 2.0").into_response()
    }
}
