//! What the server reaches, offers and names besides rooms: other servers, relays, people, uploads, limits.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;

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

/// A policy server, which is a program beside this one (client-server-api/#policy-servers).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PolicyServer {
    /// Its Ed25519 public key, in unpadded base64.
    pub public_key: String,
}

/// The rooms in which the operator writes to users (client-server-api/#server-notices).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerNotices {
    /// The localpart of the user who writes.
    pub localpart: String,
    /// What the rooms are called.
    #[serde(default = "ServerNotices::usual_name")]
    pub name: String,
}

impl ServerNotices {
    fn usual_name() -> String {
        "Notices of the server".to_owned()
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
    /// The domains whose addresses accounts may not have.
    #[serde(default)]
    pub refused_domains: Vec<String>,
}

impl Mail {
    /// A relay and a sender.
    pub fn new(relay: impl Into<String>, from: impl Into<String>) -> Self {
        Self { relay: relay.into(), from: from.into(), refused_domains: Vec::new() }
    }
}

/// How text messages are sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TextMessages {
    /// The URL that takes each message as `{"to": "+447700900001", "text": "…"}` by POST.
    pub gateway: String,
    /// How the numbers begin that accounts may not have, in digits after the `+` of the international form.
    #[serde(default)]
    pub refused_prefixes: Vec<String>,
}

impl TextMessages {
    /// A gateway.
    pub fn new(gateway: impl Into<String>) -> Self {
        Self { gateway: gateway.into(), refused_prefixes: Vec::new() }
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
    /// Whether the older paths, which ask for no access token, give out everything, as they did before they were frozen
    /// (client-server-api/#content-repo-client-behaviour).
    pub unauthenticated: bool,
}

impl Default for Media {
    fn default() -> Self {
        Self { max_upload_bytes: 50_000_000, unauthenticated: false }
    }
}

/// What one account may have at most.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccountLimits {
    /// Devices; whoever has as many has to log out somewhere before they log in anew.
    pub devices: usize,
    /// Files; without a number, as many as they like.
    #[serde(default)]
    pub files: Option<i64>,
    /// Where users are told more of it.
    pub info_uri: String,
}

/// What all accounts may have at most, taken together (client-server-api/#common-error-codes).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceLimits {
    /// Rooms; beyond them, nobody founds one.
    pub rooms: usize,
    /// Where users can turn to who meet the limit, as a URI.
    pub admin_contact: String,
}

/// How often somebody may ask (client-server-api/#rate-limiting). Classes without a rate have no limit, which suits
/// tests; a server for people needs some.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimits {
    /// Requests without an access token, such as logins and registrations: of each address.
    pub anonymous: Option<Rate>,
    /// Requests that read, but for those that wait for news: of each access token.
    pub reading: Option<Rate>,
    /// Requests that send or change something: of each access token.
    pub changing: Option<Rate>,
    /// Uploads, downloads and previews: of each access token.
    pub media: Option<Rate>,
    /// Whether all requests come through a proxy that adds the address of the caller to `X-Forwarded-For`.
    pub behind_proxy: bool,
}

/// How often is too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many requests go through at once.
    pub burst: NonZeroU32,
    /// After how many milliseconds one more does.
    pub interval_ms: NonZeroU32,
}
