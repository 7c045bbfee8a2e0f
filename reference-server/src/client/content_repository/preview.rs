//! Previews of URLs: client-server-api/#get_matrixclientv1mediapreview_url.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use crate::client::Routes;
use crate::error::Answer;
use crate::homeserver::Homeserver;
use crate::preview;
use crate::request::{Query, Requester};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v1/media/preview_url", get(preview_url))
        .route("/_matrix/media/v3/preview_url", get(preview_url))
}

/// The text knows no error for a page that can not be had, but an empty preview. The newest version of a page serves for
/// any `ts`.
async fn preview_url(State(server): State<Arc<Homeserver>>, _: Requester, query: Query) -> Answer {
    query.number::<i64>("ts")?;
    Ok(Json(Value::Object(preview::of(&server, query.required("url")?).await?)))
}
