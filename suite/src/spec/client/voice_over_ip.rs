//! `client-server-api/#voice-over-ip`

use suite_attribute::conformance;

use crate::{
    cast::Homeserver,
    verdict::{Stop, Verdict},
};

/// The credentials for a TURN server name where it is and how long they serve.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3voipturnserver",
    level = Must,
    severity = Usability,
    needs = "turn"
)]
async fn turn_credentials_are_complete(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = alice.get("/_matrix/client/v3/voip/turnServer").await?;
    if answer.json().as_object().is_some_and(serde_json::Map::is_empty) {
        return Err(Stop::NotApplicable("the server has no TURN server to offer".to_owned()));
    }
    answer.must_have_text("/username")?;
    answer.must_have_text("/password")?;
    let lifetime_s = answer.at("/ttl").as_u64().unwrap_or_default();
    answer.must(lifetime_s > 0, "a lifetime above 0 at /ttl", || answer.at("/ttl").to_string())?;
    let uris = answer.must_have_list("/uris")?;
    let turn = |uri: &serde_json::Value| {
        uri.as_str().is_some_and(|uri| uri.starts_with("turn:") || uri.starts_with("turns:"))
    };
    answer.must(!uris.is_empty() && uris.iter().all(turn), "TURN URIs", || format!("{uris:?}"))
}
