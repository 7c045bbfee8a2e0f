//! `client-server-api/#terms-of-service-at-registration`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver},
    verdict::{Stop, Verdict},
};

/// The documents that a new user has to accept are at addresses of the web.
#[conformance(
    spec = "client-server-api/#definition-mloginterms-params",
    level = Must,
    severity = Interop,
    since = "v1.11",
    proves = ["client-server-api/definition-mloginterms-params/2"]
)]
async fn documents_are_on_the_web(hs: &Homeserver) -> Verdict {
    let challenge = challenge(hs).await?;
    let urls: Vec<&str> = translations(&challenge).filter_map(|(_, text)| text["url"].as_str()).collect();
    let on_the_web =
        |url: &&str| url::Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
    let expected = "an http: or https: URI for every document in every language";
    let all = !urls.is_empty() && urls.len() == translations(&challenge).count();
    challenge.must(all && urls.iter().all(on_the_web), expected, || format!("{urls:?}"))
}

/// The languages of these documents are tags of RFC 5646.
#[conformance(
    spec = "client-server-api/#definition-mloginterms-params",
    level = Should,
    severity = Interop,
    since = "v1.11",
    proves = ["client-server-api/definition-mloginterms-params/1"]
)]
async fn languages_are_tags(hs: &Homeserver) -> Verdict {
    let challenge = challenge(hs).await?;
    let languages: Vec<&str> = translations(&challenge).map(|(language, _)| language).collect();
    let well_formed = !languages.is_empty() && languages.iter().all(|language| is_tag(language));
    challenge.must(well_formed, "language tags such as en or de-AT", || format!("{languages:?}"))
}

/// What a registration says that leads to the acceptance of documents.
async fn challenge(hs: &Homeserver) -> Result<Answer, Stop> {
    let body = json!({"username": hs.unused_localpart(), "password": "a password"});
    hs.registration_before("m.login.terms", &body).await
}

/// Every language of every document.
fn translations(challenge: &Answer) -> impl Iterator<Item = (&str, &Value)> {
    let policies = challenge.at("/params/m.login.terms/policies").as_object();
    let policies = policies.into_iter().flat_map(|policies| policies.values());
    let fields = policies.filter_map(Value::as_object).flatten();
    fields.filter(|(name, _)| *name != "version").map(|(language, text)| (language.as_str(), text))
}

/// A language of two or three letters, and subtags of up to eight letters and digits (RFC 5646, section 2.1).
fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let letters = language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_subtag =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    letters && (2..=3).contains(&language.len()) && parts.all(is_subtag)
}
