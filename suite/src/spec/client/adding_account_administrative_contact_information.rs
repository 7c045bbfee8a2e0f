//! `client-server-api/#adding-account-administrative-contact-information`

use serde_json::Value;
use suite_attribute::conformance;

use crate::{cast::Homeserver, verdict::Verdict};

/// A new account has no third-party identifiers.
#[conformance(spec = "client-server-api/#get_matrixclientv3account3pid", level = Must, severity = Security)]
async fn new_account_has_none(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = alice.get("/_matrix/client/v3/account/3pid").await?;
    let none = answer.at("/threepids").as_array().is_none_or(Vec::<Value>::is_empty);
    answer.must(none, "no third-party identifiers", || answer.at("/threepids").to_string())
}
