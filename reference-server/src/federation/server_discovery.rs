//! Where another server is, by its name: server-server-api/#resolving-server-names.
//!
//! What was found is kept for a while. A server that can not be reached there is looked for anew.

mod dns;
mod well_known;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use protocol::identifiers::ServerName;
use reqwest::Client;
use serde_json::json;

pub(crate) use self::dns::{Dns, DnsError};
pub(crate) use self::well_known::WellKnowns;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};

/// How long a route is kept.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// The most routes that are kept.
const MOST: usize = 10_000;

/// The way to a server.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Connects to the right address, and expects the right certificate.
    pub(crate) client: Client,
    /// Scheme, host and port of its URLs.
    pub(crate) base: String,
    /// What it is called in requests.
    pub(crate) host: String,
}

/// The ways that are known.
#[derive(Debug, Default)]
pub(crate) struct Routes(Mutex<HashMap<String, (Route, Instant)>>);

/// Where a name leads when nothing delegates it further.
struct Place {
    /// The host whose certificate is expected.
    host: String,
    port: u16,
    /// Its addresses, where they are not those of the host's name.
    addresses: Option<Vec<SocketAddr>>,
    /// The `Host` header.
    called: String,
}

impl Routes {
    fn find(&self, name: &str) -> Option<Route> {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        routes.get(name).filter(|(_, until)| *until > Instant::now()).map(|(route, _)| route.clone())
    }

    /// Keeps a way for a while, and no longer than the delegation that led to it.
    fn add(&self, name: &str, route: Route, delegated_until: Option<Instant>) {
        let until = Instant::now() + KEPT;
        let until = delegated_until
            .filter(|_| !commits(Fault::DelegationKeptForever))
            .map_or(until, |delegated| delegated.min(until));
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if routes.len() >= MOST {
            routes.retain(|_, (_, until)| *until > Instant::now());
        }
        if routes.len() < MOST {
            routes.insert(name.to_owned(), (route, until));
        }
    }

    /// Forgets a way that leads nowhere.
    pub(crate) fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

impl Homeserver {
    /// The way to a server; the error says why there is none.
    pub(crate) async fn route_to(&self, name: &str) -> Result<Route, String> {
        if let Some(route) = self.outgoing.routes.find(name) {
            return Ok(route);
        }
        let parsed = ServerName::parse(name).map_err(|error| error.to_string())?;
        let leads_itself =
            parsed.is_ip_literal() || parsed.port().is_some() || commits(Fault::DelegationIgnored);
        let (delegated, until) = if leads_itself {
            (None, None)
        } else {
            let (delegated, until) = self.outgoing.well_known(parsed.hostname()).await;
            (delegated, Some(until))
        };
        let place =
            self.outgoing.place(delegated.as_ref().unwrap_or(&parsed)).await.map_err(|e| e.to_string())?;
        let route = Route {
            client: self.outgoing.client_for(&place.host, place.addresses.as_deref())?,
            base: format!("https://{}:{}", place.host, place.port),
            host: if commits(Fault::HostsUndelegated) { name.to_owned() } else { place.called },
        };
        self.outgoing.routes.add(name, route.clone(), until);
        Ok(route)
    }
}

impl crate::outgoing::Outgoing {
    /// Steps 1, 2 and 4 to 6; after delegation, the same as 3.1 to 3.5.
    async fn place(&self, name: &ServerName) -> Result<Place, DnsError> {
        let host = name.hostname().to_owned();
        let called = name.to_string();
        if name.is_ip_literal() || name.port().is_some() {
            let port = name.port().unwrap_or(self.default_port);
            return Ok(Place { host, port, addresses: None, called });
        }
        match self.dns.service(&host).await? {
            Some((port, addresses)) => Ok(Place { host, port, addresses: Some(addresses), called }),
            None => Ok(Place { host, port: self.default_port, addresses: None, called }),
        }
    }
}

/// The name and version of this implementation: server-server-api/#server-implementation.
pub(super) async fn version() -> Answer {
    Ok(Json(json!({
        "server": {"name": "Determinant reference server", "version": env!("CARGO_PKG_VERSION")},
    })))
}

/// Where this server is delegated to, if it is: server-server-api/#getwell-knownmatrixserver.
pub(crate) async fn well_known(State(server): State<Arc<Homeserver>>) -> Answer {
    let delegated = server.config.federation.as_ref().and_then(|federation| federation.well_known.as_deref());
    let delegated = delegated.ok_or_else(|| MatrixError::not_found("this server is where its name leads"))?;
    Ok(Json(json!({"m.server": delegated})))
}
