//! What the server is told at its start: a TOML file, or values set by whoever embeds it.

mod accounts;
mod services;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::accounts::{
    Authentication, IdentityProvider, Passwords, Policy, Profiles, Recaptcha, Registration, RegistrationMode,
    Tokens,
};
pub use self::services::{
    AccountLimits, Contact, Mail, Media, Outgoing, PolicyServer, Rate, RateLimits, ResourceLimits,
    ServerNotices, Support, TextMessages, Turn,
};
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
    /// What an acknowledged write outlasts in that folder.
    #[serde(default)]
    pub durability: Durability,
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
    /// What all of them together may have; without it, as much as they like.
    #[serde(default)]
    pub resource_limits: Option<ResourceLimits>,
    /// Who is told what users say about themselves.
    #[serde(default)]
    pub profiles: Profiles,
    /// What one account may have; without it, as much as it likes.
    #[serde(default)]
    pub account_limits: Option<AccountLimits>,
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
    /// The policy server that answers for this name; without it, none does.
    #[serde(default)]
    pub policy_server: Option<PolicyServer>,
    /// How the operator writes to users; without it, not at all.
    #[serde(default)]
    pub server_notices: Option<ServerNotices>,
    /// The servers that relay calls; without them, calls find their own way.
    #[serde(default)]
    pub turn: Option<Turn>,
    /// How often somebody may ask.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// Faults to commit, by their names, so that a test suite can be tested. They are committed by the whole process.
    #[serde(default)]
    pub misbehave: Vec<Fault>,
}

/// What a write outlasts that was acknowledged, by the answer to a request. A write that was not is there whole or not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A loss of power, as far as the disk keeps its word: every transaction is flushed before it is acknowledged, those of many
    /// requests at once.
    #[default]
    PowerLoss,
    /// The end of the process, however it comes. A loss of power may take what was acknowledged last, and leaves the rest in order.
    ProcessKill,
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
    /// Whether there is such a document.
    pub well_known: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), base_url: None, well_known: true }
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

impl Config {
    /// A server in memory on a free port of the loopback interface.
    pub fn new(server_name: impl Into<String>) -> Self {
        Self {
            server_name: server_name.into(),
            data: None,
            durability: Durability::default(),
            client: Client::default(),
            federation: None,
            registration: Registration::default(),
            passwords: Passwords::default(),
            tokens: Tokens::default(),
            media: Media::default(),
            resource_limits: None,
            profiles: Profiles::default(),
            account_limits: None,
            outgoing: Outgoing::default(),
            mail: None,
            text_messages: None,
            application_services: Vec::new(),
            authentication: Authentication::default(),
            identity_providers: Vec::new(),
            support: None,
            policy_server: None,
            server_notices: None,
            turn: None,
            rate_limits: RateLimits::default(),
            misbehave: Vec::new(),
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
