//! The error a client is told, in the one form the specification has for it.
//!
//! client-server-api/#standard-error-response

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::{Map, Value, json};

use crate::password::PasswordError;
use crate::store::StoreError;

/// How long to wait, in milliseconds; deprecated in favour of the header that goes with it.
const RETRY_AFTER_MS: &str = "retry_after_ms";

/// What every handler answers: a JSON body or an error.
pub(crate) type Answer = Result<Json<Value>, MatrixError>;

/// An answer without content: `{}`.
pub(crate) fn empty() -> Answer {
    Ok(Json(json!({})))
}

/// A status, an error code, a sentence for people, and what the error code asks for beside them.
#[derive(Debug, Clone)]
pub(crate) struct MatrixError {
    status: StatusCode,
    /// With the message, absent only from the first challenge of user-interactive authentication.
    code: Option<(Cow<'static, str>, String)>,
    extra: Map<String, Value>,
}

/// Constructors named after an error code, with the status that usually goes with it.
macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $status:ident $errcode:literal;)*) => {
        impl MatrixError {
            $($(#[$doc])*
            pub(crate) fn $name(message: impl Into<String>) -> Self {
                Self::new(StatusCode::$status, $errcode, message)
            })*
        }
    };
}

errors! {
    /// Valid JSON, but not what this operation takes.
    bad_json = BAD_REQUEST "M_BAD_JSON";
    /// Not JSON at all.
    not_json = BAD_REQUEST "M_NOT_JSON";
    /// A parameter that has to be there is not.
    missing_param = BAD_REQUEST "M_MISSING_PARAM";
    /// A parameter has a value that it can not have.
    invalid_param = BAD_REQUEST "M_INVALID_PARAM";
    /// A request that is refused for a reason without an error code of its own.
    unknown = BAD_REQUEST "M_UNKNOWN";
    /// The user may not do this.
    forbidden = FORBIDDEN "M_FORBIDDEN";
    /// The user to be invited wants no invitations.
    invite_blocked = FORBIDDEN "M_INVITE_BLOCKED";
    /// There is no such thing, or the user may not know of it.
    not_found = NOT_FOUND "M_NOT_FOUND";
    /// The request or something in it is larger than it may be.
    too_large = PAYLOAD_TOO_LARGE "M_TOO_LARGE";
    /// A localpart that is not in the grammar.
    invalid_username = BAD_REQUEST "M_INVALID_USERNAME";
    /// A password that is too easily found.
    weak_password = BAD_REQUEST "M_WEAK_PASSWORD";
    /// A localpart that somebody has.
    user_in_use = BAD_REQUEST "M_USER_IN_USE";
    /// The account exists no longer.
    user_deactivated = FORBIDDEN "M_USER_DEACTIVATED";
    /// The account can not be used until it is unlocked.
    user_locked = UNAUTHORIZED "M_USER_LOCKED";
    /// The user may not act until the suspension ends.
    user_suspended = FORBIDDEN "M_USER_SUSPENDED";
    /// Guests may not do this, or not in this room.
    guest_access_forbidden = FORBIDDEN "M_GUEST_ACCESS_FORBIDDEN";
    /// No access token came with the request.
    missing_token = UNAUTHORIZED "M_MISSING_TOKEN";
    /// The token is not, or no longer, known.
    unknown_token = UNAUTHORIZED "M_UNKNOWN_TOKEN";
    /// The server has no such path.
    unrecognized = NOT_FOUND "M_UNRECOGNIZED";
    /// The state change can not be made from where things stand.
    bad_state = FORBIDDEN "M_BAD_STATE";
    /// The first events of a new room contradict each other.
    invalid_room_state = BAD_REQUEST "M_INVALID_ROOM_STATE";
    /// The alias of a new room leads somewhere else already.
    room_in_use = BAD_REQUEST "M_ROOM_IN_USE";
    /// An alias that does not lead to this room.
    bad_alias = BAD_REQUEST "M_BAD_ALIAS";
    /// The word of an identity server counts for nothing here.
    server_not_trusted = BAD_REQUEST "M_SERVER_NOT_TRUSTED";
    /// The server does not invite by address, or lets nobody have it.
    threepid_denied = FORBIDDEN "M_THREEPID_DENIED";
    /// An application service has it, or may not have it.
    exclusive = BAD_REQUEST "M_EXCLUSIVE";
    /// The user has no such device.
    unknown_device = BAD_REQUEST "M_UNKNOWN_DEVICE";
    /// The server has as much as it may have; say whom to turn to.
    resource_limit_exceeded = FORBIDDEN "M_RESOURCE_LIMIT_EXCEEDED";
    /// The account has as much as it may have; say where to read more of it.
    user_limit_exceeded = FORBIDDEN "M_USER_LIMIT_EXCEEDED";
    /// The address belongs to an account already.
    threepid_in_use = BAD_REQUEST "M_THREEPID_IN_USE";
    /// The address belongs to no account.
    threepid_not_found = BAD_REQUEST "M_THREEPID_NOT_FOUND";
    /// Nobody has proved to read what is sent to the address.
    threepid_auth_failed = BAD_REQUEST "M_THREEPID_AUTH_FAILED";
    /// Nothing can be sent to addresses of this kind.
    threepid_medium_not_supported = BAD_REQUEST "M_THREEPID_MEDIUM_NOT_SUPPORTED";
    /// A room version this server does not know.
    unsupported_room_version = BAD_REQUEST "M_UNSUPPORTED_ROOM_VERSION";
}

impl MatrixError {
    /// An error with a status of its own.
    pub(crate) fn new(status: StatusCode, errcode: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: Some((errcode.into(), message.into())), extra: Map::new() }
    }

    /// What another server has answered, handed on.
    pub(crate) fn foreign(status: StatusCode, errcode: String, message: String) -> Self {
        let errcode = if errcode.is_empty() { Cow::Borrowed("M_UNKNOWN") } else { Cow::Owned(errcode) };
        Self { status, code: Some((errcode, message)), extra: Map::new() }
    }

    /// An administrator has locked the account (client-server-api/#account-locking).
    pub(crate) fn locked() -> Self {
        Self::user_locked("this account is locked: ask an administrator of the server")
            .with("soft_logout", true)
    }

    /// One request too many; the next may come after `wait` (client-server-api/#rate-limiting).
    pub(crate) fn limit_exceeded(wait: Duration) -> Self {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED", format!("try again in {wait_ms} ms"))
            .with(RETRY_AFTER_MS, wait_ms)
    }

    /// The request needs user-interactive authentication; `challenge` says how.
    pub(crate) fn challenge(challenge: Map<String, Value>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, code: None, extra: challenge }
    }

    /// The request is known, but not with this method.
    pub(crate) fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "M_UNRECOGNIZED",
            "this path is known, but not with this method",
        )
    }

    /// The server failed; the reason is logged and not told.
    pub(crate) fn internal(reason: impl std::fmt::Display) -> Self {
        tracing::error!("request failed: {reason}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "the server failed; its log says why")
    }

    /// Adds a field that the error code asks for.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// Adds all fields of an object.
    pub(crate) fn with_all(mut self, fields: Map<String, Value>) -> Self {
        self.extra.extend(fields);
        self
    }

    /// The same error under another status.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Whether the error code is this one.
    pub(crate) fn has_code(&self, errcode: &str) -> bool {
        self.code.as_ref().is_some_and(|(code, _)| code == errcode)
    }

    /// Whether the status is this one.
    pub(crate) fn has_status(&self, status: StatusCode) -> bool {
        self.status == status
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> &str {
        self.code.as_ref().map_or("", |(_, message)| message)
    }

    /// The body as a JSON object: `errcode`, `error`, and what was added.
    pub(crate) fn body(self) -> Map<String, Value> {
        let mut body = self.extra;
        if let Some((errcode, message)) = self.code {
            body.insert("errcode".to_owned(), Value::String(errcode.into_owned()));
            body.insert("error".to_owned(), message.into());
        }
        body
    }
}

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        let status = self.status;
        let wait_ms = self.extra.get(RETRY_AFTER_MS).and_then(Value::as_u64);
        let wait = wait_ms.map(|wait_ms| [(RETRY_AFTER, wait_ms.div_ceil(1000))]);
        (status, wait.map(AppendHeaders), Json(self.body())).into_response()
    }
}

impl From<StoreError> for MatrixError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(name) => Self::room_in_use(format!("{name} is taken: choose another")),
            error => Self::internal(error),
        }
    }
}

impl From<PasswordError> for MatrixError {
    fn from(error: PasswordError) -> Self {
        Self::internal(error)
    }
}
