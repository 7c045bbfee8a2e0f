//! Application services: who they are, and what is theirs (application-service-api/#registration).

mod call;
mod delivery;
mod interest;
mod registration;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use self::call::{CallError, ask, call};
pub(crate) use self::delivery::start_all;
pub(crate) use self::registration::Registration;
use crate::server::StartError;

/// All application services of the server.
#[derive(Debug, Default)]
pub(crate) struct ApplicationServices(Vec<Arc<ApplicationService>>);

/// One application service.
#[derive(Debug)]
pub(crate) struct ApplicationService {
    /// What its registration says.
    pub(crate) registration: Registration,
    /// The user that it is when it names no other.
    pub(crate) sender: String,
    client: reqwest::Client,
}

/// What a namespace is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of user ids.
    Users,
    /// Of room aliases.
    Aliases,
}

impl ApplicationServices {
    /// Reads the registrations. Ids and tokens tell application services apart, so no two may have the same.
    pub(crate) fn read(
        files: &[PathBuf],
        server_name: &str,
        client: &reqwest::Client,
    ) -> Result<Self, StartError> {
        let mut services: Vec<Arc<ApplicationService>> = Vec::new();
        for path in files {
            let unusable = |reason: String| StartError::ApplicationService { path: path.clone(), reason };
            let registration = Registration::read(path).map_err(unusable)?;
            for other in &services {
                if other.registration.id == registration.id {
                    return Err(unusable(format!("another one has the id {:?}", registration.id)));
                }
                if other.registration.as_token == registration.as_token {
                    return Err(unusable(format!("{:?} has the same as_token", other.registration.id)));
                }
            }
            let sender = format!("@{}:{server_name}", registration.sender_localpart);
            services.push(Arc::new(ApplicationService { registration, sender, client: client.clone() }));
        }
        Ok(Self(services))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<ApplicationService>> {
        self.0.iter()
    }

    /// The one that has this token.
    pub(crate) fn with_token(&self, token: &str) -> Option<Arc<ApplicationService>> {
        self.iter().find(|service| service.registration.as_token == token).cloned()
    }

    /// Whether an id or alias is set aside for application services other than `own`.
    pub(crate) fn reserve(&self, kind: Kind, id: &str, own: Option<&ApplicationService>) -> bool {
        self.iter()
            .filter(|service| own.is_none_or(|own| own.registration.id != service.registration.id))
            .any(|service| service.reserves(kind, id))
    }
}

impl ApplicationService {
    /// Whether a user is the service's own.
    pub(crate) fn owns_user(&self, user_id: &str) -> bool {
        user_id == self.sender || self.has(Kind::Users, user_id)
    }

    /// Whether an id or alias is in one of its namespaces.
    pub(crate) fn has(&self, kind: Kind, id: &str) -> bool {
        self.registration.namespaces(kind).iter().any(|namespace| namespace.contains(id))
    }

    /// Whether nobody else may have an id or alias.
    fn reserves(&self, kind: Kind, id: &str) -> bool {
        let exclusive = |namespace: &&registration::Namespace| namespace.exclusive;
        kind == Kind::Users && id == self.sender
            || self
                .registration
                .namespaces(kind)
                .iter()
                .filter(exclusive)
                .any(|namespace| namespace.contains(id))
    }
}
