//! `client-server-api/#grant-types`

use serde_json::{Value, json};
use suite_attribute::conformance;
use url::Url;

use super::oauth_2_0_api::{client, form, metadata, register};
use crate::{
    cast::{Answer, CrossSigningKeys, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// A verifier and its challenge by `S256`, those of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// Whoever is let in by a user gets, for a code in the query or in the fragment, tokens of that user for the device that was
/// asked for, among them a refresh token.
#[conformance(
    spec = "client-server-api/#authorisation-code-grant",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth",
    each = response_modes,
    proves = ["client-server-api/authorisation-code-grant/1", "client-server-api/refresh-token-grant/1"]
)]
async fn code_opens_a_session(hs: &Homeserver, response_mode: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let wish = Wish { response_mode, ..Wish::of_a_web_client(hs).await? };
    let granted = wish.granted_by(&alice).await?;
    let kind = granted.must_have_text("/token_type")?;
    granted.must(kind.eq_ignore_ascii_case("Bearer"), "a bearer token", || kind.clone())?;
    granted.must_have_text("/refresh_token")?;
    let whoami = hs.get(WHOAMI).token(&granted.must_have_text("/access_token")?).await?;
    whoami.must_hold("/user_id", alice.id())?;
    whoami.must_hold("/device_id", wish.device_id.as_str())
}

fn response_modes() -> [&'static str; 2] {
    ["query", "fragment"]
}

/// A code is worth nothing to whoever does not know the verifier of its challenge, and nothing for a second time.
#[conformance(
    spec = "client-server-api/#authorisation-code-grant",
    level = Must,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    each = misuses,
    proves = ["client-server-api/authorisation-code-grant/1"]
)]
async fn code_cannot_be_misused(hs: &Homeserver, misuse: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let wish = Wish::of_a_web_client(hs).await?;
    let code = wish.allowed_by(&alice).await?;
    let refusal = match misuse {
        "wrong verifier" => {
            wish.exchange(&code, "another-verifier-of-at-least-forty-three-characters").await?
        }
        "no verifier" => wish.exchange(&code, "").await?,
        _ => {
            wish.exchange(&code, VERIFIER).await?.must_be(200)?;
            wish.exchange(&code, VERIFIER).await?
        }
    };
    refusal.must_be(400)?.must_lack("/access_token")
}

fn misuses() -> [&'static str; 3] {
    ["wrong verifier", "no verifier", "used before"]
}

/// Nobody is sent to a redirect URI that the client has not registered, be it only a little different.
#[conformance(
    spec = "client-server-api/#authorisation-code-grant",
    level = Must,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    each = strange_redirects,
    proves = ["client-server-api/authorisation-code-grant/1"]
)]
async fn redirect_is_strict(hs: &Homeserver, redirect: &'static str) -> Verdict {
    let mut wish = Wish::of_a_web_client(hs).await?;
    wish.redirect_uri = redirect.to_owned();
    let url = wish.url().await?;
    let answer = hs.get(format!("{}?{}", url.path(), url.query().unwrap_or_default())).answer().await?;
    let there = answer.header("location").unwrap_or_default();
    answer.must(!there.starts_with(redirect), "no way there", || there.to_owned())?;
    answer.must(!answer.status().is_success(), "an error", || answer.status().to_string())
}

fn strange_redirects() -> [&'static str; 3] {
    [
        "https://other.example/callback",
        "https://app.client.example/callback/more",
        "https://app.client.example:8443/callback",
    ]
}

/// A client that has registered a loopback redirect without a port is sent its answer on any port.
#[conformance(
    spec = "client-server-api/#redirect-uri-validation",
    level = Must,
    severity = Interop,
    since = "v1.15",
    needs = "oauth",
    each = loopback_names,
    proves = ["client-server-api/redirect-uri-validation/11"]
)]
async fn loopback_redirect_has_any_port(hs: &Homeserver, host: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let mut wish = Wish::of(hs, "native", &format!("http://{host}/callback")).await?;
    wish.redirect_uri = format!("http://{host}:43210/callback");
    let granted = wish.granted_by(&alice).await?;
    granted.must_have_text("/access_token").map(drop)
}

fn loopback_names() -> [&'static str; 3] {
    ["localhost", "127.0.0.1", "[::1]"]
}

/// An access token says how long it lasts, and that is not long.
///
/// The text gives no figure; a day is long by any standard.
#[conformance(
    spec = "client-server-api/#refresh-token-grant",
    level = Must,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    proves = ["client-server-api/refresh-token-grant/2"]
)]
async fn access_token_is_short_lived(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let granted = Wish::of_a_web_client(hs).await?.granted_by(&alice).await?;
    let expires_in = granted.at("/expires_in");
    let is_short = expires_in.as_u64().is_some_and(|seconds| (1..=24 * 60 * 60).contains(&seconds));
    granted.must(is_short, "a lifetime of a day at most", || expires_in.to_string())
}

/// A refresh whose answer was lost can be tried again.
#[conformance(
    spec = "client-server-api/#refresh-token-grant",
    level = Must,
    severity = Usability,
    since = "v1.15",
    needs = "oauth",
    proves = ["client-server-api/refresh-token-grant/4"]
)]
async fn lost_refresh_can_be_repeated(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let wish = Wish::of_a_web_client(hs).await?;
    let granted = wish.granted_by(&alice).await?;
    let token = granted.must_have_text("/refresh_token")?;
    wish.refresh(&token).await?.must_be(200)?;

    let repeated = wish.refresh(&token).await?.must_be(200)?;

    let whoami = hs.get(WHOAMI).token(&repeated.must_have_text("/access_token")?).await?;
    whoami.must_hold("/device_id", wish.device_id.as_str())
}

/// A refresh token is replaced when it is used; when the old one turns up after that, the session ends.
#[conformance(
    spec = "client-server-api/#refresh-token-grant",
    level = Should,
    severity = Security,
    since = "v1.15",
    needs = "oauth",
    proves = ["client-server-api/refresh-token-grant/3", "client-server-api/refresh-token-grant/5"]
)]
async fn replaced_refresh_token_ends_the_session(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let wish = Wish::of_a_web_client(hs).await?;
    let old = wish.granted_by(&alice).await?.must_have_text("/refresh_token")?;
    let refreshed = wish.refresh(&old).await?.must_be(200)?;
    let new = refreshed.must_have_text("/refresh_token")?;
    refreshed.must(new != old, "another refresh token", || "the same".to_owned())?;
    // Whoever uses the new token has had the answer.
    let access_token = refreshed.must_have_text("/access_token")?;
    hs.get(WHOAMI).token(&access_token).await?;

    wish.refresh(&old).await?.must_be(400)?;

    hs.get(WHOAMI).token(&access_token).must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    wish.refresh(&new).await?.must_be(400).map(drop)
}

/// The registration of a client is there as long as one of its sessions.
#[conformance(
    spec = "client-server-api/#dynamic-client-registration-flow",
    level = Must,
    severity = Usability,
    since = "v1.15",
    needs = "oauth",
    proves = ["client-server-api/dynamic-client-registration-flow/2"]
)]
async fn registration_lasts_as_long_as_a_session(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let wish = Wish::of_a_web_client(hs).await?;
    let kept = wish.granted_by(&alice).await?;
    let ended = wish.on_another_device().granted_by(&alice).await?;
    wish.revoke(&ended.must_have_text("/access_token")?, Some(&wish.client_id)).await?.must_be(200)?;

    let refreshed = wish.refresh(&kept.must_have_text("/refresh_token")?).await?.must_be(200)?;
    refreshed.must_have_text("/access_token")?;
    wish.on_another_device().granted_by(&alice).await.map(drop)
}

/// A device that somebody lets in, by the code that it shows, gets an access token and a refresh token.
#[conformance(
    spec = "client-server-api/#device-authorisation-grant",
    level = Must,
    severity = Interop,
    since = "v1.18",
    needs = "oauth",
    each = ways_in,
    proves = [
        "client-server-api/device-authorisation-grant/1",
        "client-server-api/device-authorisation-grant/2",
    ]
)]
async fn device_is_let_in(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let metadata = metadata(hs).await?;
    let Some(endpoint) = metadata.at("/device_authorization_endpoint").as_str() else {
        return Err(Stop::NotApplicable(
            "the server does not offer the device authorization grant".to_owned(),
        ));
    };
    let mut client = client();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    client["grant_types"] = json!(["authorization_code", "refresh_token", grant]);
    let client_id = register(hs, client).await?.must_be(201)?.must_have_text("/client_id")?;
    let device_id = device_id(hs);
    let fields = [("client_id", client_id.as_str()), ("scope", &scope(&device_id))];
    let begun = form(hs, endpoint, &fields).await?.must_be(200)?;
    let code = begun.must_have_text("/user_code")?;
    let page = match (way, begun.at("/verification_uri_complete").as_str()) {
        ("the whole link", None) => {
            return Err(Stop::NotApplicable("the server gives no link with the code in it".to_owned()));
        }
        ("the whole link", Some(link)) => link.to_owned(),
        _ => begun.must_have_text("/verification_uri")?,
    };
    hs.browser().goes_on(&page, &alice, &[("user_code", &code), ("code", &code)]).await?.must_be_a_page()?;

    let device_code = begun.must_have_text("/device_code")?;
    let fields = [("grant_type", grant), ("client_id", &client_id), ("device_code", &device_code)];
    let granted = form(hs, &metadata.must_have_text("/token_endpoint")?, &fields).await?.must_be(200)?;
    granted.must_have_text("/refresh_token")?;
    let whoami = hs.get(WHOAMI).token(&granted.must_have_text("/access_token")?).await?;
    whoami.must_hold("/user_id", alice.id())?;
    whoami.must_hold("/device_id", device_id)
}

fn ways_in() -> [&'static str; 2] {
    ["the whole link", "the link and the code"]
}

/// A user of OAuth 2.0 confirms on a page of the server, by http or https, that the cross-signing keys are to be replaced.
#[conformance(
    spec = "client-server-api/#oauth-authentication",
    level = Must,
    severity = Security,
    since = "v1.17",
    needs = "oauth",
    proves = ["client-server-api/definition-moauth-params/1"]
)]
async fn page_confirms_an_operation(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let granted = Wish::of_a_web_client(hs).await?.granted_by(&alice).await?;
    let token = granted.must_have_text("/access_token")?;
    let upload = |body: Value| hs.post("/_matrix/client/v3/keys/device_signing/upload", body).token(&token);
    upload(CrossSigningKeys::new()?.upload_of(alice.id())?).await?;
    let mut replacement = CrossSigningKeys::new()?.upload_of(alice.id())?;

    let challenge = upload(replacement.clone()).must_be(401).await?;
    let flows = challenge.must_have_list("/flows")?;
    if !flows.iter().any(|flow| flow["stages"] == json!(["m.oauth"])) {
        return Err(Stop::NotApplicable("the server does not offer the m.oauth stage".to_owned()));
    }
    let url = challenge.must_have_text("/params/m.oauth/url")?;
    let is_web = Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    challenge.must(is_web, "an http or https URI", || url.clone())?;
    replacement["auth"] = json!({"session": challenge.at("/session")});
    upload(replacement.clone()).must_be(401).await?;

    hs.browser().goes_on(&url, &alice, &[]).await?.must_be_a_page()?;

    upload(replacement).must_be(200).await.map(drop)
}

/// What a client asks for in the authorization code grant.
#[derive(Clone)]
pub(super) struct Wish {
    hs: Homeserver,
    metadata: Answer,
    pub(super) client_id: String,
    redirect_uri: String,
    response_mode: &'static str,
    device_id: String,
}

impl Wish {
    pub(super) async fn of_a_web_client(hs: &Homeserver) -> Result<Self, Stop> {
        Self::of(hs, "web", "https://app.client.example/callback").await
    }

    /// The wish of a new client with this redirect URI.
    pub(super) async fn of(hs: &Homeserver, kind: &str, redirect_uri: &str) -> Result<Self, Stop> {
        let mut client = client();
        client["application_type"] = json!(kind);
        client["redirect_uris"] = json!([redirect_uri]);
        let client_id = register(hs, client).await?.must_be(201)?.must_have_text("/client_id")?;
        Ok(Wish {
            hs: hs.clone(),
            metadata: metadata(hs).await?,
            client_id,
            redirect_uri: redirect_uri.to_owned(),
            response_mode: "fragment",
            device_id: device_id(hs),
        })
    }

    fn on_another_device(&self) -> Self {
        Wish { device_id: device_id(&self.hs), ..self.clone() }
    }

    async fn url(&self) -> Result<Url, Stop> {
        let endpoint = self.metadata.must_have_text("/authorization_endpoint")?;
        let url = Url::parse(&endpoint).map_err(|error| Stop::unmet("a URL", format!("{endpoint}: {error}")));
        let mut url = url?;
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("response_mode", self.response_mode),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &scope(&self.device_id)),
            ("state", "a state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url)
    }

    /// The code with which the browser of a user who allows it comes back.
    async fn allowed_by(&self, user: &User) -> Result<String, Stop> {
        let url = self.url().await?;
        let (there, answer) =
            self.hs.browser().goes_on(url.as_str(), user, &[]).await?.must_be_elsewhere()?;
        let comes_back = there.as_str().starts_with(&self.redirect_uri);
        answer.must(comes_back, format!("the way to {}", self.redirect_uri), || there.to_string())?;
        let part = if self.response_mode == "fragment" { there.fragment() } else { there.query() };
        let told: Vec<(String, String)> =
            url::form_urlencoded::parse(part.unwrap_or_default().as_bytes()).into_owned().collect();
        let of = |name: &str| told.iter().find(|(told, _)| told == name).map(|(_, value)| value.clone());
        answer.must(of("state").as_deref() == Some("a state"), "the state of the client", || {
            there.to_string()
        })?;
        of("code").ok_or_else(|| {
            Stop::unmet_by(answer.exchange(), format!("a code in the {}", self.response_mode), there.as_str())
        })
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Result<Answer, Stop> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("code", code),
        ];
        if !verifier.is_empty() {
            fields.push(("code_verifier", verifier));
        }
        form(&self.hs, &self.metadata.must_have_text("/token_endpoint")?, &fields).await
    }

    /// The tokens that a user's permission leads to.
    pub(super) async fn granted_by(&self, user: &User) -> Result<Answer, Stop> {
        let code = self.allowed_by(user).await?;
        self.exchange(&code, VERIFIER).await?.must_be(200)
    }

    pub(super) async fn refresh(&self, token: &str) -> Result<Answer, Stop> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("refresh_token", token),
        ];
        form(&self.hs, &self.metadata.must_have_text("/token_endpoint")?, &fields).await
    }

    pub(super) async fn revoke(&self, token: &str, client_id: Option<&str>) -> Result<Answer, Stop> {
        let client_id = client_id.map(|client_id| ("client_id", client_id));
        let fields: Vec<(&str, &str)> = std::iter::once(("token", token)).chain(client_id).collect();
        form(&self.hs, &self.metadata.must_have_text("/revocation_endpoint")?, &fields).await
    }
}

/// A device id that no other test asks for, as long as the text advises.
fn device_id(hs: &Homeserver) -> String {
    format!("DETERMINANT{}", hs.unique())
}

fn scope(device_id: &str) -> String {
    format!("urn:matrix:client:api:* urn:matrix:client:device:{device_id}")
}
