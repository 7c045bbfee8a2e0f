//! The server-server API: one submodule per chapter of the specification, with its name.

mod key_server;
mod openid;
mod server_discovery;
mod third_party_invites;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, put};

use crate::error::MatrixError;
use crate::homeserver::Homeserver;

/// The routes that other servers use.
pub(crate) fn router(server: &Arc<Homeserver>) -> Router {
    Router::new()
        .route("/_matrix/federation/v1/version", get(server_discovery::version))
        .route("/_matrix/federation/v1/openid/userinfo", get(openid::user_info))
        .route("/_matrix/federation/v1/3pid/onbind", put(third_party_invites::on_bind))
        .route("/_matrix/key/v2/server", get(key_server::server_keys))
        .method_not_allowed_fallback(async || MatrixError::wrong_method())
        .fallback(async || MatrixError::unrecognized("this server has no such path"))
        .with_state(Arc::clone(server))
}
