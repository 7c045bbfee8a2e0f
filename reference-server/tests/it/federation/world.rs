//! Several servers on the loopback interface, that trust one authority and speak to each other.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reference_server::{Config, Federation};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Server, User};

/// How long a test waits for what does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The authority, and the folder with its certificate and those of the servers.
pub(crate) struct World {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A server that can be stopped and started again under the same name.
pub(crate) struct Place {
    pub(crate) name: String,
    config: Config,
    server: Option<Server>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Starts a server named `localhost` and its port.
    pub(crate) async fn server(&self) -> Place {
        self.server_with(|_| {}).await
    }

    /// The same, with another configuration.
    pub(crate) async fn server_with(&self, change: impl FnOnce(&mut Config)) -> Place {
        let port = Self::free_port();
        self.server_named(&format!("localhost:{port}"), port, &["localhost"], change).await
    }

    /// Starts a server of a name on a port, with a certificate for these hosts.
    pub(crate) async fn server_named(
        &self,
        name: &str,
        port: u16,
        hosts: &[&str],
        change: impl FnOnce(&mut Config),
    ) -> Place {
        let (certificate, key) = self.certificate(port, hosts);
        let mut config = Config::new(name);
        config.federation = Some(Federation::new(([127, 0, 0, 1], port).into(), certificate, key));
        config.outgoing.authorities = Some(self.folder.path().join("ca.pem"));
        config.outgoing.private_addresses = true;
        config.outgoing.retry_after_ms = 20;
        config.outgoing.retry_at_most_ms = 200;
        config.data = Some(self.folder.path().join(format!("data-{port}")));
        change(&mut config);
        let mut place = Place { name: name.to_owned(), config, server: None };
        place.start().await;
        place
    }

    /// A port that nobody listens on.
    pub(crate) fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// Somebody who trusts the authority.
    pub(crate) fn client(&self) -> reqwest::Client {
        let pem = std::fs::read(self.folder.path().join("ca.pem")).unwrap();
        let authority = reqwest::Certificate::from_pem(&pem).unwrap();
        reqwest::Client::builder().tls_certs_only([authority]).build().unwrap()
    }

    fn certificate(&self, port: u16, hosts: &[&str]) -> (PathBuf, PathBuf) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let params = CertificateParams::new(hosts).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |kind: &str| self.folder.path().join(format!("{port}.{kind}.pem"));
        std::fs::write(path("certificate"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        (path("certificate"), path("key"))
    }
}

impl Place {
    pub(crate) async fn start(&mut self) {
        self.server = Some(Server::with(self.config.clone()).await);
    }

    /// Ends the server. What it keeps is there when it starts again.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.running.shut_down().await;
        }
    }

    /// Joins a room with the help of another server.
    pub(crate) async fn join_through(&self, user: &User, room: &str, other: &Self) {
        let (status, answer) = self.try_join_through(user, room, other).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    pub(crate) async fn try_join_through(
        &self,
        user: &User,
        room: &str,
        other: &Self,
    ) -> (StatusCode, Value) {
        self.post(user, &format!("/v3/join/{}?via={}", encoded(room), encoded(&other.name)), json!({})).await
    }

    /// Syncs until what is seen is as wanted; answers the last answer.
    pub(crate) async fn until(&self, user: &User, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_after(user, String::new(), what, wanted).await
    }

    /// The same, for somebody who has synced up to a token.
    pub(crate) async fn until_after(
        &self,
        user: &User,
        mut since: String,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let seen = async {
            loop {
                let answer = self.sync(user, &format!("timeout=1000{since}")).await;
                if wanted(&answer) {
                    return answer;
                }
                since = format!("&since={}", answer["next_batch"].as_str().unwrap());
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        seen.unwrap_or_else(|_| panic!("{} never sees {what}", user.id))
    }

    /// The state of a room as a user sees it: the ids of the events by type and state key.
    pub(crate) async fn state(&self, user: &User, room: &str) -> Vec<(String, String, String)> {
        let (status, answer) = self.get(user, &format!("/v3/rooms/{}/state", encoded(room))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
        let mut state: Vec<_> = answer
            .as_array()
            .unwrap()
            .iter()
            .map(|event| (text(event, "type"), text(event, "state_key"), text(event, "event_id")))
            .collect();
        state.sort();
        state
    }
}

impl std::ops::Deref for Place {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.server.as_ref().unwrap()
    }
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
