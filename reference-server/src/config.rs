//! What the server is told at its start: a TOML file, or values set by whoever embeds it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::misbehave::Fault;

/// The configuration of one server.
///
/// The smallest file is one line, `server_name = "example.org"`; it gives a server in memory on a
/// free port of the loopback interface, where anybody may register.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The name behind the colon of every id made here (appendices/#server-name).
    pub server_name: String,
    /// The folder of the database; without one, everything is in memory and ends with the server.
    #[serde(default)]
    pub data: Option<PathBuf>,
    /// Where clients come in.
    #[serde(default)]
    pub client: Client,
    /// Where other servers come in; without it, none do.
    #[serde(default)]
    pub federation: Option<Federation>,
    /// Who may register.
    #[serde(default)]
    pub registration: Registration,
    /// What a password costs.
    #[serde(default)]
    pub passwords: Passwords,
    /// How long tokens last.
    #[serde(default)]
    pub tokens: Tokens,
    /// What may be uploaded.
    #[serde(default)]
    pub media: Media,
    /// How other servers are reached.
    #[serde(default)]
    pub outgoing: Outgoing,
    /// How e-mail is sent; without it, accounts have no e-mail addresses.
    #[serde(default)]
    pub mail: Option<Mail>,
    /// How text messages are sent; without it, accounts have no telephone numbers.
    #[serde(default)]
    pub text_messages: Option<TextMessages>,
    /// The registration files of application services.
    #[serde(default)]
    pub application_services: Vec<PathBuf>,
    /// How users prove who they are.
    #[serde(default)]
    pub authentication: Authentication,
    /// Where users can log in that have an account there.
    #[serde(default)]
    pub identity_providers: Vec<IdentityProvider>,
    /// Whom people can turn to.
    #[serde(default)]
    pub support: Option<Support>,
    /// The servers that relay calls; without them, calls find their own way.
    #[serde(default)]
    pub turn: Option<Turn>,
    /// A fault to commit, by its name, so that a test suite can be tested. It is committed by the whole process.
    #[serde(default)]
    pub misbehave: Option<Fault>,
}

/// The listener for clients: plain HTTP, for a reverse proxy or for the same machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Client {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that `/.well-known/matrix/client` gives; by default that of the listener.
    pub base_url: Option<String>,
}

impl Default for Client {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), base_url: None }
    }
}

/// The listener for other servers: TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Federation {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// PEM file of the certificate and those between it and the root.
    pub certificate: PathBuf,
    /// PEM file of the certificate's private key.
    pub key: PathBuf,
    /// The name that `/.well-known/matrix/server` delegates to; by default, it is not there.
    #[serde(default)]
    pub well_known: Option<String>,
}

/// Who may register.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Registration {
    /// The flow that a new user has to go through.
    pub mode: RegistrationMode,
    /// The tokens that count in mode `token`.
    pub tokens: Vec<String>,
    /// Whether guests are let in.
    pub guests: bool,
    /// What a new user has to agree to, by an id of each document.
    pub terms: BTreeMap<String, Policy>,
    /// What a new user has to solve.
    pub recaptcha: Option<Recaptcha>,
    /// Whoever knows this secret makes accounts, those of administrators among them; without one, nobody does.
    pub shared_secret: Option<String>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            mode: RegistrationMode::Open,
            tokens: Vec::new(),
            guests: true,
            terms: BTreeMap::new(),
            recaptcha: None,
            shared_secret: None,
        }
    }
}

/// The flow that a new user has to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationMode {
    /// `m.login.dummy`: everybody.
    Open,
    /// `m.login.registration_token`: whoever has been given a token.
    Token,
    /// `m.login.email.identity`: whoever reads an e-mail address.
    Email,
    /// `m.login.msisdn`: whoever reads text messages to a telephone number.
    Msisdn,
    /// Nobody.
    Disabled,
}

/// The cost of Argon2id. The default is the least that the function allows: this server stands beside
/// test suites that register users by the hundred. A server for people needs about 19456 KiB and 2.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Passwords {
    /// Memory for one password, in KiB; at least 8.
    pub memory_kib: u32,
    /// Passes over that memory; at least 1.
    pub iterations: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { memory_kib: 8, iterations: 1 }
    }
}

/// How long tokens last.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Tokens {
    /// Lifetime of the access tokens of clients that can refresh them, in milliseconds.
    pub refreshable_access_lifetime_ms: i64,
    /// Lifetime of a token from `/login/get_token`, in milliseconds.
    pub login_lifetime_ms: i64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { refreshable_access_lifetime_ms: 3_600_000, login_lifetime_ms: 120_000 }
    }
}

/// How other servers are reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Outgoing {
    /// PEM file of authorities that are trusted beside those of the system.
    pub authorities: Option<PathBuf>,
    /// Whether servers on this machine and in private networks are reached too. Users name some of the addresses.
    pub private_addresses: bool,
    /// The name server that is asked; by default those of the system, and its list of hosts.
    pub nameserver: Option<SocketAddr>,
    /// The port of servers whose names say nothing else.
    pub default_port: u16,
    /// The port at which `/.well-known/matrix/server` is asked for.
    pub well_known_port: u16,
    /// Servers that are asked for the keys of servers which can not be reached.
    pub notaries: Vec<String>,
    /// How long a server is left alone that did not take a transaction, in milliseconds; each further time twice as long.
    pub retry_after_ms: u64,
    /// The longest that it is left alone, in milliseconds.
    pub retry_at_most_ms: u64,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            authorities: None,
            private_addresses: false,
            nameserver: None,
            default_port: 8448,
            well_known_port: 443,
            notaries: Vec::new(),
            retry_after_ms: 1_000,
            retry_at_most_ms: 3_600_000,
        }
    }
}

/// How users prove who they are (client-server-api/#client-authentication).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Authentication {
    /// Whether the legacy API is served: `/register`, `/login`, `/refresh` and user-interactive authentication.
    pub legacy: bool,
    /// Whether the server is an OAuth 2.0 authorization server for its users.
    pub oauth: bool,
    /// The beginnings of the URLs of clients that are handed login tokens without asking the user.
    pub trusted_clients: Vec<String>,
}

impl Default for Authentication {
    fn default() -> Self {
        Self { legacy: true, oauth: false, trusted_clients: Vec::new() }
    }
}

/// An OpenID provider. It has to send browsers back to `/_determinant/sso/callback` below the base URL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IdentityProvider {
    /// What clients know it by.
    pub id: String,
    /// What people know it by.
    pub name: String,
    /// Its issuer identifier, below which its metadata are.
    pub issuer: String,
    /// What it knows this server by.
    pub client_id: String,
    /// What this server proves that with.
    #[serde(default)]
    pub client_secret: Option<String>,
}

impl IdentityProvider {
    /// A provider that knows this server without a secret.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        issuer: impl Into<String>,
        client_id: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            issuer: issuer.into(),
            client_id: client_id.into(),
            client_secret: None,
        }
    }
}

/// Whom people can turn to (client-server-api/#getwell-knownmatrixsupport).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Support {
    /// People.
    pub contacts: Vec<Contact>,
    /// A page.
    pub support_page: Option<String>,
}

/// Somebody who answers for the server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Contact {
    /// For what: `m.role.admin`, `m.role.security`, or another role.
    pub role: String,
    /// Their user id.
    #[serde(default)]
    pub matrix_id: Option<String>,
    /// Their e-mail address; one of the two has to be there.
    #[serde(default)]
    pub email_address: Option<String>,
}

/// How e-mail is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Mail {
    /// The relay, as a URL: `smtp://relay.example.org`, `smtps://user:password@relay.example.org`, and with
    /// `?tls=required` or `?tls=opportunistic` for STARTTLS.
    pub relay: String,
    /// Who sends, as in a message: `Example <noreply@example.org>`.
    pub from: String,
}

impl Mail {
    /// A relay and a sender.
    pub fn new(relay: impl Into<String>, from: impl Into<String>) -> Self {
        Self { relay: relay.into(), from: from.into() }
    }
}

/// How text messages are sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TextMessages {
    /// The URL that takes each message as `{"to": "+447700900001", "text": "…"}` by POST.
    pub gateway: String,
}

impl TextMessages {
    /// A gateway.
    pub fn new(gateway: impl Into<String>) -> Self {
        Self { gateway: gateway.into() }
    }
}

/// A document that a new user has to agree to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// Its version.
    pub version: String,
    /// What it is called.
    pub name: String,
    /// Where it can be read.
    pub url: String,
    /// The language it is in (ISO 639-1).
    #[serde(default = "Policy::english")]
    pub language: String,
}

impl Policy {
    /// A document in English.
    pub fn new(version: impl Into<String>, name: impl Into<String>, url: impl Into<String>) -> Self {
        Self { version: version.into(), name: name.into(), url: url.into(), language: Self::english() }
    }

    fn english() -> String {
        "en".to_owned()
    }
}

/// A service that tells people from machines, in the way of Google's reCAPTCHA.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recaptcha {
    /// The key that clients use.
    pub public_key: String,
    /// The key that this server uses.
    pub private_key: String,
    /// Where this server has answers checked.
    #[serde(default = "Recaptcha::google")]
    pub verify_url: String,
}

impl Recaptcha {
    /// Keys, and where answers are checked.
    pub fn new(
        public_key: impl Into<String>,
        private_key: impl Into<String>,
        verify_url: impl Into<String>,
    ) -> Self {
        Self { public_key: public_key.into(), private_key: private_key.into(), verify_url: verify_url.into() }
    }

    fn google() -> String {
        "https://www.google.com/recaptcha/api/siteverify".to_owned()
    }
}

/// The servers that relay calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Turn {
    /// Where they are, as `turn:` and `turns:` URIs (RFC 7065).
    pub uris: Vec<String>,
    /// The secret that they share with this server, to know the credentials that it gives to clients.
    pub shared_secret: String,
    /// How long these serve, in seconds.
    #[serde(default = "Turn::a_day")]
    pub lifetime_s: u32,
}

impl Turn {
    /// Servers with the secret that they share with this one; credentials serve for a day.
    pub fn new(uris: Vec<String>, shared_secret: impl Into<String>) -> Self {
        Self { uris, shared_secret: shared_secret.into(), lifetime_s: Self::a_day() }
    }

    fn a_day() -> u32 {
        86_400
    }
}

/// What may be uploaded.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Media {
    /// The largest file, in bytes.
    pub max_upload_bytes: usize,
}

impl Default for Media {
    fn default() -> Self {
        Self { max_upload_bytes: 50_000_000 }
    }
}

impl Config {
    /// A server in memory on a free port of the loopback interface.
    pub fn new(server_name: impl Into<String>) -> Self {
        Self {
            server_name: server_name.into(),
            data: None,
            client: Client::default(),
            federation: None,
            registration: Registration::default(),
            passwords: Passwords::default(),
            tokens: Tokens::default(),
            media: Media::default(),
            outgoing: Outgoing::default(),
            mail: None,
            text_messages: None,
            application_services: Vec::new(),
            authentication: Authentication::default(),
            identity_providers: Vec::new(),
            support: None,
            turn: None,
            misbehave: None,
        }
    }

    /// Reads a file. Relative paths in it are taken from the file's own folder.
    ///
    /// # Errors
    /// When the file can not be read or is not a configuration; the text has file, line and what was expected.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text)
            .map_err(|reason| ConfigError::Invalid { path: path.to_owned(), reason: reason.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.data = config.data.map(|data| folder.join(data));
        config.outgoing.authorities = config.outgoing.authorities.map(|file| folder.join(file));
        for file in &mut config.application_services {
            *file = folder.join(&file);
        }
        if let Some(federation) = &mut config.federation {
            federation.certificate = folder.join(&federation.certificate);
            federation.key = folder.join(&federation.key);
        }
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

impl Federation {
    /// A listener with its certificate.
    pub fn new(listen: SocketAddr, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { listen, certificate: certificate.into(), key: key.into(), well_known: None }
    }
}

/// A configuration file can not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is not there or may not be read.
    #[error("configuration {} can not be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("configuration {} is not valid: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected there.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::{Config, RegistrationMode};

    #[test]
    fn one_line_is_enough() -> Result<(), toml::de::Error> {
        let config = Config::parse("server_name = 'localhost'")?;
        assert_eq!(config.registration.mode, RegistrationMode::Open);
        assert!(config.client.listen.ip().is_loopback());
        assert!(config.data.is_none() && config.federation.is_none());
        Ok(())
    }

    #[test]
    fn an_error_names_line_and_expectation() {
        let error = Config::parse("server_name = 'localhost'\n[registration]\nmode = 'closed'\n")
            .map(|_| ())
            .map_err(|error| error.to_string());
        insta::assert_snapshot!(error.err().unwrap_or_default(), @r"
        TOML parse error at line 3, column 8
          |
        3 | mode = 'closed'
          |        ^^^^^^^^
        unknown variant `closed`, expected one of `open`, `token`, `email`, `msisdn`, `disabled`
        ");
    }
}
