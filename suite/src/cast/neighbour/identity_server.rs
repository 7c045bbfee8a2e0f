//! An identity server: `identity-service-api/`.

mod accounts;
mod invites;
mod service;
mod sessions;

use std::sync::Arc;

use fixtures::catalogue::{Api, Auth};
use protocol::keys::SigningKey;
use serde_json::{Value, json};

use super::{Asked, Neighbour};
use crate::{
    cast::{Homeserver, remote::Reply},
    verdict::Stop,
};

pub use accounts::Account;
pub(crate) use service::{AskHomeserver, Service};
pub use sessions::Letter;

/// What its users prove themselves with, where they have not registered; other tokens of its begin with it.
pub const ACCESS_TOKEN: &str = "determinant-identity-token";

/// An identity server with a certificate of the run's authority.
#[derive(Clone)]
pub struct IdentityServer {
    hs: Homeserver,
    neighbour: Arc<Neighbour>,
    service: Arc<Service>,
    port: u16,
}

impl Homeserver {
    /// An identity server, which knows nobody yet.
    pub fn identity_server(&self) -> Result<IdentityServer, Stop> {
        let key = SigningKey::generate("0").map_err(|error| Stop::Fault(format!("no key: {error}")))?;
        let (neighbour, port) = self.trusted_neighbour("identity server", Api::Identity, |_| None)?;
        let asking = self.clone();
        let homeserver: AskHomeserver = Box::new(move |method, target, body| {
            let call = asking.federation_request(method, target);
            Box::pin(async move {
                let call = call.ok()?;
                let call = match &body {
                    Some(body) => call.json(body),
                    None => call,
                };
                call.await.ok().map(|answer| answer.json().clone())
            })
        });
        let service = Service::new(format!("localhost:{port}"), key, Some(homeserver));
        let answering = service.clone();
        neighbour.answers_later(move |asked| answering.answer(asked));
        Ok(IdentityServer { hs: self.clone(), neighbour, service, port })
    }
}

/// Why a request is refused: status, error code, and a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal(u16, &'static str, &'static str);

impl From<Refusal> for Reply {
    fn from(Refusal(status, errcode, error): Refusal) -> Self {
        Reply::json_with(status, json!({"errcode": errcode, "error": error}))
    }
}

/// Whether a request shows who asks, where the operation wants that: one of its users, or a homeserver in its own name.
pub(super) fn proof(asked: &Asked) -> Result<(), String> {
    if is_open(asked)
        || access_token(asked).starts_with(ACCESS_TOKEN)
        || authorization(asked).starts_with("X-Matrix")
    {
        Ok(())
    } else {
        Err("neither the access token of a user nor the signature of a homeserver".to_owned())
    }
}

fn is_open(asked: &Asked) -> bool {
    asked.operation.is_some_and(|operation| operation.auth == Auth::None)
}

fn authorization(asked: &Asked) -> &str {
    asked.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Tokens in the query are deprecated, and identity servers must take them all the same
/// (`identity-service-api/#authentication`).
fn access_token(asked: &Asked) -> &str {
    authorization(asked).strip_prefix("Bearer ").unwrap_or(asked.parameter("access_token"))
}

impl IdentityServer {
    /// Its name: host and port.
    pub fn name(&self) -> String {
        format!("{}:{}", self.hs.target().whereabouts.name(), self.port)
    }

    /// The key that it signs with.
    pub fn key(&self) -> &SigningKey {
        self.service.key()
    }

    /// Knows from now on that an e-mail address is a user's.
    pub fn knows(&self, email: &str, user_id: &str) {
        self.service.bind(email, user_id);
    }

    /// Wants these terms accepted first from now on.
    pub fn demands(&self, terms: &str) {
        self.service.demand(terms);
    }

    /// A session in which somebody has shown that an e-mail address is theirs; gives its id.
    pub fn validated_session(&self, email: &str, client_secret: &str) -> String {
        self.service.validated_session(email, client_secret)
    }

    /// Makes an account of an OpenID token, once the homeserver has said whose that is.
    pub async fn registers(&self, openid: &Value) -> Result<Account, Stop> {
        let token = self.service.register(openid).await;
        let account =
            token.and_then(|token| self.service.account_of(token["token"].as_str().unwrap_or_default()));
        account.map_err(|Refusal(status, errcode, why)| {
            Stop::unmet("an account at the identity server", format!("{status} {errcode}: {why}"))
        })
    }

    /// Waits for what it writes to an address; gives the first letter.
    pub async fn letter_to(&self, address: &str) -> Result<Letter, Stop> {
        let mut letters = self.service.letters();
        let written = |letters: &Vec<Letter>| letters.iter().any(|letter| letter.to == address);
        let waited = tokio::time::timeout(self.hs.patience(), letters.wait_for(written)).await;
        let found = waited.ok().and_then(Result::ok);
        let letter = found.and_then(|letters| letters.iter().find(|letter| letter.to == address).cloned());
        letter.ok_or_else(|| {
            Stop::unmet(format!("an invite of {address} at the identity server"), "none that came in time")
        })
    }

    /// Answers an operation with this from now on.
    pub fn answers(&self, operation: &'static str, reply: Reply) {
        self.neighbour.answers(move |asked| asked.is(operation).then(|| reply.clone()));
    }

    /// Waits for a request of this operation; gives it.
    pub async fn is_asked(&self, operation: &str) -> Result<Asked, Stop> {
        self.neighbour.sees(&self.hs, operation, |asked| asked.is(operation).then(|| asked.clone())).await
    }
}

impl std::fmt::Debug for IdentityServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("IdentityServer").field("name", &self.name()).finish_non_exhaustive()
    }
}
