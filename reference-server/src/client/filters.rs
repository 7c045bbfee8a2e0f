//! Keeping filters for later: client-server-api/#filtering.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::filter::SyncFilter;
use crate::homeserver::Homeserver;
use crate::request::{Body, Path, Requester};
use crate::store::filters;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/user/{user_id}/filter", post(define))
        .route("/_matrix/client/v3/user/{user_id}/filter/{filter_id}", get(find))
}

async fn define(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(user_id): Path<String>,
    Body(filter): Body,
) -> Answer {
    requester.must_be(&user_id)?;
    SyncFilter::parse(&filter)?;
    let filter_id = server.store.write(move |c| filters::add(c, &user_id, &filter.into())).await?;
    Ok(Json(json!({"filter_id": filter_id.to_string()})))
}

async fn find(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, filter_id)): Path<(String, String)>,
) -> Answer {
    requester.must_be(&user_id)?;
    Ok(Json(kept(&server, user_id, &filter_id).await?))
}

/// The filter that a user has kept under this id.
pub(super) async fn kept(
    server: &Homeserver,
    user_id: String,
    filter_id: &str,
) -> Result<Value, MatrixError> {
    let unknown = || MatrixError::not_found("no filter of yours has this id");
    let filter_id: i64 = filter_id.parse().map_err(|_| unknown())?;
    let filter = server.store.read(move |c| filters::find(c, &user_id, filter_id)).await?;
    filter.ok_or_else(unknown)
}
