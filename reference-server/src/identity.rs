//! Asking identity servers: identity-service-api/.
//!
//! Users name them, so they are reached like everything that users name.

use protocol::base64;
use protocol::request::Request;
use reqwest::Url;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::addresses::Address;

/// An identity server, on behalf of a user who has an account there.
#[derive(Debug)]
pub(crate) struct IdentityServer<'a> {
    server: &'a Homeserver,
    name: &'a str,
    access_token: &'a str,
}

impl<'a> IdentityServer<'a> {
    /// The identity server of this name, for whoever holds this access token of it.
    pub(crate) fn new(server: &'a Homeserver, name: &'a str, access_token: &'a str) -> Self {
        Self { server, name, access_token }
    }

    /// Has it publish that an address, validated in a session with it, is a user's; gives what it says of the address.
    pub(crate) async fn bind(
        &self,
        session: &str,
        client_secret: &str,
        user_id: &str,
    ) -> Result<Value, MatrixError> {
        let body = json!({"sid": session, "client_secret": client_secret, "mxid": user_id});
        self.post("/3pid/bind", &body).await
    }

    /// The user whose an address is, if it knows one (identity-service-api/#association-lookup).
    pub(crate) async fn lookup(&self, address: &Address) -> Result<Option<String>, MatrixError> {
        let details = self.get("/hash_details").await?;
        let pepper = details.get("lookup_pepper").and_then(Value::as_str).unwrap_or_default();
        let algorithms: Vec<&str> = details
            .get("algorithms")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let plain = format!("{} {}", address.address, address.medium.name());
        let (algorithm, asked) = if algorithms.contains(&"sha256") {
            let peppered = if commits(Fault::PeppersLeftOut) { plain } else { format!("{plain} {pepper}") };
            ("sha256", base64::encode_url_safe(Sha256::digest(peppered)))
        } else if algorithms.contains(&"none") {
            ("none", plain)
        } else {
            return Err(self.unusable("it knows neither sha256 nor none"));
        };
        let body = json!({"algorithm": algorithm, "pepper": pepper, "addresses": [asked]});
        let found = self.post("/lookup", &body).await?;
        Ok(found.get("mappings").and_then(|mappings| mappings.get(&asked)?.as_str()).map(str::to_owned))
    }

    /// Has it keep an invite until the address has an owner; gives the keys and the token of the invite.
    pub(crate) async fn store_invite(&self, invite: &Map<String, Value>) -> Result<Value, MatrixError> {
        self.post("/store-invite", &Value::Object(invite.clone())).await
    }

    async fn get(&self, path: &str) -> Result<Value, MatrixError> {
        let request = self.server.outgoing.client.get(self.url(path)?);
        self.answer(request).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, MatrixError> {
        let request = self.server.outgoing.client.post(self.url(path)?);
        self.answer(request.json(body)).await
    }

    /// What it answers; an error of its own is handed on as it is (client-server-api/#post_matrixclientv3account3pidbind).
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, MatrixError> {
        let request = match commits(Fault::IdentityTokensLeftOut) {
            true => request,
            false => request.bearer_auth(self.access_token),
        };
        let answer = request.send().await.map_err(|error| self.unusable(&error.to_string()))?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| self.unusable(&error.to_string()))?;
        if status.is_success() {
            return Ok(body);
        }
        if commits(Fault::IdentityErrorsHidden) {
            return Err(self.unusable("it refuses"));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(MatrixError::foreign(status, text("errcode"), text("error")))
    }

    fn url(&self, path: &str) -> Result<Url, MatrixError> {
        url(self.server, self.name, path)
    }

    fn unusable(&self, reason: &str) -> MatrixError {
        MatrixError::unknown(format!("identity server {}: {reason}", self.name))
    }
}

/// Has an identity server forget whose an address is; this server signs for its user. Says whether it did.
pub(crate) async fn unbind(server: &Homeserver, name: &str, address: &Address, user_id: &str) -> bool {
    let body =
        json!({"mxid": user_id, "threepid": {"medium": address.medium.name(), "address": address.address}});
    let Ok(url) = url(server, name, "/3pid/unbind") else { return false };
    let request = Request {
        method: "POST",
        uri: url.path(),
        origin: server.name(),
        destination: Some(name),
        content: Some(&body),
    };
    let Ok(header) = request.sign(&server.signing_key) else { return false };
    let mut request = server.outgoing.client.post(url).json(&body);
    if !commits(Fault::UnbindingsUnsigned) {
        request = request.header("authorization", header.to_string());
    }
    request.send().await.is_ok_and(|answer| answer.status().is_success())
}

/// Whether an identity server says that a key is still valid, at the address that an invite names for that
/// (client-server-api/#third-party-invites). One without an address is valid for ever.
pub(crate) async fn is_valid(
    server: &Homeserver,
    public_key: &str,
    validity_url: Option<&str>,
) -> Result<bool, MatrixError> {
    let Some(validity_url) = validity_url else { return Ok(true) };
    let unusable =
        |reason: String| MatrixError::forbidden(format!("key_validity_url of the invite: {reason}"));
    let mut url = Url::parse(validity_url).map_err(|error| unusable(error.to_string()))?;
    server.outgoing.check_address(&url).map_err(unusable)?;
    url.query_pairs_mut().append_pair("public_key", public_key);
    let answer = server.outgoing.client.get(url).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    let answer = answer.map_err(|error| unusable(error.to_string()))?;
    let body: Value = answer.json().await.map_err(|error| unusable(error.to_string()))?;
    Ok(body.get("valid").and_then(Value::as_bool) == Some(true))
}

fn url(server: &Homeserver, name: &str, path: &str) -> Result<Url, MatrixError> {
    let invalid =
        || MatrixError::invalid_param("id_server must be the name of a host, with a port or without");
    protocol::identifiers::ServerName::parse(name).map_err(|_| invalid())?;
    let url = Url::parse(&format!("https://{name}/_matrix/identity/v2{path}")).map_err(|_| invalid())?;
    server.outgoing.check_address(&url).map_err(MatrixError::forbidden)?;
    Ok(url)
}
