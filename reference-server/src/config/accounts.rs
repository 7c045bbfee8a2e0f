//! Who may have an account, and how they prove who they are.

use std::collections::BTreeMap;

use serde::Deserialize;

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

/// What passwords are taken, and the cost of Argon2id. The default cost is the least that the function allows: this server
/// stands beside test suites that register users by the hundred. A server for people needs about 19456 KiB and 2.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Passwords {
    /// The fewest characters of a new password; at least 1.
    pub minimum_length: usize,
    /// Memory for one password, in KiB; at least 8.
    pub memory_kib: u32,
    /// Passes over that memory; at least 1.
    pub iterations: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { minimum_length: 1, memory_kib: 8, iterations: 1 }
    }
}

/// Who is told what users say about themselves (client-server-api/#profiles).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Profiles {
    /// Whether only those are who share a room with them, unless they are in a public one.
    pub for_acquaintances: bool,
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
    /// A picture that clients show beside its name, as a data URL.
    #[serde(default)]
    pub icon: Option<String>,
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
            icon: None,
        }
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
