//! How a run federates with the server: an authority that both trust, and ports of which none is used twice.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::ClientBuilder;
use url::Url;

use super::{Authority, TargetError, Whereabouts};

/// How long the first answer of a server to another may take.
const MEET_WITHIN: Duration = Duration::from_secs(30);

/// What the remote homeservers of a run share.
#[derive(Debug)]
pub struct Federation {
    authority: Arc<Authority>,
    http: reqwest::Client,
    whereabouts: Whereabouts,
    ports: Mutex<HashSet<u16>>,
    /// What is wrong with the server's certificate, where it is not verified for that.
    certificate_problem: Option<String>,
}

impl Federation {
    /// Federation with servers that trust this authority, and are trusted by its certificates only. They find others where
    /// `whereabouts` says.
    pub(super) fn new(authority: Arc<Authority>, whereabouts: Whereabouts) -> Result<Self, TargetError> {
        let http = client(&authority, |builder| builder)?;
        Ok(Federation { authority, http, whereabouts, ports: Mutex::default(), certificate_problem: None })
    }

    /// Federation with a server in a container of this machine, whose certificate is for its name. Gives, as well, what is wrong
    /// with that certificate: then it is not verified, as Complement verifies none, and the checks can still be put.
    pub(super) async fn with_container(
        authority: Arc<Authority>,
        whereabouts: Whereabouts,
        url: &Url,
    ) -> Result<(Self, Option<String>), TargetError> {
        let name = url.host_str().unwrap_or_default().to_owned();
        // Port 0 stands for that of the URL.
        let there = |builder: ClientBuilder| builder.resolve(&name, (Ipv4Addr::LOCALHOST, 0).into());
        let mut http = client(&authority, there)?;
        let asked = http.get(url.clone()).timeout(MEET_WITHIN).send().await;
        let wrong = asked.err().filter(reqwest::Error::is_connect).map(|error| crate::wire::in_words(&error));
        if wrong.is_some() {
            http = client(&authority, |builder| there(builder).tls_danger_accept_invalid_certs(true))?;
        }
        let certificate_problem = wrong.clone();
        Ok((Federation { authority, http, whereabouts, ports: Mutex::default(), certificate_problem }, wrong))
    }

    /// What is wrong with the server's certificate, where it is not verified for that.
    pub(crate) fn certificate_problem(&self) -> Option<&str> {
        self.certificate_problem.as_deref()
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
        Ok((listener, self.authority.server_config(vec![self.whereabouts.name().to_owned()])?))
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// A listener on a port that no other remote of this run had: servers remember the keys of a name.
    pub(crate) fn listener(&self) -> std::io::Result<TcpListener> {
        // Used ports are held until a new one is found, or the system could give the same one again.
        let mut held = Vec::new();
        loop {
            let listener = self.whereabouts.listener()?;
            let port = listener.local_addr()?.port();
            if self.ports.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
                return Ok(listener);
            }
            held.push(listener);
        }
    }
}

/// The client of a run for the server-server API.
fn client(
    authority: &Authority,
    alter: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client, TargetError> {
    let failed = |error: reqwest::Error| {
        TargetError::Unreachable(format!("no HTTP client for federation: {}", crate::wire::in_words(&error)))
    };
    let certificate = reqwest::Certificate::from_pem(authority.pem().as_bytes()).map_err(failed)?;
    alter(reqwest::Client::builder())
        .tls_certs_only([certificate])
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(4))
        .tcp_nodelay(true)
        .no_proxy()
        .build()
        .map_err(failed)
}
