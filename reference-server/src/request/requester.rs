//! Who is asking: access tokens.
//!
//! client-server-api/#using-access-tokens

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Uri};

use super::{Query, suspension};
use crate::application_service::ApplicationService;
use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::{access, account_data, accounts, devices};
use crate::timeline::Viewer;
use crate::token;

/// The largest integer that an event can hold (appendices/#canonical-json).
const LATEST_MS: i64 = (1 << 53) - 1;

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
    /// Whether the session was opened by OAuth 2.0.
    pub(crate) oauth: bool,
    /// The application service that acts as the user, if one does.
    pub(crate) application_service: Option<Arc<ApplicationService>>,
    /// When an application service wants the event to have been sent, in milliseconds since the Unix epoch
    /// (application-service-api/#timestamp-massaging).
    pub(crate) origin_server_ts: Option<i64>,
    /// Whether the user may not act.
    suspended: bool,
    /// Whom the user does not want to hear.
    ignored: BTreeSet<String>,
}

/// An application service.
#[derive(Debug)]
pub(crate) struct Service(pub(crate) Arc<ApplicationService>);

/// An application service, where others may come as well.
#[derive(Debug)]
pub(crate) struct MaybeService {
    service: Option<Arc<ApplicationService>>,
    token_given: bool,
}

impl MaybeService {
    /// The application service; nobody else will do.
    pub(crate) fn required(&self) -> Result<&Arc<ApplicationService>, MatrixError> {
        match &self.service {
            Some(service) => Ok(service),
            None if self.token_given => {
                Err(MatrixError::unknown_token("this is the access token of no application service"))
            }
            None => Err(no_token()),
        }
    }
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
    /// The server itself, under a user id of its own.
    pub(crate) fn of_the_server(user_id: String) -> Self {
        Self {
            user_id,
            device_id: String::new(),
            guest: false,
            administrator: false,
            oauth: false,
            application_service: None,
            origin_server_ts: None,
            suspended: false,
            ignored: BTreeSet::new(),
        }
    }

    /// The requester as somebody who looks at events.
    pub(crate) fn viewer(&self) -> Viewer<'_> {
        Viewer { user_id: &self.user_id, device_id: &self.device_id, ignored: &self.ignored }
    }

    /// Refuses what needs user-interactive authentication to sessions that were opened by OAuth 2.0, which does not go
    /// with it (client-server-api/#oauth-20-api).
    pub(crate) fn must_not_be_oauth(&self) -> Result<(), MatrixError> {
        if self.oauth {
            return Err(MatrixError::forbidden(
                "do this on the pages of this server: the session is one of OAuth 2.0",
            ));
        }
        Ok(())
    }

    /// The requester's device; application services can be without one
    /// (application-service-api/#identity-assertion).
    pub(crate) fn must_have_device(&self) -> Result<(), MatrixError> {
        if self.device_id.is_empty() {
            return Err(MatrixError::missing_param("this needs a device: add the query parameter device_id"));
        }
        Ok(())
    }

    /// The requester, if `user_id` is theirs; `M_FORBIDDEN` otherwise.
    pub(crate) fn must_be(&self, user_id: &str) -> Result<(), MatrixError> {
        if self.user_id == user_id || commits(Fault::OthersDataOpen) {
            Ok(())
        } else {
            Err(MatrixError::forbidden("this belongs to another user: ask with the user's own access token"))
        }
    }

    /// Refuses what only some requests of a permitted operation do (client-server-api/#account-suspension).
    pub(crate) fn must_not_be_suspended(&self) -> Result<(), MatrixError> {
        if self.suspended && !commits(Fault::SuspensionsIgnored) {
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
        let (requester, _) = identify(server, parts, &given(parts).ok_or_else(no_token)?).await?;
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
        authenticate(server, parts, &given(parts).ok_or_else(no_token)?).await.map(Self)
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
            Some(token) => authenticate(server, parts, &token).await.map(|requester| Self(Some(requester))),
        }
    }
}

impl FromRequestParts<Arc<Homeserver>> for Service {
    type Rejection = MatrixError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Homeserver>,
    ) -> Result<Self, Self::Rejection> {
        let requester = authenticate(server, parts, &given(parts).ok_or_else(no_token)?).await?;
        let service = requester.application_service;
        service.map(Self).ok_or_else(|| MatrixError::forbidden("application services may do this"))
    }
}

impl FromRequestParts<Arc<Homeserver>> for MaybeService {
    type Rejection = MatrixError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Homeserver>,
    ) -> Result<Self, Self::Rejection> {
        let token = given(parts);
        let service = token.as_ref().and_then(|token| server.application_services.with_token(token));
        Ok(Self { service, token_given: token.is_some() })
    }
}

/// The token of the header or, failing that, of the query.
fn given(parts: &Parts) -> Option<String> {
    access_token(&parts.headers, &parts.uri)
}

/// The access token of a request, in its header or its query (client-server-api/#using-access-tokens).
pub(crate) fn access_token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    bearer.or_else(|| {
        Query::parse(uri.query().unwrap_or_default())
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

async fn authenticate(server: &Homeserver, parts: &Parts, token: &str) -> Result<Requester, MatrixError> {
    let (requester, locked) = identify(server, parts, token).await?;
    if locked {
        return Err(MatrixError::locked());
    }
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if !suspension::permits(&parts.method, route) {
        requester.must_not_be_suspended()?;
    }
    Ok(requester)
}

/// Whom a token speaks for, and whether their account is locked.
async fn identify(server: &Homeserver, parts: &Parts, token: &str) -> Result<(Requester, bool), MatrixError> {
    if let Some(service) = server.application_services.with_token(token) {
        return masquerade(server, parts, service).await;
    }
    let digest = token::digest(token);
    let access = server
        .store
        .read(move |connection| match access::find(connection, &digest)? {
            Some(access) => {
                let ignored = account_data::ignored_by(connection, &access.user_id)?;
                Ok(Some((access, ignored)))
            }
            None => Ok(None),
        })
        .await?;
    let (access, ignored) =
        access.ok_or_else(|| MatrixError::unknown_token("access token is unknown: log in"))?;
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
        oauth: access.oauth,
        application_service: None,
        origin_server_ts: None,
        suspended: access.suspended,
        ignored,
    };
    Ok((requester, access.locked && !commits(Fault::LocksIgnored)))
}

/// Whom an application service acts as: its own user, or the one that it names, on a device if it names one
/// (application-service-api/#identity-assertion).
async fn masquerade(
    server: &Homeserver,
    parts: &Parts,
    service: Arc<ApplicationService>,
) -> Result<(Requester, bool), MatrixError> {
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let user_id = query.text("user_id").unwrap_or(&service.sender).to_owned();
    if !service.owns_user(&user_id) && !commits(Fault::ServicesActAsAnybody) {
        return Err(MatrixError::forbidden("this user is in none of the application service's namespaces"));
    }
    let device_id = query.text("device_id").map(str::to_owned);
    let (owner, sought) = (user_id.clone(), device_id.clone());
    let (account, device, ignored) = server
        .store
        .read(move |connection| {
            let device = match sought {
                Some(device_id) => devices::find(connection, &owner, &device_id)?,
                None => None,
            };
            let ignored = account_data::ignored_by(connection, &owner)?;
            Ok((accounts::find(connection, &owner)?, device, ignored))
        })
        .await?;
    let account = account.filter(|account| !account.deactivated);
    let account =
        account.ok_or_else(|| MatrixError::forbidden("there is no such user: register it first"))?;
    if device_id.is_some() && device.is_none() && !commits(Fault::ServiceDevicesUnchecked) {
        return Err(MatrixError::unknown_device("the user has no such device"));
    }
    let requester = Requester {
        user_id,
        device_id: device_id.unwrap_or_default(),
        guest: account.guest,
        administrator: account.administrator,
        oauth: false,
        application_service: Some(service),
        origin_server_ts: origin_server_ts(&query)?,
        suspended: account.suspended,
        ignored,
    };
    Ok((requester, account.locked && !commits(Fault::LocksIgnored)))
}

fn origin_server_ts(query: &Query) -> Result<Option<i64>, MatrixError> {
    let given = match query.number::<i64>("ts") {
        Err(_) if commits(Fault::ServiceTimesUnchecked) => return Ok(None),
        given => given?,
    };
    if given.is_some_and(|given| !(0..=LATEST_MS).contains(&given)) {
        return Err(MatrixError::invalid_param("ts must be a number of milliseconds that an event can hold"));
    }
    Ok(given)
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
            oauth: false,
            application_service: None,
            origin_server_ts: None,
            suspended: false,
            ignored: BTreeSet::new(),
        }
    }
}
