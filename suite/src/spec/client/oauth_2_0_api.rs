//! `client-server-api/#oauth-20-api`

use serde_json::{Value, json};
use suite_attribute::conformance;
use url::Url;

use crate::{
    cast::{Answer, Homeserver},
    verdict::{Stop, Verdict},
};

/// The metadata name every endpoint, and offer what every server has to.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1auth_metadata",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth"
)]
async fn metadata_are_complete(hs: &Homeserver) -> Verdict {
    let metadata = metadata(hs).await?;
    for endpoint in
        ["authorization_endpoint", "token_endpoint", "revocation_endpoint", "registration_endpoint"]
    {
        let url = metadata.must_have_text(&format!("/{endpoint}"))?;
        metadata.must(Url::parse(&url).is_ok(), format!("a URL at /{endpoint}"), || url)?;
    }
    for (name, values) in [
        ("response_types_supported", &["code"][..]),
        ("response_modes_supported", &["query", "fragment"]),
        ("grant_types_supported", &["authorization_code", "refresh_token"]),
        ("code_challenge_methods_supported", &["S256"]),
    ] {
        let offered = metadata.must_have_list(&format!("/{name}"))?;
        for value in values {
            metadata.must(offered.iter().any(|it| it == value), format!("{value} in /{name}"), || {
                format!("{offered:?}")
            })?;
        }
    }
    Ok(())
}

/// A client registers itself, and the metadata that the server took come back with its id.
#[conformance(
    spec = "client-server-api/#dynamic-client-registration-flow",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth"
)]
async fn client_registers_itself(hs: &Homeserver) -> Verdict {
    let registered = register(hs, client()).await?.must_be(201)?;
    registered.must_have_text("/client_id")?;
    registered.must_hold("/redirect_uris", json!(["https://app.client.example/callback"]))?;
    registered.must_hold("/token_endpoint_auth_method", "none")
}

/// A redirect URI that does not belong to the client is refused.
#[conformance(
    spec = "client-server-api/#redirect-uri-validation",
    level = Must,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    each = foreign_redirects
)]
async fn foreign_redirect_is_refused(hs: &Homeserver, redirect: &'static str) -> Verdict {
    let mut client = client();
    client["redirect_uris"] = json!([redirect]);
    let refusal = register(hs, client).await?.must_be_refused()?;
    refusal.must_lack("/client_id")
}

fn foreign_redirects() -> [&'static str; 4] {
    [
        "http://client.example/callback",
        "https://client.example/callback#fragment",
        "https://other.example/callback",
        "http://localhost/callback",
    ]
}

/// A device that nobody has let in gets no tokens.
#[conformance(
    spec = "client-server-api/#device-authorisation-flow",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "oauth"
)]
async fn device_waits_to_be_let_in(hs: &Homeserver) -> Verdict {
    let metadata = metadata(hs).await?;
    let Ok(endpoint) = metadata.must_have_text("/device_authorization_endpoint") else {
        return Err(Stop::NotApplicable(
            "the server does not offer the device authorization grant".to_owned(),
        ));
    };
    let mut client = client();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    client["grant_types"] = json!(["authorization_code", "refresh_token", grant]);
    let client_id = register(hs, client).await?.must_be(201)?.must_have_text("/client_id")?;
    let scope = "urn:matrix:client:api:* urn:matrix:client:device:DETERMINANT";
    let begun = form(hs, &endpoint, &[("client_id", &client_id), ("scope", scope)]).await?.must_be(200)?;
    for field in ["user_code", "verification_uri"] {
        begun.must_have_text(&format!("/{field}"))?;
    }
    let device_code = begun.must_have_text("/device_code")?;
    let token = metadata.must_have_text("/token_endpoint")?;
    let fields = [("grant_type", grant), ("client_id", &client_id), ("device_code", &device_code)];
    let waits = form(hs, &token, &fields).await?.must_be(400)?;
    waits.must_hold("/error", "authorization_pending")
}

/// The address of account management leads to a page, for every action that the metadata list.
#[conformance(
    spec = "client-server-api/#account-management-url-discovery",
    level = Must,
    severity = Usability,
    since = "v1.18",
    needs = "oauth"
)]
async fn account_management_leads_somewhere(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let metadata = metadata(hs).await?;
    let Some(uri) = metadata.at("/account_management_uri").as_str() else {
        return Err(Stop::NotApplicable("the metadata name no address of account management".to_owned()));
    };
    let page = target(uri)?;
    let actions =
        metadata.at("/account_management_actions_supported").as_array().cloned().unwrap_or_default();
    let plain = std::iter::once(None);
    for action in plain.chain(actions.iter().map(Some)) {
        let call = hs.get(page.as_str());
        let call = match action {
            None => call,
            Some(action) => {
                let name =
                    action.as_str().ok_or_else(|| Stop::unmet("actions by name", action.to_string()))?;
                call.query("action", name).query("device_id", alice.device_id())
            }
        };
        let answer = call.answer().await?;
        // A server where nobody has logged in yet may first send the browser there.
        let leads = answer.status().is_success() || answer.status().is_redirection();
        answer.must(leads, "a page, or the way to one", || answer.exchange().response.in_short())?;
    }
    Ok(())
}

async fn metadata(hs: &Homeserver) -> Result<Answer, Stop> {
    hs.get("/_matrix/client/v1/auth_metadata").await
}

fn client() -> Value {
    json!({
        "client_name": "Determinant",
        "client_uri": "https://client.example/",
        "redirect_uris": ["https://app.client.example/callback"],
        "token_endpoint_auth_method": "none",
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "application_type": "web",
    })
}

async fn register(hs: &Homeserver, client: Value) -> Result<Answer, Stop> {
    let endpoint = metadata(hs).await?.must_have_text("/registration_endpoint")?;
    hs.post(target(&endpoint)?, client).answer().await
}

async fn form(hs: &Homeserver, endpoint: &str, fields: &[(&str, &str)]) -> Result<Answer, Stop> {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    hs.request(http::Method::POST, target(endpoint)?)
        .header("content-type", "application/x-www-form-urlencoded")
        .bytes(body)
        .answer()
        .await
}

/// The path of an endpoint, which is the homeserver's own.
fn target(endpoint: &str) -> Result<String, Stop> {
    let url = Url::parse(endpoint).map_err(|error| Stop::unmet("a URL", format!("{endpoint}: {error}")))?;
    Ok(url.path().to_owned())
}
