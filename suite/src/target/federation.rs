//! How a run federates with the server: an authority that both trust, and ports of which none is used twice.

use std::{
    collections::HashSet,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Authority, TargetError};

/// What the remote homeservers of a run share.
#[derive(Debug)]
pub struct Federation {
    authority: Arc<Authority>,
    http: reqwest::Client,
    ports: Mutex<HashSet<u16>>,
}

impl Federation {
    /// Federation with servers that trust this authority, and are trusted by its certificates only.
    pub(super) fn new(authority: Arc<Authority>) -> Result<Self, TargetError> {
        let failed = |error: reqwest::Error| {
            TargetError::Unreachable(format!(
                "no HTTP client for federation: {}",
                crate::wire::in_words(&error)
            ))
        };
        let certificate = reqwest::Certificate::from_pem(authority.pem().as_bytes()).map_err(failed)?;
        let http = reqwest::Client::builder()
            .tls_certs_only([certificate])
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(4))
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(failed)?;
        Ok(Federation { authority, http, ports: Mutex::default() })
    }

    /// Signs the certificates of the run.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The authority's certificate as PEM.
    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// Where another server of the run can listen, which is named after the port: a listener, and the TLS that the server under
    /// test trusts.
    pub fn place(&self) -> Result<(TcpListener, rustls::ServerConfig), TargetError> {
        let listener = self.listener().map_err(|error| {
            TargetError::Unreachable(format!("no port for another server of the run: {error}"))
        })?;
        Ok((listener, self.authority.server_config(vec!["localhost".to_owned()])?))
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// A listener on a port that no other remote of this run had: servers remember the keys of a name.
    pub(crate) fn listener(&self) -> std::io::Result<TcpListener> {
        // Used ports are held until a new one is found, or the system could give the same one again.
        let mut held = Vec::new();
        loop {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let port = listener.local_addr()?.port();
            if self.ports.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
                return Ok(listener);
            }
            held.push(listener);
        }
    }
}
