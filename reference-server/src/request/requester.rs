//! Who is asking: access tokens.
//!
//! client-server-api/#using-access-tokens

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::Query;
use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::access;
use crate::timeline::Viewer;
use crate::token;

/// A user with an account, on a device.
#[derive(Debug, Clone)]
pub(crate) struct Requester {
    /// The user.
    pub(crate) user_id: String,
    /// The device the access token was given to.
    pub(crate) device_id: String,
    /// Whether the user is a guest.
    pub(crate) guest: bool,
    /// Whether the user moderates other accounts.
    pub(crate) administrator: bool,
    /// Whether the user may not act.
    suspended: bool,
}

/// An administrator of the server. Whoever is none learns nothing of other accounts (client-server-api/#server-administration).
#[derive(Debug)]
pub(crate) struct Administrator;

/// A user whose account may be locked, for the operations that end sessions (client-server-api/#account-locking).
#[derive(Debug)]
pub(crate) struct EvenLocked(pub(crate) Requester);

/// Anybody with an access token, for the operations that guests may use (client-server-api/#guest-access).
#[derive(Debug)]
pub(crate) struct GuestOrUser(pub(crate) Requester);

/// For the operations that work without an access token; one that is sent has to be good all the same.
#[derive(Debug)]
pub(crate) struct MaybeRequester(pub(crate) Option<Requester>);

impl Requester {
    /// The requester as somebody who looks at events.
    pub(crate) fn viewer(&self) -> Viewer<'_> {
        Viewer { user_id: &self.user_id, device_id: &self.device_id }
    }

    /// The requester, if `user_id` is theirs; `M_FORBIDDEN` otherwise.
    pub(crate) fn must_be(&self, user_id: &str) -> Result<(), MatrixError> {
        if self.user_id == user_id || commits(Fault::OthersDataOpen) {
            Ok(())
        } else {
            Err(MatrixError::forbidden("this belongs to another user: ask with the user's own access token"))
        }
    }

    /// Refuses what users do who are not suspended (client-server-api/#account-suspension).
    pub(crate) fn must_not_be_suspended(&self) -> Result<(), MatrixError> {
        if self.suspended {
            return Err(MatrixError::user_suspended("you are suspended: ask an administrator of the server"));
        }
        Ok(())
    }
}

impl FromRequestParts<Arc<Homeserver>> for Administrator {
    type Rejection = MatrixError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Homeserver>,
    ) -> Result<Self, Self::Rejection> {
        let requester = Requester::from_request_parts(parts, server).await?;
        if requester.administrator || commits(Fault::EverybodyAdministers) {
            Ok(Self)
        } else {
            Err(MatrixError::forbidden("administrators of the server may do this"))
        }
    }
}

impl FromRequestParts<Arc<Homeserver>> for EvenLocked {
    type Rejection = MatrixError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Homeserver>,
    ) -> Result<Self, Self::Rejection> {
        let (requester, _) = identify(server, &given(parts).ok_or_else(no_token)?).await?;
        if requester.guest {
            return Err(not_for_guests());
        }
        Ok(Self(requester))
    }
}

impl FromRequestParts<Arc<Homeserver>> for Requester {
    type Rejection = MatrixError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Homeserver>,
    ) -> Result<Self, Self::Rejection> {
        let GuestOrUser(requester) = GuestOrUser::from_request_parts(parts, server).await?;
        if requester.guest {
            return Err(not_for_guests());
        }
        Ok(requester)
    }
}

impl FromRequestParts<Arc<Homeserver>> for GuestOrUser {
    type Rejection = MatrixError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Homeserver>,
    ) -> Result<Self, Self::Rejection> {
        authenticate(server, &given(parts).ok_or_else(no_token)?).await.map(Self)
    }
}

impl FromRequestParts<Arc<Homeserver>> for MaybeRequester {
    type Rejection = MatrixError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Homeserver>,
    ) -> Result<Self, Self::Rejection> {
        match given(parts) {
            None => Ok(Self(None)),
            Some(token) => authenticate(server, &token).await.map(|requester| Self(Some(requester))),
        }
    }
}

/// The token of the header or, failing that, of the query.
fn given(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    bearer.or_else(|| {
        Query::parse(parts.uri.query().unwrap_or_default())
            .text("access_token")
            .filter(|_| !commits(Fault::QueryTokensIgnored))
            .map(str::to_owned)
    })
}

fn no_token() -> MatrixError {
    MatrixError::missing_token("send an access token in the Authorization header")
}

fn not_for_guests() -> MatrixError {
    MatrixError::guest_access_forbidden("guests may not do this: register an account")
}

async fn authenticate(server: &Homeserver, token: &str) -> Result<Requester, MatrixError> {
    match identify(server, token).await? {
        (requester, false) => Ok(requester),
        (_, true) => Err(MatrixError::locked()),
    }
}

/// Whom a token speaks for, and whether their account is locked.
async fn identify(server: &Homeserver, token: &str) -> Result<(Requester, bool), MatrixError> {
    let digest = token::digest(token);
    let access = server.store.read(move |connection| access::find(connection, &digest)).await?;
    let access = access.ok_or_else(|| MatrixError::unknown_token("access token is unknown: log in"))?;
    if access.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms()) {
        return Err(
            MatrixError::unknown_token("access token has expired: refresh it").with("soft_logout", true)
        );
    }
    if let Some(refreshed_with) = access.refreshed_with.filter(|_| !commits(Fault::RefreshTokensUsableAgain))
    {
        server.store.write(move |connection| access::revoke_refresh(connection, &refreshed_with)).await?;
    }
    let requester = Requester {
        user_id: access.user_id,
        device_id: access.device_id,
        guest: access.guest,
        administrator: access.administrator,
        suspended: access.suspended,
    };
    Ok((requester, access.locked && !commits(Fault::LocksIgnored)))
}

#[cfg(test)]
impl Requester {
    /// Somebody on a device, for tests.
    pub(crate) fn named(user_id: &str, device_id: &str) -> Self {
        Self {
            user_id: user_id.to_owned(),
            device_id: device_id.to_owned(),
            guest: false,
            administrator: false,
            suspended: false,
        }
    }
}
