//! Hosts that are found by name, and remotes that listen there: `server-server-api/#resolving-server-names`.

use std::net::{IpAddr, SocketAddr};

use super::Remote;
use crate::{
    cast::Homeserver,
    verdict::{Stop, Verdict},
};

/// A host of this run: a name that nobody had before, at a loopback address that nobody had before.
#[derive(Clone, Debug)]
pub struct Host {
    /// The name.
    pub name: String,
    /// The address to which the name leads.
    pub address: IpAddr,
}

impl Host {
    /// A port of it.
    pub fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, port)
    }
}

impl Homeserver {
    /// A new host. The test does not apply where the server does not ask the run for names.
    pub fn new_host(&self) -> Result<Host, Stop> {
        let (name, address) = self.target().names()?.host().map_err(|error| {
            Stop::NotApplicable(format!("the names of a run need many loopback addresses: {error}"))
        })?;
        Ok(Host { name, address: address.into() })
    }

    /// The port at which the server asks for delegation files.
    pub fn https_port(&self) -> Result<u16, Stop> {
        Ok(self.target().names()?.https_port())
    }

    /// Has an SRV record lead from a service of a host, such as `_matrix-fed._tcp`, to a port of another one.
    pub fn announce(&self, service: &str, host: &Host, target: &Host, port: u16) -> Verdict {
        self.target().names()?.announce(service, &host.name, &target.name, port);
        Ok(())
    }

    /// A remote homeserver of this name, which listens nowhere yet.
    pub async fn remote_called(&self, server_name: &str) -> Result<Remote, Stop> {
        Remote::begin(self, server_name.to_owned()).await
    }
}

impl Remote {
    /// Listens there as well, with a certificate for this name or address.
    pub fn listens(&self, at: SocketAddr, certificate_for: &str) -> Verdict {
        self.listens_with(at, Some(certificate_for))
    }

    /// Listens there as well, without TLS.
    pub fn listens_without_tls(&self, at: SocketAddr) -> Verdict {
        self.listens_with(at, None)
    }

    fn listens_with(&self, at: SocketAddr, certificate_for: Option<&str>) -> Verdict {
        let fault = |why: String| Stop::Fault(format!("no remote homeserver at {at}: {why}"));
        let federation = self.hs.target().federation()?;
        let listener = std::net::TcpListener::bind(at).map_err(|error| fault(error.to_string()))?;
        let config = certificate_for.map(|name| federation.authority().server_config(vec![name.to_owned()]));
        let config = config.transpose().map_err(|error| fault(error.to_string()))?;
        self.open(listener, config).map_err(|error| fault(error.to_string()))
    }
}
