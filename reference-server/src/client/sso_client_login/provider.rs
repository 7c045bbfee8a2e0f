//! What an OpenID provider is asked (OpenID Connect Core 1.0). Who somebody is, it says itself over TLS, so that no
//! signature has to be checked (section 3.1.3.7).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde_json::Value;

use crate::config::IdentityProvider;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;

/// Somebody as the provider knows them.
pub(super) struct Somebody {
    /// What never changes.
    pub(super) subject: String,
    /// What they would like to be called.
    pub(super) name: String,
}

/// Where a browser logs in.
pub(super) async fn authorization_url(
    server: &Homeserver,
    provider: &IdentityProvider,
    callback: &str,
    state: &str,
    challenge: &str,
) -> Result<Url, MatrixError> {
    let endpoint = endpoint(server, provider, "authorization_endpoint").await?;
    let mut url = Url::parse(&endpoint).map_err(MatrixError::internal)?;
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", &provider.client_id),
        ("redirect_uri", callback),
        ("scope", "openid profile"),
        ("state", state),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]);
    Ok(url)
}

/// Who has logged in, for the code that the browser has brought.
pub(super) async fn identify(
    server: &Homeserver,
    provider: &IdentityProvider,
    callback: &str,
    code: &str,
    verifier: &str,
) -> Result<Somebody, MatrixError> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", callback),
        ("client_id", &provider.client_id),
        ("code_verifier", verifier),
    ];
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let form = fields.map(|(name, value)| format!("{name}={}", encoded(value))).join("&");
    let mut request = server.trusted.post(endpoint(server, provider, "token_endpoint").await?);
    if let Some(secret) = &provider.client_secret {
        request = request.basic_auth(encoded(&provider.client_id), Some(encoded(secret)));
    }
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let tokens = answer(request).await?;
    let access_token = text(&tokens, "access_token")?;
    let request = server.trusted.get(endpoint(server, provider, "userinfo_endpoint").await?);
    let user = answer(request.bearer_auth(access_token)).await?;
    let subject = text(&user, "sub")?;
    let name = text(&user, "preferred_username").unwrap_or_else(|_| subject.clone());
    Ok(Somebody { subject, name })
}

async fn endpoint(
    server: &Homeserver,
    provider: &IdentityProvider,
    name: &str,
) -> Result<String, MatrixError> {
    let url = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
    let metadata = answer(server.trusted.get(url)).await?;
    text(&metadata, name)
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, MatrixError> {
    let answer = request.send().await.and_then(reqwest::Response::error_for_status);
    let answer = answer.map_err(|error| unusable(&error.to_string()))?;
    answer.json().await.map_err(|error| unusable(&error.to_string()))
}

fn text(object: &Value, name: &str) -> Result<String, MatrixError> {
    let text = object.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| unusable(&format!("it has sent no {name}")))
}

fn unusable(reason: &str) -> MatrixError {
    tracing::error!("identity provider: {reason}");
    MatrixError::forbidden("the identity provider can not be used now; the log of the server says why")
}
