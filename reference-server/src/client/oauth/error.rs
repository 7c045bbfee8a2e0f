//! Errors as OAuth 2.0 has them (RFC 6749, section 5.2).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::error::MatrixError;
use crate::store::StoreError;

/// An error code with a sentence for people.
#[derive(Debug)]
pub(super) struct OAuthError {
    status: StatusCode,
    /// The code.
    pub(super) code: &'static str,
    /// The sentence.
    pub(super) description: String,
}

impl OAuthError {
    /// An error of this code.
    pub(super) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, description: description.into() }
    }

    /// A parameter is missing or can not have its value.
    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    /// A code or token is unknown, used, too old, or another client's.
    pub(super) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.code, "error_description": self.description})))
            .into_response()
    }
}

impl From<MatrixError> for OAuthError {
    fn from(error: MatrixError) -> Self {
        let is_ours = error.has_status(StatusCode::INTERNAL_SERVER_ERROR);
        let status = if is_ours { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
        let code = if is_ours { "server_error" } else { "access_denied" };
        Self { status, code, description: error.message().to_owned() }
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        MatrixError::internal(error).into()
    }
}
