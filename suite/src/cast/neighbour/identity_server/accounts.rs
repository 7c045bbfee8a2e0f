//! Who asks an identity server, and what they have accepted: `identity-service-api/#authentication`,
//! `identity-service-api/#terms-of-service`.

use std::collections::BTreeSet;

use http::Method;
use protocol::identifiers::server_name_of;
use serde_json::{Value, json};

use super::{
    ACCESS_TOKEN, Refusal, access_token, authorization, is_open,
    service::{Service, missing},
};
use crate::cast::{encoded, neighbour::Asked};

/// An account at an identity server.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Whose it is.
    pub user_id: String,
    pub(super) accepted: BTreeSet<String>,
}

/// Who asks.
pub(super) enum Asker {
    /// The operation is open to everyone.
    Anybody,
    /// A user, by this access token.
    User(String),
    /// A homeserver, by its signature. It is believed: how this request is signed, the text leaves open.
    Homeserver,
}

impl Service {
    /// Who asks, where that may.
    pub(super) fn asker(&self, asked: &Asked) -> Result<Asker, Refusal> {
        let Some(operation) = asked.operation.filter(|_| !is_open(asked)) else { return Ok(Asker::Anybody) };
        let unbinds = operation.id == "unbindV2";
        let header = authorization(asked);
        if unbinds && header.starts_with("X-Matrix") {
            return Ok(Asker::Homeserver);
        }
        let token = access_token(asked);
        let memory = self.memory();
        let Some(account) = memory.accounts.get(token) else {
            let errcode = if operation.id == "logout" { "M_UNKNOWN_TOKEN" } else { "M_UNAUTHORIZED" };
            return Err(Refusal(401, errcode, "no account has this access token"));
        };
        let exempt = matches!(operation.id.as_str(), "agreeToTerms" | "logout");
        match &memory.terms {
            Some(terms) if !exempt && !account.accepted.contains(terms) => {
                Err(Refusal(403, "M_TERMS_NOT_SIGNED", "the terms have to be accepted first"))
            }
            _ => Ok(Asker::User(token.to_owned())),
        }
    }

    /// An account for whoever the homeserver says an OpenID token is.
    pub(super) async fn register(&self, token: &Value) -> Result<Value, Refusal> {
        let text = |name: &str| token[name].as_str().filter(|text| !text.is_empty());
        let (Some(openid), Some(server_name)) = (text("access_token"), text("matrix_server_name")) else {
            return Err(missing());
        };
        let Some(ask) = &self.homeserver else {
            return Err(Refusal(
                401,
                "M_UNAUTHORIZED",
                "no homeserver is known that could be asked whose token this is",
            ));
        };
        let target = format!("/_matrix/federation/v1/openid/userinfo?access_token={}", encoded(openid));
        let found = ask(Method::GET, target, None).await;
        let user_id = found
            .as_ref()
            .and_then(|found| found["sub"].as_str())
            .filter(|user_id| server_name_of(user_id) == Some(server_name));
        let Some(user_id) = user_id else {
            return Err(Refusal(401, "M_UNAUTHORIZED", "the homeserver knows nobody by this OpenID token"));
        };
        let token = format!("{ACCESS_TOKEN}-{:016x}", rand::random::<u64>());
        let account = Account { user_id: user_id.to_owned(), ..Account::default() };
        self.memory().accounts.insert(token.clone(), account);
        Ok(json!({"token": token}))
    }

    pub(super) fn account(&self, asker: &Asker) -> Result<Value, Refusal> {
        let account = self.account_of(asker.token().unwrap_or_default())?;
        Ok(json!({"user_id": account.user_id}))
    }

    /// The account of an access token.
    pub(super) fn account_of(&self, token: &str) -> Result<Account, Refusal> {
        self.memory().accounts.get(token).cloned().ok_or_else(unauthorized)
    }

    pub(super) fn log_out(&self, asker: &Asker) -> Result<Value, Refusal> {
        let token = asker.token().ok_or_else(unauthorized)?;
        self.memory().accounts.remove(token);
        Ok(json!({}))
    }

    pub(super) fn terms(&self) -> Value {
        let policies = self.memory().terms.as_ref().map(|url| {
            json!({"terms_of_service": {"version": "1", "en": {"name": "Terms of service", "url": url}}})
        });
        json!({"policies": policies.unwrap_or_else(|| json!({}))})
    }

    pub(super) fn agree(&self, asker: &Asker, asked: &Asked) -> Result<Value, Refusal> {
        let urls = asked.json["user_accepts"].as_array().ok_or_else(missing)?;
        let mut memory = self.memory();
        let account =
            asker.token().and_then(|token| memory.accounts.get_mut(token)).ok_or_else(unauthorized)?;
        account.accepted.extend(urls.iter().filter_map(|url| url.as_str().map(str::to_owned)));
        Ok(json!({}))
    }
}

impl Asker {
    fn token(&self) -> Option<&str> {
        match self {
            Asker::User(token) => Some(token),
            Asker::Anybody | Asker::Homeserver => None,
        }
    }
}

fn unauthorized() -> Refusal {
    Refusal(401, "M_UNAUTHORIZED", "no account has this access token")
}
