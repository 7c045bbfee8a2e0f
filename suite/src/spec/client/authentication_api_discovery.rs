//! `client-server-api/#authentication-api-discovery`

use suite_attribute::conformance;

use crate::{
    cast::Homeserver,
    verdict::{Stop, Verdict},
};

/// Whoever asks for an authentication API that the server does not have is told that the server does not know it.
#[conformance(
    spec = "client-server-api/#authentication-api-discovery",
    level = Should,
    severity = Interop,
    since = "v1.15",
    each = interfaces,
    proves = ["client-server-api/authentication-api-discovery/1"]
)]
async fn absent_interface_is_unrecognized(hs: &Homeserver, interface: &'static str) -> Verdict {
    let target = match interface {
        "legacy" => "/_matrix/client/v3/login",
        _ => "/_matrix/client/v1/auth_metadata",
    };
    let answer = hs.get(target).answer().await?;
    if answer.status().is_success() {
        return Err(Stop::NotApplicable("the server has this interface".to_owned()));
    }
    answer.must_refuse(404, "M_UNRECOGNIZED").map(drop)
}

fn interfaces() -> [&'static str; 2] {
    ["legacy", "OAuth 2.0"]
}
