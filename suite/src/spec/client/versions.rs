//! `client-server-api/#api-versions`

use serde_json::Value;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver},
    verdict::Verdict,
};

/// The versions of the specification that the server supports have the form `vX.Y`, or `rX.Y.Z` for old ones.
#[conformance(spec = "client-server-api/#get_matrixclientversions", level = Must, severity = Interop)]
async fn versions_have_their_form(hs: &Homeserver) -> Verdict {
    let answer = hs.get(VERSIONS).await?;
    for version in answer.must_have_list("/versions")? {
        let well_formed = version.as_str().is_some_and(is_version);
        answer.must(well_formed, "versions of the form vX.Y or rX.Y.Z", || version.to_string())?;
    }
    Ok(())
}

/// Features that are not in the specification yet are either there or not there: their values are booleans.
#[conformance(spec = "client-server-api/#get_matrixclientversions", level = Must, severity = Interop)]
async fn unstable_features_are_booleans(hs: &Homeserver) -> Verdict {
    let answer = hs.get(VERSIONS).await?;
    if let Some(features) = answer.json().get("unstable_features") {
        let booleans = features.as_object().is_some_and(|features| features.values().all(Value::is_boolean));
        answer.must(booleans, "an object of booleans at /unstable_features", || features.to_string())?;
    }
    Ok(())
}

/// A user with an access token is told the same versions, and every feature that everybody is told.
#[conformance(
    spec = "client-server-api/#get_matrixclientversions",
    level = Must,
    severity = Interop,
    since = "v1.10"
)]
async fn users_are_told_as_well(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let everybody = hs.get(VERSIONS).await?;
    let user = alice.get(VERSIONS).await?;

    user.must(everybody.at("/versions") == user.at("/versions"), "the same versions", || {
        format!("{} and {}", everybody.at("/versions"), user.at("/versions"))
    })?;
    let missing: Vec<&String> =
        features(&everybody).filter(|name| user.at("/unstable_features")[name] != true).collect();
    user.must(missing.is_empty(), "the features of everybody", || format!("without {missing:?}"))
}

const VERSIONS: &str = "/_matrix/client/versions";

fn features(answer: &Answer) -> impl Iterator<Item = &String> {
    let features = answer.at("/unstable_features").as_object().into_iter().flatten();
    features.filter(|(_, supported)| *supported == true).map(|(name, _)| name)
}

/// `index/#specification-versions`
fn is_version(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = |text: &str, count: usize| text.split('.').count() == count && text.split('.').all(number);
    match text.split_at_checked(1) {
        Some(("v", rest)) => numbers(rest, 2),
        Some(("r", rest)) => numbers(rest, 3),
        _ => false,
    }
}
