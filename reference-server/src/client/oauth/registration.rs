//! Clients register themselves: client-server-api/#client-registration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use protocol::base64;
use reqwest::Url;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::OAuthError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Body;
use crate::store::oauth;

/// The grants that a client can have.
pub(super) const GRANT_TYPES: [&str; 3] =
    ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];

/// What of the metadata is kept; people read some of it.
const KEPT: [&str; 5] = ["client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri"];

pub(super) async fn register(
    State(server): State<Arc<Homeserver>>,
    body: Body,
) -> Result<Response, OAuthError> {
    let metadata = Value::Object(read(&body)?);
    let text = metadata.to_string();
    // Made of the metadata, so that a client that registers at every login is kept once.
    let client_id = base64::encode_url_safe(&Sha256::digest(&text)[..18]);
    let id = client_id.clone();
    server.store.write(move |connection| oauth::add_client(connection, &id, &text)).await?;
    let mut answer = metadata;
    answer["client_id"] = client_id.into();
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn read(given: &Map<String, Value>) -> Result<Map<String, Value>, OAuthError> {
    let invalid = |what: &str| OAuthError::new("invalid_client_metadata", what);
    let client_uri = given.get("client_uri").and_then(Value::as_str).and_then(|uri| Url::parse(uri).ok());
    let client_uri = client_uri.filter(|uri| uri.scheme() == "https" && uri.domain().is_some());
    let client_uri = client_uri.ok_or_else(|| invalid("client_uri must be an https URI with a domain"))?;
    let base = client_uri.domain().unwrap_or_default().to_owned();
    let mut kept = Map::new();
    for name in KEPT {
        let Some(value) = given.get(name) else { continue };
        let text = value.as_str().ok_or_else(|| invalid(&format!("{name} must be a string")))?;
        if name.ends_with("_uri") && !is_below(text, &base) {
            return Err(invalid(&format!("{name} must be an https URI below {base}")));
        }
        kept.insert(name.to_owned(), text.into());
    }
    let kind = given.get("application_type").and_then(Value::as_str).unwrap_or("web");
    if !matches!(kind, "web" | "native") {
        return Err(invalid("application_type must be web or native"));
    }
    let method = given.get("token_endpoint_auth_method").map_or(Some("none"), Value::as_str);
    if method != Some("none") {
        return Err(invalid("token_endpoint_auth_method must be none"));
    }
    if commits(Fault::StrangeGrantsRefused)
        && texts(given, "grant_types").iter().any(|grant| !GRANT_TYPES.contains(&grant.as_str()))
    {
        return Err(invalid("grant_types has one that is not known"));
    }
    let grants = chosen(given, "grant_types", &GRANT_TYPES, &["authorization_code"]);
    let redirects = texts(given, "redirect_uris");
    if redirects.is_empty() && grants.contains(&"authorization_code") {
        return Err(OAuthError::new(
            "invalid_redirect_uri",
            "add redirect_uris for the authorization code grant",
        ));
    }
    if let Some(wrong) = redirects.iter().find(|uri| !may_redirect(kind, &base, uri)) {
        return Err(OAuthError::new(
            "invalid_redirect_uri",
            format!("{wrong} does not belong to the client"),
        ));
    }
    kept.insert("application_type".to_owned(), kind.into());
    kept.insert("token_endpoint_auth_method".to_owned(), "none".into());
    kept.insert("response_types".to_owned(), chosen(given, "response_types", &["code"], &["code"]).into());
    kept.insert("grant_types".to_owned(), grants.into());
    kept.insert("redirect_uris".to_owned(), redirects.into());
    Ok(kept)
}

/// Those of a list that are known; what stands for a list that is not there.
fn chosen<'a>(
    given: &Map<String, Value>,
    name: &str,
    known: &[&'a str],
    default: &[&'a str],
) -> Vec<&'a str> {
    match given.contains_key(name) {
        true => texts(given, name)
            .iter()
            .filter_map(|it| known.iter().find(|known| *known == it).copied())
            .collect(),
        false => default.to_vec(),
    }
}

fn texts(given: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = given.get(name).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether a URI is of the client's own domain or of one below it.
fn is_below(uri: &str, base: &str) -> bool {
    let Ok(uri) = Url::parse(uri) else { return false };
    let is_own =
        |domain: &str| domain == base || domain.strip_suffix(base).is_some_and(|rest| rest.ends_with('.'));
    uri.scheme() == "https"
        && uri.username().is_empty()
        && uri.password().is_none()
        && uri.domain().is_some_and(is_own)
}

/// client-server-api/#redirect-uri-validation
fn may_redirect(kind: &str, base: &str, uri: &str) -> bool {
    let Ok(parsed) = Url::parse(uri) else { return false };
    if commits(Fault::RedirectsUnchecked) {
        return true;
    }
    if parsed.fragment().is_some() {
        return false;
    }
    if is_below(uri, base) {
        return true;
    }
    if kind == "web" {
        return false;
    }
    if parsed.scheme() == "http" {
        return is_loopback(&parsed) && parsed.port().is_none() && !uri.contains(":80");
    }
    let reversed = base.split('.').rev().collect::<Vec<_>>().join(".");
    let own = parsed.scheme() == reversed || parsed.scheme().starts_with(&format!("{reversed}."));
    own && parsed.scheme() != "https" && !parsed.has_authority()
}

fn is_free_of_ports(uri: &Url) -> bool {
    uri.scheme() == "http" && is_loopback(uri) && !commits(Fault::LoopbackPortsFixed)
}

fn is_loopback(uri: &Url) -> bool {
    matches!(uri.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
        && uri.username().is_empty()
        && uri.password().is_none()
}

/// Whether a client may be sent its answer at a URI: one that it has registered, on any port of the loopback interface.
pub(super) fn is_registered(metadata: &Value, uri: &str) -> bool {
    let registered = metadata.get("redirect_uris").and_then(Value::as_array).into_iter().flatten();
    let mut registered = registered.filter_map(Value::as_str);
    let without_port = Url::parse(uri).ok().filter(is_free_of_ports).map(|mut uri| {
        let _ = uri.set_port(None);
        uri
    });
    registered.any(|known| known == uri || without_port.is_some() && Url::parse(known).ok() == without_port)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{is_registered, may_redirect};

    #[rstest]
    #[case("web", "https://example.com/callback", true)]
    #[case("web", "https://app.example.com/callback", true)]
    #[case("web", "https://example.com:5173/?query=value", true)]
    #[case("web", "https://example.com/callback#fragment", false)]
    #[case("web", "http://example.com/callback", false)]
    #[case("web", "http://localhost/", false)]
    #[case("web", "https://user@example.com/", false)]
    #[case("web", "https://badexample.com/", false)]
    #[case("native", "com.example.app:/callback", true)]
    #[case("native", "com.example:/", true)]
    #[case("native", "com.example:callback", true)]
    #[case("native", "http://localhost/callback", true)]
    #[case("native", "http://127.0.0.1/callback", true)]
    #[case("native", "http://[::1]/callback", true)]
    #[case("native", "example:/callback", false)]
    #[case("native", "com.example.app://callback", false)]
    #[case("native", "https://localhost/callback", false)]
    #[case("native", "http://localhost:1234/callback", false)]
    #[case("native", "com.examples:/callback", false)]
    fn redirects_belong_to_the_client(#[case] kind: &str, #[case] uri: &str, #[case] expected: bool) {
        assert_eq!(may_redirect(kind, "example.com", uri), expected);
    }

    #[test]
    fn a_port_of_loopback_is_free() {
        let metadata = json!({"redirect_uris": ["http://127.0.0.1/a", "https://example.com/b"]});
        assert!(is_registered(&metadata, "http://127.0.0.1:1234/a"));
        assert!(is_registered(&metadata, "https://example.com/b"));
        assert!(!is_registered(&metadata, "http://127.0.0.1:1234/b"));
        assert!(!is_registered(&metadata, "https://example.com:1/b"));
    }
}
