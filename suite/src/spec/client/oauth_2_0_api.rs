//! `client-server-api/#oauth-20-api`

use serde_json::{Value, json};
use suite_attribute::conformance;
use url::Url;

use crate::{
    cast::{Answer, Homeserver},
    registry::Case,
    verdict::{Stop, Verdict},
};

/// The metadata name every endpoint, and offer what every server has to.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1auth_metadata",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth",
    proves = [
        "client-server-api/get_matrixclientv1auth_metadata/2",
        "client-server-api/get_matrixclientv1auth_metadata/3",
        "client-server-api/get_matrixclientv1auth_metadata/4",
        "client-server-api/get_matrixclientv1auth_metadata/5",
    ]
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
    needs = "oauth",
    proves = ["client-server-api/definition-oauthclientmetadata/16"]
)]
async fn client_registers_itself(hs: &Homeserver) -> Verdict {
    let registered = register(hs, client()).await?.must_be(201)?;
    registered.must_have_text("/client_id")?;
    registered.must_hold("/redirect_uris", json!(["https://app.client.example/callback"]))?;
    registered.must_hold("/token_endpoint_auth_method", "none")
}

/// Web clients and native ones register themselves.
#[conformance(
    spec = "client-server-api/#client-metadata",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth",
    each = kinds,
    proves = ["client-server-api/definition-oauthclientmetadata/1"]
)]
async fn both_kinds_of_clients_register(hs: &Homeserver, kind: &'static str) -> Verdict {
    let mut client = client();
    client["application_type"] = json!(kind);
    let registered = register(hs, client).await?.must_be(201)?;
    registered.must_have_text("/client_id")?;
    registered.must_hold("/application_type", kind)
}

fn kinds() -> [&'static str; 2] {
    ["web", "native"]
}

/// Grant types and response types that the server does not know are ignored, and those that it knows are registered.
#[conformance(
    spec = "client-server-api/#client-metadata",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth",
    each = lists,
    proves = [
        "client-server-api/definition-oauthclientmetadata/7",
        "client-server-api/definition-oauthclientmetadata/15",
    ]
)]
async fn unknown_values_are_ignored(hs: &Homeserver, list: &'static str) -> Verdict {
    let unknown = "urn:determinant:unknown";
    let mut client = client();
    let known = client[list].clone();
    if let Some(values) = client[list].as_array_mut() {
        values.push(json!(unknown));
    }
    let registered = register(hs, client).await?.must_be(201)?;
    let kept = registered.must_have_list(&format!("/{list}"))?;
    let as_known = known.as_array().is_some_and(|known| known.iter().all(|value| kept.contains(value)));
    registered
        .must(as_known && !kept.contains(&json!(unknown)), format!("{known}"), || json!(kept).to_string())
}

fn lists() -> [&'static str; 2] {
    ["grant_types", "response_types"]
}

/// A redirect URI that belongs to the client is registered as it is.
#[conformance(
    spec = "client-server-api/#redirect-uri-validation",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth",
    each = own_redirects,
    proves = ["client-server-api/redirect-uri-validation/7"]
)]
async fn own_redirect_is_accepted(hs: &Homeserver, redirect: Redirect) -> Verdict {
    let registered = register(hs, redirect.client()).await?.must_be(201)?;
    registered.must_hold("/redirect_uris", json!([redirect.uri]))
}

fn own_redirects() -> Vec<Redirect> {
    let web = ["https://client.example/callback", "https://client.example:5173/?query=value"];
    let native = [
        "example.client.app:/callback",
        "example.client:/",
        "example.client:callback",
        "http://localhost/callback",
        "http://127.0.0.1/callback",
        "http://[::1]/callback",
        "https://app.client.example/callback",
    ];
    redirects(&web, &native)
}

/// A redirect URI that does not belong to the client is refused.
#[conformance(
    spec = "client-server-api/#redirect-uri-validation",
    level = Must,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    each = foreign_redirects,
    proves = [
        "client-server-api/definition-oauthclientmetadata/13",
        "client-server-api/redirect-uri-validation/1",
        "client-server-api/redirect-uri-validation/2",
        "client-server-api/redirect-uri-validation/3",
        "client-server-api/redirect-uri-validation/4",
        "client-server-api/redirect-uri-validation/5",
        "client-server-api/redirect-uri-validation/6",
        "client-server-api/redirect-uri-validation/8",
        "client-server-api/redirect-uri-validation/9",
        "client-server-api/redirect-uri-validation/10",
    ]
)]
async fn foreign_redirect_is_refused(hs: &Homeserver, redirect: Redirect) -> Verdict {
    let refusal = register(hs, redirect.client()).await?.must_be_refused()?;
    refusal.must_lack("/client_id")
}

fn foreign_redirects() -> Vec<Redirect> {
    let web = [
        "http://client.example/callback",
        "https://client.example/callback#fragment",
        "https://other.example/callback",
        "http://localhost/callback",
        "https://somebody@client.example/callback",
        "https://somebody:secret@client.example/callback",
        "https://evilclient.example/callback",
        "example.client.app:/callback",
    ];
    let native = [
        "example:/callback",
        "org.client.app:/callback",
        "example.clients:/callback",
        "example.client.app://callback",
        "example.client.app:/callback#fragment",
        "https://localhost/callback",
        "http://192.0.2.1/callback",
        "http://localhost.other.example/callback",
        "http://localhost:1234/callback",
        "http://127.0.0.1:80/callback",
        "https://other.example/callback",
    ];
    redirects(&web, &native)
}

/// Where a client of a kind wants its answers to be sent.
#[derive(Clone, Copy)]
struct Redirect {
    kind: &'static str,
    uri: &'static str,
}

impl Redirect {
    fn client(self) -> Value {
        let mut client = client();
        client["application_type"] = json!(self.kind);
        client["redirect_uris"] = json!([self.uri]);
        client
    }
}

impl Case for Redirect {
    fn label(&self) -> String {
        if self.kind == "web" { self.uri.to_owned() } else { format!("{}, {}", self.uri, self.kind) }
    }
}

fn redirects(web: &[&'static str], native: &[&'static str]) -> Vec<Redirect> {
    let web = web.iter().map(|uri| Redirect { kind: "web", uri });
    web.chain(native.iter().map(|uri| Redirect { kind: "native", uri })).collect()
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

pub(super) async fn metadata(hs: &Homeserver) -> Result<Answer, Stop> {
    hs.get("/_matrix/client/v1/auth_metadata").await
}

pub(super) fn client() -> Value {
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

pub(super) async fn register(hs: &Homeserver, client: Value) -> Result<Answer, Stop> {
    let endpoint = metadata(hs).await?.must_have_text("/registration_endpoint")?;
    hs.post(target(&endpoint)?, client).answer().await
}

pub(super) async fn form(hs: &Homeserver, endpoint: &str, fields: &[(&str, &str)]) -> Result<Answer, Stop> {
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
