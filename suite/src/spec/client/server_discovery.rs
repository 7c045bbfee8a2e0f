//! `client-server-api/#server-discovery`

use protocol::base64;
use suite_attribute::conformance;
use url::Url;

use crate::{
    cast::{Answer, Homeserver},
    verdict::{Stop, Verdict},
};

/// The file that leads clients to the homeserver names its base URL.
#[conformance(spec = "client-server-api/#getwell-knownmatrixclient", level = Must, severity = Interop)]
async fn client_file_names_the_homeserver(hs: &Homeserver) -> Verdict {
    let file = well_known(hs, "client").await?;
    must_hold_url(&file, "/m.homeserver/base_url")?;
    if file.json().get("m.identity_server").is_some() {
        must_hold_url(&file, "/m.identity_server/base_url")?;
    }
    Ok(())
}

/// What else the file says stands under names like those of Java packages.
#[conformance(
    spec = "client-server-api/#getwell-knownmatrixclient",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/getwell-knownmatrixclient/1"]
)]
async fn additional_keys_are_named_like_packages(hs: &Homeserver) -> Verdict {
    let file = well_known(hs, "client").await?;
    let keys = file.json().as_object().into_iter().flat_map(|file| file.keys());
    let additional: Vec<&String> = keys.filter(|key| !key.starts_with("m.")).collect();
    if additional.is_empty() {
        return Err(Stop::NotApplicable("the file has no additional keys".to_owned()));
    }
    let is_word = |word: &str| word.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
    let is_package = |key: &&&String| key.contains('.') && key.split('.').all(is_word);
    let others: Vec<_> = additional.iter().filter(|key| !is_package(key)).collect();
    file.must(others.is_empty(), "names like com.example.app.property", || format!("{others:?}"))
}

/// A file that the server does not publish is not found.
#[conformance(
    spec = "client-server-api/#well-known-uris",
    level = Must,
    severity = Interop,
    each = files
)]
async fn absent_file_is_not_found(hs: &Homeserver, file: &'static str) -> Verdict {
    let answer = hs.get(format!("/.well-known/matrix/{file}")).answer().await?;
    if answer.status().is_success() {
        return Err(Stop::NotApplicable("the server publishes it".to_owned()));
    }
    answer.must(answer.status() == 404, "status 404", || answer.exchange().response.in_short())
}

fn files() -> [&'static str; 3] {
    ["client", "policy_server", "support"]
}

/// The file by which clients find the homeserver can be read by pages of any origin.
#[conformance(
    spec = "client-server-api/#well-known-uris",
    level = Should,
    severity = Interop,
    proves = ["client-server-api/well-known-uris/1"]
)]
async fn client_file_is_for_pages_of_any_origin(hs: &Homeserver) -> Verdict {
    let file = well_known(hs, "client").await?;
    let origin = file.header("access-control-allow-origin").unwrap_or_default();
    file.must(origin == "*", "access-control-allow-origin: *", || format!("{origin:?}"))
}

/// The file that tells how to reach the administrators names contacts or a page.
#[conformance(
    spec = "client-server-api/#getwell-knownmatrixsupport",
    level = Must,
    severity = Usability,
    since = "v1.10",
    needs = "well_known_support",
    proves = ["client-server-api/getwell-knownmatrixsupport/2"]
)]
async fn support_file_names_somebody(hs: &Homeserver) -> Verdict {
    let file = well_known(hs, "support").await?;
    let contacts = file.at("/contacts").as_array();
    if file.at("/support_page").is_string() {
        must_hold_url(&file, "/support_page")?;
    } else {
        let somebody = contacts.is_some_and(|contacts| !contacts.is_empty());
        file.must(somebody, "a contact or a support_page", || file.json().to_string())?;
    }
    for contact in contacts.into_iter().flatten() {
        let reachable = contact["matrix_id"].is_string() || contact["email_address"].is_string();
        file.must(reachable, "a matrix_id or an email_address of every contact", || contact.to_string())?;
        file.must(contact["role"].is_string(), "the role of every contact", || contact.to_string())?;
    }
    Ok(())
}

/// The file of a policy server gives the key with which room settings can name it.
#[conformance(
    spec = "client-server-api/#getwell-knownmatrixpolicy_server",
    level = Must,
    severity = Interop,
    since = "v1.18",
    needs = "policy_server"
)]
async fn policy_file_gives_a_key(hs: &Homeserver) -> Verdict {
    let file = well_known(hs, "policy_server").await?;
    let key = file.must_have_text("/public_keys/ed25519")?;
    // The example of the text is in the URL-safe alphabet, which the appendices do not mean.
    let decoded = base64::decode(&key).or_else(|_| base64::decode_url_safe(&key));
    let is_key = decoded.is_ok_and(|key| key.len() == 32) && !key.contains('=');
    file.must(is_key, "an Ed25519 public key in unpadded base64", || key)
}

/// A file below `/.well-known/matrix`; the test does not apply where there is none.
async fn well_known(hs: &Homeserver, name: &str) -> Result<Answer, Stop> {
    let file = hs.get(format!("/.well-known/matrix/{name}")).answer().await?;
    if file.status() == 404 {
        return Err(Stop::NotApplicable(format!("the server serves no /.well-known/matrix/{name}")));
    }
    file.must_be(200)
}

fn must_hold_url(file: &Answer, pointer: &str) -> Verdict {
    let text = file.must_have_text(pointer)?;
    let url = Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    file.must(url, format!("an HTTP URL at {pointer}"), || text)
}
