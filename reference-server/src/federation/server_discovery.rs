//! What another server learns before it speaks: server-server-api/#server-implementation.

use axum::Json;
use serde_json::json;

use crate::error::Answer;

/// The name and version of this implementation.
pub(super) async fn version() -> Answer {
    Ok(Json(json!({
        "server": {"name": "Determinant reference server", "version": env!("CARGO_PKG_VERSION")},
    })))
}
